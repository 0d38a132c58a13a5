//! One message as it lies in a block.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use streamfence_core::{Audience, Body, ClientId, Epoch, LogPosition, MessageId, Offset, Record};

use super::{Fields, FormatError};

/// What every record has: lengths, kind, place, number, time, payload.
const FIXED_BYTES: usize = 36;
/// What it may have on top, but for what is counted by the piece: key, clients and attachments.
const OPTIONAL_BYTES: usize = 8 + 8 + 4 + 4 + 4;
const CLIENT_BYTES: usize = 12;
const RANGE_BYTES: usize = 8;

/// What a record is. `3` is kept for a gap in a log that outlives its process.
mod kind {
    pub(super) const ALL: u8 = 0;
    pub(super) const EXCEPT: u8 = 1;
    pub(super) const PRIVATE: u8 = 2;
}

/// Which optional fields follow, in this order.
mod flag {
    pub(super) const EXPIRES: u8 = 1;
    pub(super) const KEY: u8 = 2;
    pub(super) const CLIENTS: u8 = 4;
    pub(super) const ATTACHMENTS: u8 = 8;
    /// The message's epoch is not the block's.
    pub(super) const EPOCH: u8 = 16;
    pub(super) const ALL: u8 = 31;
}

const WHAT: &str = "record";

/// How many bytes a record takes at most. Saturates where no block could hold it.
pub(crate) fn largest_encoding(record: &Record) -> u64 {
    let clients = clients_of(&record.audience).len() as u64;
    let key = record.key.as_ref().map_or(0, |key| key.len() as u64);
    let parts = clients * CLIENT_BYTES as u64 + record.body.attachments.len() as u64 * RANGE_BYTES as u64;
    (FIXED_BYTES + OPTIONAL_BYTES) as u64 + key + parts + record.body.bytes.len() as u64
}

/// Puts a record at the end of a block. All its lengths fit, because it is smaller than the largest record.
pub(super) fn encode(record: &Record, first: LogPosition, epoch: Epoch, into: &mut Vec<u8>) {
    let clients = clients_of(&record.audience);
    let body = &record.body;
    let mut flags = 0;
    for (is, flag) in [
        (record.expires_us.is_some(), flag::EXPIRES),
        (record.key.is_some(), flag::KEY),
        (!clients.is_empty(), flag::CLIENTS),
        (!body.attachments.is_empty(), flag::ATTACHMENTS),
        (record.id.epoch != epoch, flag::EPOCH),
    ] {
        flags |= if is { flag } else { 0 };
    }
    let start = into.len();
    // The length of all of it comes first, when it is known.
    let mut fixed = [0; FIXED_BYTES];
    fixed[4] = match record.audience {
        Audience::All => kind::ALL,
        Audience::Except(_) => kind::EXCEPT,
        Audience::Private(_) => kind::PRIVATE,
    };
    fixed[5] = flags;
    fixed[8..12].copy_from_slice(&((record.position.0 - first.0) as u32).to_le_bytes());
    fixed[12..16].copy_from_slice(&(body.payload.start as u32).to_le_bytes());
    fixed[16..20].copy_from_slice(&(body.payload.end as u32).to_le_bytes());
    fixed[20..28].copy_from_slice(&record.id.offset.0.to_le_bytes());
    fixed[28..36].copy_from_slice(&record.published_us.to_le_bytes());
    into.extend_from_slice(&fixed);
    if flags != 0 {
        if let Some(expires) = record.expires_us {
            into.extend_from_slice(&expires.to_le_bytes());
        }
        if let Some(key) = &record.key {
            into.extend_from_slice(&(key.len() as u32).to_le_bytes());
            into.extend_from_slice(key.as_bytes());
        }
        if !clients.is_empty() {
            into.extend_from_slice(&(clients.len() as u32).to_le_bytes());
            clients.iter().for_each(|client| into.extend_from_slice(&client.0));
        }
        if !body.attachments.is_empty() {
            into.extend_from_slice(&(body.attachments.len() as u32).to_le_bytes());
            for range in &body.attachments {
                into.extend_from_slice(&(range.start as u32).to_le_bytes());
                into.extend_from_slice(&(range.end as u32).to_le_bytes());
            }
        }
        if flags & flag::EPOCH != 0 {
            into.extend_from_slice(&record.id.epoch.0.to_le_bytes());
        }
    }
    into.extend_from_slice(&body.bytes);
    let length = (into.len() - start) as u32;
    into[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Where a record begins.
pub(super) struct Place<'a> {
    pub(super) block: &'a Bytes,
    pub(super) at: usize,
    /// The first position of the block.
    pub(super) first: LogPosition,
    /// The epoch of messages that do not say theirs.
    pub(super) epoch: Epoch,
}

/// Reads the record that begins at a place; its body is a slice of the block. Of one before `from`, only the position.
/// Says where the next one begins.
pub(super) fn decode(
    place: &Place<'_>,
    from: LogPosition,
) -> Result<(LogPosition, Option<Record>, usize), FormatError> {
    let &Place { block: whole, at, first, epoch } = place;
    let length = Fields::new(&whole[at..], WHAT).u32()? as usize;
    let mut fields = Fields::new(&whole[at..], WHAT);
    let mut fields = Fields::new(fields.bytes(length)?, WHAT);
    fields.u32()?;
    let next = at + length;
    let kind = fields.u8()?;
    let flags = fields.u8()?;
    fields.u16()?;
    let delta = u64::from(fields.u32()?);
    let position = first.0.checked_add(delta).ok_or(FormatError::Value { what: "a position", found: delta })?;
    let position = LogPosition(position);
    if position < from {
        return Ok((position, None, next));
    }
    let payload = fields.u32()? as usize..fields.u32()? as usize;
    let offset = Offset(fields.u64()?);
    let published_us = fields.u64()?;
    if flags & !flag::ALL != 0 {
        return Err(FormatError::Value { what: "a record's flags", found: flags.into() });
    }
    let has = |flag| flags & flag != 0;
    let expires_us = if has(flag::EXPIRES) { Some(fields.u64()?) } else { None };
    let key = if has(flag::KEY) { Some(key(&mut fields)?) } else { None };
    let clients = if has(flag::CLIENTS) { clients(&mut fields)? } else { Box::default() };
    let attachments = if has(flag::ATTACHMENTS) { attachments(&mut fields)? } else { Box::default() };
    let epoch = if has(flag::EPOCH) { Epoch(fields.u64()?) } else { epoch };
    let audience = match kind {
        kind::ALL => Audience::All,
        kind::EXCEPT => Audience::Except(clients),
        kind::PRIVATE => Audience::Private(clients),
        other => return Err(FormatError::Value { what: "a record's kind", found: other.into() }),
    };
    // The rest is the body. What takes it apart trusts its ranges.
    let size = fields.rest.len();
    let text = attachments.first().map_or(size, |first: &Range<usize>| first.start);
    let end = attachments.last().map_or(0, |last| last.end);
    if payload.start > payload.end || payload.end > text || end > size {
        return Err(FormatError::Value { what: "the end of a payload or an attachment", found: size as u64 });
    }
    let record = Record {
        position,
        audience,
        id: MessageId { epoch, offset },
        key,
        published_us,
        expires_us,
        body: Body { bytes: whole.slice(next - size..next), payload, attachments },
    };
    Ok((position, Some(record), next))
}

fn key(fields: &mut Fields<'_>) -> Result<Arc<str>, FormatError> {
    let length = fields.u32()?;
    let key = std::str::from_utf8(fields.bytes(length as usize)?);
    key.map(Arc::from).map_err(|_| FormatError::Value { what: "the length of a key", found: length.into() })
}

fn clients(fields: &mut Fields<'_>) -> Result<Box<[ClientId]>, FormatError> {
    let count = fields.u32()? as usize;
    // Taken first, so that a count that cannot be allocates nothing.
    let bytes = fields.bytes(count.saturating_mul(CLIENT_BYTES))?;
    let (clients, _) = bytes.as_chunks::<CLIENT_BYTES>();
    if clients.is_empty() || !clients.is_sorted() {
        return Err(FormatError::Value { what: "an unsorted or empty list of clients", found: count as u64 });
    }
    Ok(clients.iter().copied().map(ClientId).collect())
}

fn attachments(fields: &mut Fields<'_>) -> Result<Box<[Range<usize>]>, FormatError> {
    let count = fields.u32()? as usize;
    let bytes = fields.bytes(count.saturating_mul(RANGE_BYTES))?;
    let mut least = 0;
    let mut ranges = Vec::with_capacity(count);
    let mut fields = Fields::new(bytes, WHAT);
    while !fields.rest.is_empty() {
        let range = fields.u32()? as usize..fields.u32()? as usize;
        if range.start < least || range.end < range.start {
            return Err(FormatError::Value { what: "the end of an attachment", found: range.end as u64 });
        }
        least = range.end;
        ranges.push(range);
    }
    Ok(ranges.into())
}

fn clients_of(audience: &Audience) -> &[ClientId] {
    match audience {
        Audience::All => &[],
        Audience::Except(clients) | Audience::Private(clients) => clients,
    }
}

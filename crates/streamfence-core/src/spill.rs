//! What a hub asks of a disk, and what it hears back: commands out, completions in.
//!
//! Never a file, a thread or a clock: where a log lies and how it is written is the business of whoever implements
//! [`SpillBackend`]; which message lies where in it, and who still needs it, is the hub's.
//!
//! ```text
//! Open ----> Granted ...              room on disk, ahead of what is appended
//! Append --> Appended                 until then the hub keeps the messages in memory
//! Read ----> Records                  what a lane goes on with
//! Release                             nobody needs what lies before a position
//! Close                               nobody needs any of it
//! ```

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::message::{Body, ClientId, Key, MessageId};

/// A place where logs lie: a directory with a quota of its own. Namespaces that name the same directory share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub u16);

/// One topic's log on one shard. A number is never used again in the life of a process, so that what comes late for a log
/// that is closed is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId {
    /// The store it lies in.
    pub store: StoreId,
    /// Its number there: the shard in the upper 16 bits, counted up in the lower 48.
    pub number: u64,
}

impl LogId {
    /// How many low bits of a number count the logs of one shard.
    const SERIAL_BITS: u32 = 48;

    /// A log of a shard, which has counted so many before it.
    #[must_use]
    pub fn new(store: StoreId, shard: u16, serial: u64) -> Self {
        Self { store, number: u64::from(shard) << Self::SERIAL_BITS | serial }
    }

    /// The shard whose log it is.
    #[must_use]
    pub fn shard(self) -> u16 {
        (self.number >> Self::SERIAL_BITS) as u16
    }
}

/// The place of a record in its log, counted from 0. Not an [`Offset`](crate::Offset): a message that no lane had to
/// spill has none, and a message on several shards has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogPosition(pub u64);

/// Whom a record is for, of those that read its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everybody.
    #[default]
    All,
    /// Everybody but these, which are sorted.
    Except(Box<[ClientId]>),
    /// Nobody but these, which are sorted.
    Private(Box<[ClientId]>),
}

impl Audience {
    /// Whether a client is meant.
    #[must_use]
    pub fn includes(&self, client: ClientId) -> bool {
        match self {
            Self::All => true,
            Self::Except(clients) => clients.binary_search(&client).is_err(),
            Self::Private(clients) => clients.binary_search(&client).is_ok(),
        }
    }

    /// How many clients it names.
    #[must_use]
    pub fn names(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Except(clients) | Self::Private(clients) => clients.len(),
        }
    }

    /// Whether it is for everybody, but perhaps for some: what every lane of the log counts, but for those.
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        !matches!(self, Self::Private(_))
    }
}

/// A message as it lies in a log. The topic is the log's.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it lies. Positions of one log grow; some may be missing, which were never written because nobody needed
    /// them any more.
    pub position: LogPosition,
    /// Whom it is for.
    pub audience: Audience,
    /// The message's identity.
    pub id: MessageId,
    /// What it replaces in a lane that coalesces.
    pub key: Option<Key>,
    /// When it was published, in microseconds since the hub's beginning.
    pub published_us: u64,
    /// From when on it is not worth sending, likewise; `None` is never.
    pub expires_us: Option<u64>,
    /// The complete packet.
    pub body: Body,
}

impl Record {
    /// What a record costs on disk beside its text at most: its own header, and a block's where it is alone in one.
    pub const FRAMING_BYTES: u64 = 256;
    /// The largest one there is, in [stored bytes](Record::stored_bytes): a hub refuses what is larger, so a backend never
    /// has to find a place for it.
    pub const MAX_STORED_BYTES: u64 = 2 << 20;
    /// What each client named by an audience, and each attachment, costs at most.
    const PART_BYTES: u64 = 16;

    /// How many bytes it may take on disk, framing and all: what it costs of what was [granted](SpillCompletion::Granted).
    /// A backend needs no more than this for it.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        stored_bytes(self.key.as_ref(), &self.body, self.audience.names())
    }
}

/// The same, for a record that names so many clients.
pub(crate) fn stored_bytes(key: Option<&Key>, body: &Body, named: usize) -> u64 {
    let parts = (named + body.attachments.len()) as u64 * Record::PART_BYTES;
    let key = key.map_or(0, |key| key.len() as u64);
    Record::FRAMING_BYTES + key + parts + body.bytes.len() as u64
}

/// What a hub wants of a store. None of them waits: what becomes of it is heard in a [`SpillCompletion`].
#[derive(Debug)]
pub enum SpillCommand {
    /// Begin a log: make room for it, and grant that.
    Open {
        /// The log.
        log: LogId,
        /// The namespace's path, for people who look into the directory. Never part of a path.
        namespace: Arc<str>,
        /// The topic's name, likewise.
        topic: Arc<str>,
    },
    /// Write these records, in this order. Their stored bytes were granted before.
    Append {
        /// The log.
        log: LogId,
        /// At least one, by growing position, all behind what was appended before.
        records: Vec<Record>,
    },
    /// Read from a position on. Answered by exactly one [`SpillCompletion::Records`], in whatever order.
    Read {
        /// The log.
        log: LogId,
        /// From where on: an appended position, or one before it that was never written.
        from: LogPosition,
        /// About how many bytes of bodies, but one record at least.
        most_bytes: u32,
    },
    /// Nobody will read before this position any more.
    Release {
        /// The log.
        log: LogId,
        /// The first position that is still needed.
        upto: LogPosition,
    },
    /// Nobody will read the log any more.
    Close {
        /// The log.
        log: LogId,
    },
}

impl SpillCommand {
    /// The log it is about.
    #[must_use]
    pub fn log(&self) -> LogId {
        match self {
            Self::Open { log, .. }
            | Self::Append { log, .. }
            | Self::Read { log, .. }
            | Self::Release { log, .. }
            | Self::Close { log } => *log,
        }
    }
}

/// What became of a command, or of the disk.
#[derive(Debug)]
pub enum SpillCompletion {
    /// There is room on disk for so many more bytes of this log, and it is kept for it.
    Granted {
        /// The log.
        log: LogId,
        /// In [stored bytes](Record::stored_bytes).
        bytes: u64,
    },
    /// All records before this position are in the file, and can be read from it.
    Appended {
        /// The log.
        log: LogId,
        /// The position after the last one written.
        upto: LogPosition,
    },
    /// What was read.
    Records {
        /// The log.
        log: LogId,
        /// As it was asked for.
        from: LogPosition,
        /// Where to go on: after the last of these, or of what was lost. Larger than `from` unless nothing was there.
        next: LogPosition,
        /// By growing position. Their bodies may share memory.
        records: Vec<Record>,
        /// What could not be read, by growing position; not overlapping the records.
        lost: Vec<LostRecords>,
    },
    /// How it stands with a log's store has changed.
    Health {
        /// The log.
        log: LogId,
        /// How it stands now.
        health: SpillHealth,
    },
}

impl SpillCompletion {
    /// The log it is about.
    #[must_use]
    pub fn log(&self) -> LogId {
        match self {
            Self::Granted { log, .. }
            | Self::Appended { log, .. }
            | Self::Records { log, .. }
            | Self::Health { log, .. } => *log,
        }
    }
}

/// Records that are damaged, or whose file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRecords {
    /// Which positions.
    pub positions: Range<LogPosition>,
    /// How many records [for everybody](Audience::is_broadcast) there were among them.
    pub messages: u64,
    /// The bytes of their bodies.
    pub bytes: u64,
}

/// How it stands with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpillHealth {
    /// It takes what it has room for.
    Healthy,
    /// There is no room to grant: the disk is full, or the store has all it may have. It is tried again by itself.
    Full,
    /// It writes no more. What is in it can still be read, as far as it can be read.
    Failed,
}

impl SpillHealth {
    /// The name used in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Full => "full",
            Self::Failed => "failed",
        }
    }
}

/// Why there is no place for a message behind those that a lane has on disk. A closed set: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpillRefusal {
    /// The disk is full, or the store has all it may have.
    Full,
    /// The disk is slower than what comes: as much as may wait in memory to be written does.
    Busy,
    /// The client has as much there as it may have.
    ClientQuota,
    /// The topic has.
    TopicQuota,
    /// The store has failed and writes no more.
    Failed,
    /// The message is [larger](Record::MAX_STORED_BYTES) than any that lies there.
    TooLarge,
}

impl SpillRefusal {
    /// All of them, in the order of [`TopicStats::spill_refusals`](crate::TopicStats::spill_refusals).
    pub const ALL: [Self; 6] =
        [Self::Full, Self::Busy, Self::ClientQuota, Self::TopicQuota, Self::Failed, Self::TooLarge];

    /// The name used in logs, labels and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "disk_full",
            Self::Busy => "disk_busy",
            Self::ClientQuota => "client_quota",
            Self::TopicQuota => "topic_quota",
            Self::Failed => "disk_failed",
            Self::TooLarge => "too_large",
        }
    }
}

/// A store, as one shard sees it.
pub trait SpillBackend: Send {
    /// Takes a command.
    ///
    /// # Errors
    /// The command itself, when there are too many under way: offer it again after the next completion. A hub has a
    /// bounded number of them, so a backend with room for that never says so.
    fn submit(&mut self, command: SpillCommand) -> Result<(), SpillCommand>;

    /// The next completion; wakes the context's task when there is one.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SpillCompletion>;

    /// How the whole store stands, whoever uses it: the same from every shard.
    fn stats(&self) -> SpillStats;
}

/// How a store stands, and what it has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpillStats {
    /// How many bytes its files take on disk now, made in advance or written.
    pub bytes: u64,
    /// How many segments it has now.
    pub segments: u64,
    /// How many bytes it has written, framing and all.
    pub written_bytes: u64,
    /// How many reads it has answered.
    pub refills: u64,
    /// Of those, how many without touching a file.
    pub cached_refills: u64,
    /// How often a call to the disk failed.
    pub failures: u64,
    /// How many blocks were found damaged.
    pub damaged_blocks: u64,
    /// How long calls to write took, by [`IO_BUCKETS_S`]; the last counts all that took longer.
    pub write_times: [u64; IO_BUCKETS_S.len() + 1],
    /// How long calls to read took, likewise.
    pub read_times: [u64; IO_BUCKETS_S.len() + 1],
    /// How long all those calls to write took together, in microseconds.
    pub write_us: u64,
    /// How long all those calls to read took together, in microseconds.
    pub read_us: u64,
}

/// Up to how many seconds a call counts in each bucket.
pub const IO_BUCKETS_S: [f64; 8] = [0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0];

//! JSON text that leaves as it is.
//!
//! The library serialises what it emits; a message of the fence has been serialised once for all its receivers.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeStruct, SerializeTuple, Serializer};

/// The arguments of an event, or of an acknowledgement, as JSON text without the brackets: `{"price":1},{"offset":7}`.
///
/// Emitted as `socket.emit("snapshot", &arguments)` it gives `["snapshot",{"price":1},{"offset":7}]`, byte for byte.
#[derive(Clone, Copy, Debug)]
pub struct Verbatim<'a> {
    /// Must be valid JSON between brackets. The attachments' placeholders are in it, numbered from 0.
    pub arguments: &'a str,
    /// What the placeholders stand for. The library copies each.
    pub attachments: &'a [Bytes],
}

impl Serialize for Verbatim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A tuple is what the library spreads over the arguments of an event.
        let mut arguments = serializer.serialize_tuple(1)?;
        arguments.serialize_element(&Text { text: self.arguments, attachments: self.attachments })?;
        arguments.end()
    }
}

struct Text<'a> {
    text: &'a str,
    attachments: &'a [Bytes],
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(RAW_VALUE, 1)?;
        for attachment in self.attachments {
            // The library takes the bytes, then fails to write a placeholder where only raw text is allowed, which is
            // wanted: the placeholder is in the text already.
            let _taken = raw.serialize_field(RAW_VALUE, &Attachment(attachment));
        }
        raw.serialize_field(RAW_VALUE, self.text)?;
        raw.end()
    }
}

struct Attachment<'a>(&'a Bytes);

impl Serialize for Attachment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The name by which serde_json knows text that is JSON already.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

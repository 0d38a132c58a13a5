//! What of a message makes it the same request as before.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use serde_json::value::RawValue;

use super::trace;

/// The text of a message, to be told from that of another. Where its publisher stands in a trace is no part of it: who asks
/// again does so in a span of its own.
pub(super) struct Fingerprint<'a>(pub(super) &'a [u8]);

impl Hash for Fingerprint<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Ok(keys) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(self.0) else {
            // It is no message, and will be answered as such.
            return self.0.hash(state);
        };
        for (key, value) in keys.iter().filter(|(key, _)| !trace::FIELDS.contains(&key.as_str())) {
            (key, value.get()).hash(state);
        }
    }
}

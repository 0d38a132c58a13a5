//! What may be the name of a principal.

/// The most bytes a name may have that stands in every event about a client.
const MAX_BYTES: usize = 128;

/// Whether a name that comes from elsewhere can be a principal's: it goes to logs and to events.
pub(crate) fn is_principal(name: &str) -> bool {
    (1..=MAX_BYTES).contains(&name.len()) && !name.contains(char::is_control)
}

//! What stands inside a block of keys or a list: how the sections of the table of keys make a file together.

use crate::keys::{Key, Kind, Section};

/// What stands inside of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// The keys of these sections.
    Keys(&'static [Section]),
    /// Names of the operator's, each with the keys of these sections.
    Named(&'static [Section]),
    /// A list of blocks with the keys of these sections.
    Blocks(&'static [Section]),
    /// A list of names, or of blocks with the keys of these sections.
    NamesOrBlocks(&'static [Section]),
    /// A list of texts.
    Texts,
}

/// What stands inside of a block or a list; `None` for any other key.
pub(crate) fn inside(key: &Key) -> Option<Inside> {
    if !matches!(key.kind, Kind::Block | Kind::List(_)) {
        return None;
    }
    Some(match (key.section, key.name) {
        (Section::File, "servers") => Inside::Named(&[Section::Server]),
        (Section::File, "admin") => Inside::Keys(&[Section::Admin]),
        (Section::Admin, "keys") => Inside::Named(&[Section::AdminKey]),
        (Section::File, "log") => Inside::Keys(&[Section::Log]),
        (Section::File, "tracing") => Inside::Keys(&[Section::Tracing]),
        (Section::Server, "tls") => Inside::Keys(&[Section::Tls]),
        (Section::Server, "jwt") => Inside::Keys(&[Section::Jwt]),
        (Section::Server, "authHook") => Inside::Keys(&[Section::AuthHook]),
        (Section::Server, "authFailures") => Inside::Keys(&[Section::AuthFailures]),
        (Section::Server, "namespaces") => Inside::Blocks(&[Section::Namespace, Section::Policy]),
        (Section::Server, "allowedOrigins" | "trustedProxies") => Inside::Texts,
        (Section::Server, "handshakesPerIp") => Inside::Keys(&[Section::HandshakeRate]),
        (Section::Server, "inboundRate") => Inside::Keys(&[Section::InboundRate]),
        (Section::InboundRate, "events") => Inside::Keys(&[Section::InboundEvents]),
        (Section::InboundRate, "principals") => Inside::Blocks(&[Section::PrincipalRate]),
        (Section::InboundEvents, _) => Inside::Keys(&[Section::EventRate]),
        (Section::Namespace, "topics") => Inside::NamesOrBlocks(&[Section::Topic, Section::Policy]),
        (Section::Namespace, "slowClient") => Inside::Keys(&[Section::SlowClient]),
        (Section::Policy, "retryBackoff") => Inside::Keys(&[Section::Backoff]),
        (Section::Policy, "spill") => Inside::Keys(&[Section::Spill]),
        (section, name) => unreachable!("`{name}` of {section:?} is a block or a list of nobody knows what"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KEYS;

    #[test]
    fn every_section_stands_in_some_block_or_list_and_every_block_and_list_has_something_in_it() {
        let known: Vec<Inside> = KEYS.iter().filter_map(inside).collect();
        for section in KEYS.iter().map(|key| key.section).filter(|section| *section != Section::File) {
            let holds = |inside: &Inside| match inside {
                Inside::Keys(of) | Inside::Named(of) | Inside::Blocks(of) | Inside::NamesOrBlocks(of) => {
                    of.contains(&section)
                }
                Inside::Texts => false,
            };
            assert!(known.iter().any(holds), "{section:?} stands nowhere");
        }
    }
}

//! The address of the publish and admin API, and who may do what there.

use super::{Listen, Secret};

/// The address of publish API, admin API, metrics and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens: a loopback address or a Unix socket, or any where there are `keys`.
    pub listen: Listen,
    /// Who may do what. Empty where nobody is asked for a key.
    pub keys: Vec<AdminKeySettings>,
}

/// One holder of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminKeySettings {
    /// What it is called in the log.
    pub name: String,
    /// The keys, or `sha256:` and the 64 hexadecimal digits of their digests. Never empty, and none is another holder's.
    pub keys: Vec<Secret>,
    /// What it may do. Never empty.
    pub scopes: Vec<AdminScope>,
    /// Patterns of a namespace and topic where it may publish; `None` is everywhere.
    pub topics: Option<Vec<String>>,
}

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminScope {
    /// Publish.
    Publish,
    /// See what there is.
    Read,
    /// Change it, and see it.
    Admin,
}

//! The keys of the HTTP API, as the file has them.

use streamfence_config::{AdminKeySettings, AdminScope};
use streamfence_http::{KeyHolder, Keys, Scope};

use crate::exit::Failure;

pub(crate) fn keys(settings: &[AdminKeySettings]) -> Result<Keys, Failure> {
    let holders = settings.iter().map(|settings| {
        let scopes = settings.scopes.iter().map(|scope| match scope {
            AdminScope::Publish => Scope::Publish,
            AdminScope::Read => Scope::Read,
            AdminScope::Admin => Scope::Admin,
        });
        let holder = KeyHolder::new(&settings.name, scopes);
        let holder = settings.keys.iter().fold(holder, |holder, key| holder.key(key.expose()));
        match &settings.topics {
            Some(patterns) => holder.topics(patterns),
            None => holder,
        }
    });
    Keys::new(holders).map_err(|why| Failure::Config(format!("admin.keys: {why}")))
}

/// That an address may not be listened to without keys, and what to do about it.
pub(crate) fn missing(what: &str) -> Failure {
    Failure::Config(format!(
        "{what} is not a loopback address, and there are no keys: whoever reaches it could do everything; add keys to the \
         configuration, such as `admin: {{keys: {{backend: {{keys: [\"${{PUBLISH_KEY}}\"], scopes: [publish]}}}}}}`, or \
         listen on 127.0.0.1"
    ))
}

//! Whom the servers believe: the validators that the file asks for, and others in their place when it is read again.

use std::collections::HashMap;

use streamfence_auth::{FailureLimit, LiveValidator, StaticTokens};
use streamfence_config::{AuthSettings, ServerSettings, Settings};
use streamfence_socketio::ServerOptions;

use crate::exit::Failure;

/// The validator of each server, by its name. A server that wants no tokens has one that knows none.
pub(crate) struct Validators(HashMap<String, LiveValidator>);

/// What a reload puts in their place, built before anything changes.
pub(crate) struct Successors(Vec<(LiveValidator, StaticTokens)>);

impl Validators {
    pub(crate) fn new(servers: &[ServerSettings]) -> Result<Self, Failure> {
        let live = |server: &ServerSettings| Ok((server.name.clone(), LiveValidator::new(validator(server)?)));
        Ok(Self(servers.iter().map(live).collect::<Result<_, Failure>>()?))
    }

    pub(crate) fn of(&self, server: &ServerSettings) -> LiveValidator {
        self.0[&server.name].clone()
    }

    /// Builds what another file asks for, where that is not what the old one did. A server that wants no tokens any more
    /// knows those it knew until it is started again.
    pub(crate) fn successors(&self, old: &Settings, new: &Settings) -> Result<Successors, Failure> {
        let mut successors = Vec::new();
        for server in &new.servers {
            let Some(live) = self.0.get(&server.name) else { continue };
            let known = old.server(&server.name).ok().and_then(|old| old.auth.as_ref());
            if let Some(auth) = &server.auth
                && known.is_none_or(|known| &with_sources_of(known.clone(), auth) != known)
            {
                successors.push((live.clone(), validator(server)?));
            }
        }
        Ok(Successors(successors))
    }
}

impl Successors {
    /// Clients whose token is good no more are told so within a few seconds.
    pub(crate) fn take_over(self) {
        for (live, validator) in self.0 {
            live.replace(validator);
        }
    }
}

/// What a server believes from now on, with all else that it says of tokens as it was.
pub(crate) fn with_sources_of(held: AuthSettings, new: &AuthSettings) -> AuthSettings {
    let AuthSettings { static_tokens, jwt, hook, .. } = new.clone();
    AuthSettings { static_tokens, jwt, hook, ..held }
}

/// What of the options of a server is about tokens.
pub(crate) fn options(auth: Option<&AuthSettings>) -> ServerOptions {
    let defaults = ServerOptions::default();
    match auth {
        None => ServerOptions { takes_tokens: false, ..defaults },
        Some(auth) => ServerOptions {
            takes_tokens: true,
            auth_timeout: auth.timeout,
            validation_timeout: auth.timeout,
            token_query: auth.token_query,
            auth_failures: auth.failures.map(|limit| FailureLimit { max: limit.max, window: limit.window }),
            ..defaults
        },
    }
}

fn validator(server: &ServerSettings) -> Result<StaticTokens, Failure> {
    let refused = |why: &str| Failure::Config(format!("server {}: {why}", server.name));
    let Some(auth) = &server.auth else {
        return StaticTokens::new::<&str, &str>([]).map_err(|why| refused(&why.to_string()));
    };
    if auth.jwt.is_some() {
        return Err(refused("jwt is not in this build"));
    }
    if auth.hook.is_some() {
        return Err(refused("authHook is not in this build"));
    }
    let tokens = auth.static_tokens.iter().map(|known| (known.principal.as_str(), known.token.expose()));
    StaticTokens::new(tokens).map_err(|why| refused(&why.to_string()))
}

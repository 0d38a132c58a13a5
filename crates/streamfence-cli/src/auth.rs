//! Whom the servers believe: the validators that the file asks for, and others in their place when it is read again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use streamfence_auth::{
    FailureLimit, HttpHook, HttpHookOptions, JwtAlgorithm, JwtKeyError, JwtKeys, JwtOptions, JwtValidator,
    LiveValidator, StaticTokens, ValidatorChain,
};
use streamfence_config::{AuthSettings, JwtKeySource, JwtSettings, ServerSettings, Settings};
use streamfence_socketio::ServerOptions;

use crate::exit::Failure;

/// The validators of each server, by its name. A server that wants no tokens has some that know none.
pub(crate) struct Validators(HashMap<String, Believed>);

struct Believed {
    live: LiveValidator,
    /// Part of it, where there are signed tokens: its keys are in files that change by themselves.
    jwt: Option<Arc<JwtValidator>>,
    /// What is wrong with the file of its keys, as far as that was said.
    said: Option<String>,
}

/// What a reload puts in their place, made before anything changes.
pub(crate) struct Successors(Vec<(String, Successor)>);

enum Successor {
    Chain(Chain),
    Keys(JwtKeys),
}

struct Chain {
    all: ValidatorChain,
    jwt: Option<Arc<JwtValidator>>,
}

impl Successors {
    /// The servers that are to believe somebody else than before.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &str> {
        let chains = self.0.iter().filter(|(_, successor)| matches!(successor, Successor::Chain(_)));
        chains.map(|(server, _)| server.as_str())
    }
}

impl Validators {
    pub(crate) fn new(servers: &[ServerSettings]) -> Result<Self, Failure> {
        let believed = |server: &ServerSettings| {
            let Chain { all, jwt } = chain(server)?;
            Ok((server.name.clone(), Believed { live: LiveValidator::new(all), jwt, said: None }))
        };
        Ok(Self(servers.iter().map(believed).collect::<Result<_, Failure>>()?))
    }

    pub(crate) fn of(&self, server: &ServerSettings) -> LiveValidator {
        self.0[&server.name].live.clone()
    }

    /// Makes what another file asks for, and reads the keys of signed tokens again.
    pub(crate) fn successors(&self, old: &Settings, new: &Settings) -> Result<Successors, Failure> {
        let mut successors = Vec::new();
        for server in new.servers.iter().filter(|server| self.0.contains_key(&server.name)) {
            let Some(auth) = &server.auth else { continue };
            let known = old.server(&server.name).ok().and_then(|old| old.auth.as_ref());
            let successor = match (known, &auth.jwt) {
                (Some(known), jwt) if has_same_sources(known, auth) => match jwt {
                    Some(jwt) => Successor::Keys(keys(server, jwt)?),
                    None => continue,
                },
                _ => Successor::Chain(chain(server)?),
            };
            successors.push((server.name.clone(), successor));
        }
        Ok(Successors(successors))
    }

    /// From now on the servers believe these; clients whose token is good no more are told so within a few seconds.
    pub(crate) fn replace(&mut self, Successors(successors): Successors) {
        for (server, successor) in successors {
            let Some(believed) = self.0.get_mut(&server) else { continue };
            match successor {
                Successor::Chain(Chain { all, jwt }) => {
                    believed.live.replace(all);
                    believed.jwt = jwt;
                }
                Successor::Keys(keys) => believed.set_keys(&server, keys),
            }
        }
    }

    /// Reads the keys of signed tokens again. Where they are none the old ones hold, and the log has the reason, once.
    pub(crate) fn read_keys(&mut self, settings: &Settings) {
        for server in &settings.servers {
            let Some(jwt) = server.auth.as_ref().and_then(|auth| auth.jwt.as_ref()) else { continue };
            let Some(believed) = self.0.get_mut(&server.name) else { continue };
            match keys(server, jwt) {
                Ok(keys) => {
                    believed.said = None;
                    believed.set_keys(&server.name, keys);
                }
                Err(why) => {
                    let why = why.why().to_owned();
                    if believed.said.as_ref() != Some(&why) {
                        tracing::error!(code = "jwt_keys_refused", "the old keys hold: {why}");
                        believed.said = Some(why);
                    }
                }
            }
        }
    }
}

impl Believed {
    fn set_keys(&self, server: &str, keys: JwtKeys) {
        if self.jwt.as_ref().is_some_and(|jwt| jwt.set_keys(keys)) {
            tracing::info!(code = "jwt_keys_reloaded", server, "tokens are believed by other keys from now on");
        }
    }
}

/// The files of keys, which change by themselves.
pub(crate) fn key_files(settings: &Settings) -> impl Iterator<Item = PathBuf> {
    let jwt = settings.servers.iter().filter_map(|server| server.auth.as_ref()?.jwt.as_ref());
    jwt.filter_map(|jwt| match &jwt.keys {
        JwtKeySource::Secret(_) => None,
        JwtKeySource::File(file) | JwtKeySource::Jwks(file) => Some(file.clone()),
    })
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

fn has_same_sources(known: &AuthSettings, new: &AuthSettings) -> bool {
    (&known.static_tokens, &known.jwt, &known.hook) == (&new.static_tokens, &new.jwt, &new.hook)
}

/// Static tokens, then signed ones, then somebody to ask: what costs least comes first.
fn chain(server: &ServerSettings) -> Result<Chain, Failure> {
    let Some(auth) = &server.auth else { return Ok(Chain { all: ValidatorChain::default(), jwt: None }) };
    let mut all = ValidatorChain::new();
    if !auth.static_tokens.is_empty() {
        let tokens = auth.static_tokens.iter().map(|known| (known.principal.as_str(), known.token.expose()));
        all = all.then(StaticTokens::new(tokens).map_err(|why| refused(server, "staticTokens", &why))?);
    }
    let jwt = auth.jwt.as_ref().map(|jwt| jwt_validator(server, jwt).map(Arc::new)).transpose()?;
    if let Some(jwt) = &jwt {
        all = all.then(Arc::clone(jwt));
    }
    if let Some(hook) = &auth.hook {
        let options = HttpHookOptions {
            url: hook.url.clone(),
            timeout: hook.timeout,
            max_concurrent: hook.max_concurrent,
            cache: hook.cache,
            ca_certificates: hook.ca_certs.clone(),
        };
        all = all.then(HttpHook::new(options).map_err(|why| refused(server, "authHook", &why))?);
    }
    Ok(Chain { all, jwt })
}

fn jwt_validator(server: &ServerSettings, settings: &JwtSettings) -> Result<JwtValidator, Failure> {
    let options = JwtOptions {
        issuers: settings.issuers.clone(),
        audiences: settings.audiences.clone(),
        leeway: settings.leeway,
        require_expiry: settings.require_expiry,
        principal_claim: settings.principal_claim.clone(),
        rules_claim: settings.rules_claim.clone(),
        allow_without_rules: settings.allow_without_rules,
    };
    Ok(JwtValidator::new(keys(server, settings)?, options))
}

fn keys(server: &ServerSettings, settings: &JwtSettings) -> Result<JwtKeys, Failure> {
    let algorithm = match settings.algorithm {
        streamfence_config::JwtAlgorithm::Hs256 => JwtAlgorithm::Hs256,
        streamfence_config::JwtAlgorithm::Rs256 => JwtAlgorithm::Rs256,
        streamfence_config::JwtAlgorithm::Es256 => JwtAlgorithm::Es256,
        streamfence_config::JwtAlgorithm::EdDsa => JwtAlgorithm::EdDsa,
    };
    let (place, keys): (_, Result<JwtKeys, JwtKeyError>) = match &settings.keys {
        JwtKeySource::Secret(secret) => ("jwt.secret".to_owned(), JwtKeys::secret(secret.expose().as_bytes())),
        JwtKeySource::File(file) => (format!("jwt.keyPath {}", file.display()), JwtKeys::read_key(algorithm, file)),
        JwtKeySource::Jwks(file) => (format!("jwt.jwksPath {}", file.display()), JwtKeys::read_jwks(algorithm, file)),
    };
    keys.map_err(|why| refused(server, &place, &why))
}

fn refused(server: &ServerSettings, place: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::Config(format!("server {}: {place}: {why}", server.name))
}

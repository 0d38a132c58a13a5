//! Whom the servers believe: the validators that the file asks for, and others in their place when it is read again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use streamfence_auth::{
    FailureLimit, HookCertificates, HttpHook, HttpHookOptions, JwtAlgorithm, JwtKeyError, JwtKeys, JwtOptions,
    JwtValidator, LiveValidator, StaticTokens, ValidatorChain,
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
    /// The same of somebody to ask: who vouches for it is in a file.
    hook: Option<Arc<HttpHook>>,
    /// What is wrong with the file of the keys, as far as that was said.
    said_of_keys: Option<String>,
    /// What is wrong with the file of certificates.
    said_of_hook: Option<String>,
}

/// What a reload puts in their place, made before anything changes.
pub(crate) struct Successors(Vec<(String, Successor)>);

enum Successor {
    Chain(Chain),
    /// What the files hold that the same ones were made of.
    Files(Option<JwtKeys>, Option<HookCertificates>),
}

struct Chain {
    all: ValidatorChain,
    jwt: Option<Arc<JwtValidator>>,
    hook: Option<Arc<HttpHook>>,
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
            let Chain { all, jwt, hook } = chain(server)?;
            let live = LiveValidator::new(all);
            Ok((server.name.clone(), Believed { live, jwt, hook, said_of_keys: None, said_of_hook: None }))
        };
        Ok(Self(servers.iter().map(believed).collect::<Result<_, Failure>>()?))
    }

    pub(crate) fn of(&self, server: &ServerSettings) -> LiveValidator {
        self.0[&server.name].live.clone()
    }

    /// Makes what another file asks for, and reads the keys of signed tokens and the certificates of hooks again.
    pub(crate) fn successors(&self, old: &Settings, new: &Settings) -> Result<Successors, Failure> {
        let mut successors = Vec::new();
        for server in new.servers.iter().filter(|server| self.0.contains_key(&server.name)) {
            let Some(auth) = &server.auth else { continue };
            let known = old.server(&server.name).ok().and_then(|old| old.auth.as_ref());
            let successor = if known.is_some_and(|known| has_same_sources(known, auth)) {
                let keys = auth.jwt.as_ref().map(|jwt| keys(server, jwt)).transpose()?;
                Successor::Files(keys, self.0[&server.name].certificates(server)?)
            } else {
                Successor::Chain(chain(server)?)
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
                Successor::Chain(Chain { all, jwt, hook }) => {
                    believed.live.replace(all);
                    (believed.jwt, believed.hook) = (jwt, hook);
                }
                Successor::Files(keys, certificates) => {
                    believed.set_keys(&server, keys);
                    believed.set_certificates(&server, certificates);
                }
            }
        }
    }

    /// Reads the keys of signed tokens, and the certificates that vouch for hooks, again. Where they are none the old ones
    /// hold, and the log has the reason, once.
    pub(crate) fn read_files(&mut self, settings: &Settings) {
        for server in &settings.servers {
            let (Some(auth), Some(believed)) = (&server.auth, self.0.get_mut(&server.name)) else { continue };
            match auth.jwt.as_ref().map(|jwt| keys(server, jwt)).transpose() {
                Ok(keys) => {
                    believed.said_of_keys = None;
                    believed.set_keys(&server.name, keys);
                }
                Err(why) if is_news(&mut believed.said_of_keys, &why) => {
                    tracing::error!(code = "jwt_keys_refused", "the old keys hold: {}", why.why());
                }
                Err(_) => {}
            }
            match believed.certificates(server) {
                Ok(certificates) => {
                    believed.said_of_hook = None;
                    believed.set_certificates(&server.name, certificates);
                }
                Err(why) if is_news(&mut believed.said_of_hook, &why) => {
                    tracing::error!(code = "hook_certificates_refused", "the old certificates hold: {}", why.why());
                }
                Err(_) => {}
            }
        }
    }
}

/// Whether that was not the last thing said.
fn is_news(said: &mut Option<String>, why: &Failure) -> bool {
    let is_news = said.as_deref() != Some(why.why());
    *said = Some(why.why().to_owned());
    is_news
}

impl Believed {
    /// What the file of the hook holds now.
    fn certificates(&self, server: &ServerSettings) -> Result<Option<HookCertificates>, Failure> {
        let read = self.hook.as_ref().map(|hook| hook.read_certificates()).transpose();
        Ok(read.map_err(|why| refused(server, "authHook", &why))?.flatten())
    }

    fn set_keys(&self, server: &str, keys: Option<JwtKeys>) {
        let (Some(jwt), Some(keys)) = (&self.jwt, keys) else { return };
        if jwt.set_keys(keys) {
            tracing::info!(code = "jwt_keys_reloaded", server, "tokens are believed by other keys from now on");
        }
    }

    fn set_certificates(&self, server: &str, certificates: Option<HookCertificates>) {
        let (Some(hook), Some(certificates)) = (&self.hook, certificates) else { return };
        if hook.set_certificates(certificates) {
            let what = "others vouch for the authorisation hook from now on";
            tracing::info!(code = "hook_certificates_reloaded", server, "{what}");
        }
    }
}

/// The files of keys, and of who vouches for hooks, which change by themselves.
pub(crate) fn token_files(settings: &Settings) -> impl Iterator<Item = PathBuf> {
    let keys = |jwt: &JwtSettings| match &jwt.keys {
        JwtKeySource::Secret(_) => None,
        JwtKeySource::File(file) | JwtKeySource::Jwks(file) => Some(file.clone()),
    };
    settings.servers.iter().filter_map(|server| server.auth.as_ref()).flat_map(move |auth| {
        let certificates = auth.hook.as_ref().and_then(|hook| hook.ca_certs.clone());
        auth.jwt.as_ref().and_then(keys).into_iter().chain(certificates)
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
            auth_alarm: auth.alarm_per_minute,
            ..defaults
        },
    }
}

fn has_same_sources(known: &AuthSettings, new: &AuthSettings) -> bool {
    (&known.static_tokens, &known.jwt, &known.hook) == (&new.static_tokens, &new.jwt, &new.hook)
}

/// Static tokens, then signed ones, then somebody to ask: what costs least comes first.
fn chain(server: &ServerSettings) -> Result<Chain, Failure> {
    let Some(auth) = &server.auth else { return Ok(Chain { all: ValidatorChain::default(), jwt: None, hook: None }) };
    let mut all = ValidatorChain::new();
    if !auth.static_tokens.is_empty() {
        let tokens = auth.static_tokens.iter().map(|known| (known.principal.as_str(), known.token.expose()));
        all = all.then(StaticTokens::new(tokens).map_err(|why| refused(server, "staticTokens", &why))?);
    }
    let jwt = auth.jwt.as_ref().map(|jwt| jwt_validator(server, jwt).map(Arc::new)).transpose()?;
    if let Some(jwt) = &jwt {
        all = all.then(Arc::clone(jwt));
    }
    let mut asked = None;
    if let Some(hook) = &auth.hook {
        let options = HttpHookOptions {
            url: hook.url.clone(),
            timeout: hook.timeout,
            max_concurrent: hook.max_concurrent,
            cache: hook.cache,
            recheck: hook.recheck,
            ca_certificates: hook.ca_certs.clone(),
        };
        let hook = Arc::new(HttpHook::new(options).map_err(|why| refused(server, "authHook", &why))?);
        all = all.then(Arc::clone(&hook));
        asked = Some(hook);
    }
    Ok(Chain { all, jwt, hook: asked })
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

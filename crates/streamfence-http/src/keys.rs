//! Who may do what over HTTP: keys that have names, what each is for, and others in their place while it runs.
//!
//! Kept are digests alone, and a key is compared with all of them in a time that says nothing. No key is ever shown.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::{ConnectInfo, FromRequest as _, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use streamfence_auth::{Glob, StaticTokenError, StaticTokens, Token};
use tokio::sync::watch;

use crate::problem::{Code, Problem, unread};
use crate::rejected::Rejected;

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Publish.
    Publish,
    /// See what there is: the numbers, the clients, the events.
    Read,
    /// Change it, and see it.
    Admin,
}

impl Scope {
    /// Its name, as a configuration and an error have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    fn includes(self, wanted: Self) -> bool {
        self == wanted || (self, wanted) == (Self::Admin, Self::Read)
    }
}

/// Somebody with keys, and what they are for.
///
/// ```
/// use streamfence_http::{KeyHolder, Keys, Scope};
///
/// let backend = KeyHolder::new("backend", [Scope::Publish]).key("a-long-secret").topics(["/feed/*"]);
/// let keys = Keys::new([backend])?;
/// assert!(!keys.is_empty());
/// assert!(!format!("{keys:?}").contains("a-long-secret"));
/// # Ok::<(), streamfence_http::KeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyHolder {
    name: Arc<str>,
    keys: Vec<Token>,
    scopes: Vec<Scope>,
    topics: Option<Vec<Glob>>,
}

impl KeyHolder {
    /// Somebody who may do this, once there is a key.
    #[must_use]
    pub fn new(name: &str, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { name: name.into(), keys: Vec::new(), scopes: scopes.into_iter().collect(), topics: None }
    }

    /// One key more: the text of it, or `sha256:` and the 64 hexadecimal digits of its digest. Several let one take the
    /// place of another at leisure.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.keys.push(Token::from(key));
        self
    }

    /// Publishes only to topics of one of these patterns of `namespace/topic`, in which `*` stands for any characters.
    #[must_use]
    pub fn topics<T: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.topics = Some(patterns.into_iter().map(|pattern| Glob::new(pattern.as_ref())).collect());
        self
    }

    fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|has| has.includes(scope))
    }
}

/// The keys that open an [API](crate::Api). Clones are the same ones: what [`adopt`](Self::adopt) changes holds for all.
///
/// Without any, nobody is asked for one.
#[derive(Clone)]
pub struct Keys(Arc<Held>);

struct Held {
    ring: ArcSwap<Ring>,
    /// Tells those who stay that there are others.
    changes: watch::Sender<()>,
    rejected: Rejected,
}

struct Ring {
    tokens: StaticTokens,
    holders: HashMap<Arc<str>, Arc<KeyHolder>>,
}

/// What is wrong with keys. It names their holders and never a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// What follows `sha256:` is no digest.
    #[error("a key of {holder:?} is not a digest; wanted `sha256:` and 64 hexadecimal digits")]
    NotADigest {
        /// Whose it is.
        holder: Arc<str>,
    },
    /// A key that everybody knows.
    #[error("a key of {holder:?} is empty; wanted a text")]
    Empty {
        /// Whose it is.
        holder: Arc<str>,
    },
    /// Nobody could say whose it is.
    #[error("a key of {second:?} is {first:?}'s too; wanted one of its own")]
    Shared {
        /// Who had it first.
        first: Arc<str>,
        /// Who has it as well.
        second: Arc<str>,
    },
    /// It may do what two things say.
    #[error("there are two holders of keys by the name {name:?}; wanted each once, with several keys")]
    Twice {
        /// The name.
        name: Arc<str>,
    },
    /// It holds nothing.
    #[error("{holder:?} has no key; wanted at least one")]
    None {
        /// Whose it would be.
        holder: Arc<str>,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

impl Keys {
    /// The keys of these holders.
    ///
    /// # Errors
    /// A key is empty, is no digest where it says it is one, or is there twice; a holder is there twice, or has none.
    pub fn new(holders: impl IntoIterator<Item = KeyHolder>) -> Result<Self, KeyError> {
        let mut known = HashMap::new();
        let mut tokens = Vec::new();
        for holder in holders {
            if holder.keys.is_empty() {
                return Err(KeyError::None { holder: holder.name });
            }
            tokens.extend(holder.keys.iter().map(|key| (holder.name.clone(), key.clone())));
            if let Some(other) = known.insert(holder.name.clone(), Arc::new(holder)) {
                return Err(KeyError::Twice { name: other.name.clone() });
            }
        }
        let tokens = StaticTokens::new(tokens.iter().map(|(name, key)| (name.clone(), key.expose())));
        let tokens = tokens.map_err(|why| match why {
            StaticTokenError::NotADigest { principal } => KeyError::NotADigest { holder: principal },
            StaticTokenError::Empty { principal } => KeyError::Empty { holder: principal },
            StaticTokenError::Shared { first, second } => KeyError::Shared { first, second },
            other => KeyError::Other(other.to_string()),
        })?;
        let ring = ArcSwap::from_pointee(Ring { tokens, holders: known });
        Ok(Self(Arc::new(Held { ring, changes: watch::Sender::new(()), rejected: Rejected::default() })))
    }

    /// No keys: nobody is asked for one.
    #[must_use]
    pub fn none() -> Self {
        Self::new([]).expect("nothing is wrong with no keys")
    }

    /// Goes by other keys from now on: the next request is asked for one of those, and what lasts under a key that is gone
    /// ends.
    pub fn adopt(&self, others: &Self) {
        self.0.ring.store(others.0.ring.load_full());
        self.0.changes.send_replace(());
    }

    /// Whether there are none, so that nobody is asked for one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.ring.load().holders.is_empty()
    }

    /// Lets somebody in who may do this.
    fn admit(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
        if self.is_empty() {
            return Ok(Caller::unasked(self));
        }
        let token = bearer(headers).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "there is no key; wanted the header `Authorization: Bearer KEY`")
        })?;
        let caller = Caller { keys: self.clone(), token: Some(token), holder: None };
        caller.renewed(scope)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.0.ring.load();
        let mut names: Vec<_> = ring.holders.keys().collect();
        names.sort_unstable();
        f.debug_struct("Keys").field("holders", &names).finish()
    }
}

/// The key that a request shows, if it shows any.
fn bearer(headers: &HeaderMap) -> Option<Token> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then(|| Token::from(key))
}

/// Who makes a request, as far as anybody asked. Handlers of routes that need a key find it among the extensions.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    keys: Keys,
    token: Option<Token>,
    /// `None` where nobody is asked for a key.
    holder: Option<Arc<KeyHolder>>,
}

impl Caller {
    /// Somebody who was asked for no key.
    pub(crate) fn unasked(keys: &Keys) -> Self {
        Self { keys: keys.clone(), token: None, holder: None }
    }

    /// What it is called, for the log and for what is kept of it; nothing where nobody is asked.
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        self.holder.as_ref().map(|holder| &holder.name)
    }

    /// The same caller, if its key may still do this: for requests that outlive a reload.
    pub(crate) fn renewed(&self, scope: Scope) -> Result<Self, Problem> {
        let ring = self.keys.0.ring.load();
        if ring.holders.is_empty() {
            return Ok(Self { holder: None, ..self.clone() });
        }
        let name = self.token.as_ref().and_then(|token| ring.tokens.holder(token));
        let holder = name.and_then(|name| ring.holders.get(&name)).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "the key is none of those known; wanted one of `admin.keys`")
        })?;
        if !holder.may(scope) {
            let (name, scope) = (&holder.name, scope.as_str());
            let detail = format!("the key of {name:?} is not for this; wanted one with the scope `{scope}`");
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(Self { holder: Some(holder.clone()), ..self.clone() })
    }

    /// Waits until its key may do this no more, and says why.
    pub(crate) async fn revoked(&self, scope: Scope) -> Problem {
        let mut changes = self.keys.0.changes.subscribe();
        loop {
            if let Err(problem) = self.renewed(scope) {
                return problem;
            }
            if changes.changed().await.is_err() {
                // Nobody can change them any more; and `self` has them, so that this cannot be.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether it may publish there.
    pub(crate) fn refuse_foreign(&self, namespace: &str, topic: &str) -> Result<(), Problem> {
        let Some(holder) = &self.holder else { return Ok(()) };
        let Some(patterns) = &holder.topics else { return Ok(()) };
        let place = format!("{namespace}/{topic}");
        if patterns.iter().any(|pattern| pattern.matches(&place)) {
            return Ok(());
        }
        let name = &holder.name;
        let detail = format!("the key of {name:?} is not for {place:?}; wanted a topic of {patterns:?}");
        Err(Problem::new(Code::Forbidden, detail))
    }
}

/// What stands before a route that needs a key.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) keys: Keys,
    pub(crate) scope: Scope,
    /// Whether the body is to be there, whole, before anything is done.
    pub(crate) reads_body: bool,
    /// How many bytes of it the route takes.
    pub(crate) limit: usize,
}

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Lets only those in who may, and before anything of a body is read. A body takes its time: a key that has gone meanwhile
/// opens nothing.
pub(crate) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.let_in(request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    /// The request with its caller, and with its body if that is to be there.
    async fn let_in(&self, mut request: Request) -> Result<Request, Problem> {
        let admitted = self.keys.admit(request.headers(), self.scope);
        if admitted.as_ref().is_err_and(|problem| problem.code() == Code::Unauthorized.as_str())
            && bearer(request.headers()).is_some()
        {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            self.keys.0.rejected.count(peer.map(|ConnectInfo(peer)| peer.ip()));
        }
        let mut caller = admitted?;
        if self.reads_body && !request.body().is_end_stream() {
            request = whole(request, self.limit).await?;
            caller = caller.renewed(self.scope)?;
        }
        request.extensions_mut().insert(caller);
        Ok(request)
    }
}

/// The same request once all of it is there.
async fn whole(request: Request, limit: usize) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let announced = body.size_hint().exact();
    // What limits a body stands beside it.
    let mut reading = Request::new(body);
    reading.extensions_mut().clone_from(&parts.extensions);
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(reading, &())).await.map_err(|_elapsed| {
        let detail = format!("the body was not there within {} seconds; nothing was done", BODY_TIMEOUT.as_secs());
        Problem::new(Code::RequestTimeout, detail)
    })?;
    let body = body.map_err(|why| match unread(&why) {
        problem if problem.code() == Code::PayloadTooLarge.as_str() => {
            let found = announced.map_or_else(|| format!("more than {limit}"), |bytes| bytes.to_string());
            Problem::new(Code::PayloadTooLarge, format!("the body has {found} bytes; wanted at most {limit}"))
        }
        problem => problem,
    })?;
    Ok(Request::from_parts(parts, body.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"; // of `test`

    fn ask(keys: &Keys, authorization: &str, scope: Scope) -> Result<Caller, &'static str> {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(header::AUTHORIZATION, authorization.parse().expect("it is a header"));
        }
        keys.admit(&headers, scope).map_err(|problem| problem.code())
    }

    fn keys() -> Keys {
        Keys::new([
            KeyHolder::new("backend", [Scope::Publish]).key("first").key("new").topics(["/feed/*", "/chat/room-7"]),
            KeyHolder::new("ops", [Scope::Admin]).key(DIGEST),
            KeyHolder::new("eyes", [Scope::Read]).key("look"),
        ])
        .expect("nothing is wrong with them")
    }

    #[test]
    fn a_key_opens_what_its_scopes_say() {
        let keys = keys();
        let table = [
            ("Bearer first", Scope::Publish, Ok("backend")),
            ("bearer  new ", Scope::Publish, Ok("backend")),
            ("Bearer new", Scope::Read, Err("FORBIDDEN")),
            ("Bearer new", Scope::Admin, Err("FORBIDDEN")),
            ("Bearer test", Scope::Admin, Ok("ops")),
            ("Bearer test", Scope::Read, Ok("ops")),
            ("Bearer test", Scope::Publish, Err("FORBIDDEN")),
            ("Bearer look", Scope::Read, Ok("eyes")),
            ("Bearer look", Scope::Admin, Err("FORBIDDEN")),
            (DIGEST, Scope::Admin, Err("UNAUTHORIZED")),
            ("Bearer wrong", Scope::Read, Err("UNAUTHORIZED")),
            ("Basic look", Scope::Read, Err("UNAUTHORIZED")),
            ("Bearer", Scope::Read, Err("UNAUTHORIZED")),
            ("Bearer  ", Scope::Read, Err("UNAUTHORIZED")),
            ("", Scope::Read, Err("UNAUTHORIZED")),
        ];
        for (authorization, scope, expected) in table {
            let found = ask(&keys, authorization, scope);
            let found = found.as_ref().map(|caller| &**caller.name().expect("it was asked")).map_err(|code| *code);
            assert_eq!(found, expected, "{authorization} {scope:?}");
        }
        let nobody = ask(&Keys::none(), "", Scope::Admin).expect("nobody is asked");
        assert_eq!(nobody.name(), None);
    }

    #[test]
    fn a_key_may_be_for_some_topics_alone() {
        let caller = ask(&keys(), "Bearer new", Scope::Publish).expect("it may");
        for (namespace, topic, may) in [
            ("/feed", "tick", true),
            ("/feed", "a/b", true),
            ("/feeds", "tick", false),
            ("/chat", "room-7", true),
            ("/chat", "room-77", false),
            ("", "feed/tick", true),
        ] {
            assert_eq!(caller.refuse_foreign(namespace, topic).is_ok(), may, "{namespace} {topic}");
        }
    }

    #[test]
    fn others_in_their_place_hold_at_once_and_for_who_is_in_already() {
        let keys = keys();
        let caller = ask(&keys, "Bearer first", Scope::Publish).expect("it may");
        assert!(caller.renewed(Scope::Publish).is_ok());
        keys.adopt(&Keys::new([KeyHolder::new("backend", [Scope::Publish]).key("new")]).expect("they are sound"));
        assert_eq!(caller.renewed(Scope::Publish).map_err(|problem| problem.code()).err(), Some("UNAUTHORIZED"));
        assert_eq!(ask(&keys, "Bearer first", Scope::Publish).err(), Some("UNAUTHORIZED"));
        assert!(ask(&keys, "Bearer new", Scope::Publish).is_ok());
        keys.adopt(&Keys::none());
        assert!(keys.is_empty() && caller.renewed(Scope::Admin).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_without_a_key() {
        let refused = |holders: Vec<KeyHolder>| Keys::new(holders).expect_err("they are wrong").to_string();
        let one = |key: &str| KeyHolder::new("a", [Scope::Read]).key(key);
        assert_eq!(refused(vec![one("")]), "a key of \"a\" is empty; wanted a text");
        let digest = "a key of \"a\" is not a digest; wanted `sha256:` and 64 hexadecimal digits";
        assert_eq!(refused(vec![one("sha256:12")]), digest);
        let both = vec![one("test"), KeyHolder::new("b", [Scope::Read]).key(DIGEST)];
        assert_eq!(refused(both), "a key of \"b\" is \"a\"'s too; wanted one of its own");
        let twice = "there are two holders of keys by the name \"a\"; wanted each once, with several keys";
        assert_eq!(refused(vec![one("x"), one("y")]), twice);
        assert_eq!(refused(vec![KeyHolder::new("a", [])]), "\"a\" has no key; wanted at least one");
    }

    #[test]
    fn names_are_shown_and_keys_are_not() {
        let keys = keys();
        let caller = ask(&keys, "Bearer first", Scope::Publish).expect("it may");
        let shown = format!(
            "{keys:?} {caller:?} {:?}",
            Guard { keys: keys.clone(), scope: Scope::Read, reads_body: true, limit: 1 }
        );
        assert!(shown.contains("backend") && shown.contains("Token(..)"), "{shown}");
        assert!(!shown.contains("first") && !shown.contains("look") && !shown.contains("9f86d"), "{shown}");
    }
}

//! What an application may forbid: a client's coming in, its subscriptions, its publishes, and any broadcast.

use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use streamfence_core::ClientId;

use crate::payload::Payload;

/// Says no. All methods allow by default.
///
/// They are called where the wish is heard: those of clients inside the reader of the connection, which reads no further
/// meanwhile, and those of publishers in the call that publishes. So they must be quick and must not block; what has to
/// ask somebody first belongs into the connect middleware of the application, or into a validator of tokens, which may
/// wait. A hook that panics has said no, which the log tells (`hook_panicked`).
///
/// Several are asked in the order they were given, and the first no stands. One may stand around another: it implements
/// this for itself, and passes on what it likes.
///
/// ```
/// use streamfence_runtime::{Asking, Fence, Hooks, Namespace, Payload, Veto};
///
/// struct House;
/// impl Hooks for House {
///     fn on_subscribe(&self, asking: &Asking<'_>) -> Result<(), Veto> {
///         match (asking.topic, asking.principal) {
///             (Some("staff"), None) => Err(Veto::new("staff only")),
///             _ => Ok(()),
///         }
///     }
///     fn on_broadcast(&self, _: &str, topic: &str, payload: &Payload) -> Result<(), Veto> {
///         if topic == "staff" && payload.size_bytes() > 10 { Err(Veto::new("be brief")) } else { Ok(()) }
///     }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let fence = Fence::builder().namespace(Namespace::new("/feed").topic("staff")).hooks(House).build()?;
/// let long = Payload::serialize("much too long")?;
/// let refused = fence.publish("/feed", "staff", long).await.unwrap_err();
/// assert_eq!(refused.to_string(), "vetoed: be brief");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[expect(unused_variables, reason = "the names are the documentation of methods that allow everything by default")]
pub trait Hooks: Send + Sync + 'static {
    /// A client wants to enter a namespace; the application's own middleware has let it in.
    fn on_connect(&self, asking: &Asking<'_>) -> Result<(), Veto> {
        Ok(())
    }

    /// A client wants to subscribe to a topic that there is.
    fn on_subscribe(&self, asking: &Asking<'_>) -> Result<(), Veto> {
        Ok(())
    }

    /// A client wants to publish, before a handler or the relay sees it.
    fn on_publish(&self, asking: &Asking<'_>, payload: &Payload) -> Result<(), Veto> {
        Ok(())
    }

    /// A message is about to be sent to whoever it is for, whoever published it: the application, a client by a relay, or
    /// a dead letter that is tried again.
    fn on_broadcast(&self, namespace: &str, topic: &str, payload: &Payload) -> Result<(), Veto> {
        Ok(())
    }
}

/// Who wants something, and where.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asking<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The topic, where it is about one.
    pub topic: Option<&'a str>,
    /// The client, once it has a name.
    pub client: Option<ClientId>,
    /// Who it is, where that is known.
    pub principal: Option<&'a str>,
    /// Where it is, where that is known: behind trusted proxies, too.
    pub address: Option<IpAddr>,
}

impl<'a> Asking<'a> {
    /// Somebody unknown, in a namespace.
    #[must_use]
    pub fn new(namespace: &'a str) -> Self {
        Self { namespace, topic: None, client: None, principal: None, address: None }
    }
}

/// A no, and why: whoever wished for it may read that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veto(Arc<str>);

impl Veto {
    /// A no for this reason.
    #[must_use]
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self(reason.into())
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Veto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the hooks of a fence answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vetoed {
    /// What they said.
    pub veto: Veto,
    /// Whether one panicked instead of saying it.
    pub has_panicked: bool,
}

/// The hooks of a fence, in the order they are asked.
#[derive(Default)]
pub(crate) struct HookChain(Vec<Arc<dyn Hooks>>);

impl HookChain {
    pub(crate) fn new(hooks: Vec<Arc<dyn Hooks>>) -> Self {
        Self(hooks)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks each, until one says no.
    pub(crate) fn ask(&self, question: impl Fn(&dyn Hooks) -> Result<(), Veto>) -> Result<(), Vetoed> {
        for hooks in &self.0 {
            match catch_unwind(AssertUnwindSafe(|| question(&**hooks))) {
                Ok(Ok(())) => {}
                Ok(Err(veto)) => return Err(Vetoed { veto, has_panicked: false }),
                Err(_panic) => {
                    tracing::error!(code = "hook_panicked", "a hook panicked, which counts as a no");
                    return Err(Vetoed { veto: Veto::new("a hook failed"), has_panicked: true });
                }
            }
        }
        Ok(())
    }
}

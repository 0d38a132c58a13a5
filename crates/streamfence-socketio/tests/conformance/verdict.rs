//! Whether a behaviour holds on a target, and whether that was to be expected.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::target::{Kind, Target};

/// Makes each behaviour a test on each target, beside the behaviours of a chapter.
///
/// `name fails on KINDS: "words", because "reason";` says that it must not hold there, and what its panic says. Behaviours
/// after `ours:` are of the fence, which the library alone does not have.
macro_rules! behaviours {
    (on $($target:ident $kind:ident),+: $behaviours:tt) => {
        $(behaviours!(@target $target $kind $behaviours);)+
    };
    (@target $target:ident $kind:ident {
        $($name:ident $(fails on $kinds:ident: $words:literal, because $why:literal)?;)+
    }) => {
        mod $target {
            $(
                #[test]
                fn $name() {
                    let known: &[$crate::verdict::Known] = &[$($crate::verdict::Known {
                        on: $crate::verdict::$kinds,
                        words: $words,
                        why: $why,
                    })?];
                    $crate::verdict::check($crate::target::Kind::$kind, known, super::$name);
                }
            )+
        }
    };
    (ours: $($behaviours:tt)+) => {
        behaviours!(on layer Layer, server Server, emitted Emitted, fenced Fenced: { $($behaviours)+ });
    };
    ($($behaviours:tt)+) => {
        behaviours!(on stock Stock, layer Layer, server Server, emitted Emitted, fenced Fenced: { $($behaviours)+ });
    };
}

/// A behaviour that is known not to hold somewhere.
pub(crate) struct Known {
    pub(crate) on: &'static [Kind],
    /// What it fails with there: failing otherwise is a failure of the test.
    pub(crate) words: &'static str,
    pub(crate) why: &'static str,
}

/// The library, and not us.
pub(crate) const STOCK: &[Kind] = &[Kind::Stock];
/// The library and the application's own namespaces, of which the fence hears nothing.
pub(crate) const UNFENCED: &[Kind] = &[Kind::Stock, Kind::Layer, Kind::Server, Kind::Emitted];
/// The library, and us because of it.
pub(crate) const EVERYWHERE: &[Kind] = &[Kind::Stock, Kind::Layer, Kind::Server, Kind::Emitted, Kind::Fenced];

/// Runs a behaviour on a target of its own.
pub(crate) fn check(kind: Kind, known: &[Known], behaviour: impl AsyncFnOnce(&Target)) {
    let run = || runtime().block_on(in_time(async { behaviour(&Target::start(kind).await).await }));
    let known = known.iter().find(|known| known.on.contains(&kind));
    match (catch_unwind(AssertUnwindSafe(run)), known) {
        (Ok(()), None) => {}
        (Ok(()), Some(Known { why, .. })) => {
            panic!("this holds on {kind:?} although {why}: the expectation may go");
        }
        (Err(panic), Some(Known { words, .. })) if message(&*panic).contains(words) => {}
        (Err(panic), _) => resume_unwind(panic),
    }
}

/// One thread: there the library has dealt with a CONNECT, in a task of its own, when it hears the packet after it. On
/// several it may ignore one that comes right after a refusal, since it has not yet forgotten the one before.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

pub(crate) async fn in_time<T>(done: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, done).await.expect("what is waited for comes in time")
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

/// Long enough for any machine; whatever a server answers, it answers in milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

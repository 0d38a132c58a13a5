//! Options that may change while they hold.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::ServerOptions;

/// The options of a server that runs. Clones share them; what a reload changes holds from the next look on, so whoever
/// needs two of them to belong together looks once.
#[derive(Clone, Debug)]
pub(crate) struct LiveOptions(Arc<ArcSwap<ServerOptions>>);

impl LiveOptions {
    pub(crate) fn new(options: ServerOptions) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(options)))
    }

    /// What holds now. Not to be kept over an await: `Arc::clone` it for that.
    pub(crate) fn now(&self) -> Guard<Arc<ServerOptions>> {
        self.0.load()
    }
}

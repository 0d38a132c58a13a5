//! Options that may change while they hold.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::ServerOptions;

/// The options of a server that runs. Clones share them; what a reload changes holds from the next look on, so whoever
/// needs two of them to belong together looks once.
#[derive(Clone, Debug)]
pub(crate) struct LiveOptions {
    now: Arc<ArcSwap<ServerOptions>>,
    /// What the Socket.IO library was built with: some limits of it stay as long as it does.
    built: Arc<ServerOptions>,
}

impl LiveOptions {
    pub(crate) fn new(options: ServerOptions) -> Self {
        let built = Arc::new(options);
        Self { now: Arc::new(ArcSwap::new(Arc::clone(&built))), built }
    }

    /// What holds now. Not to be kept over an await: `Arc::clone` it for that.
    pub(crate) fn now(&self) -> Guard<Arc<ServerOptions>> {
        self.now.load()
    }

    /// What held when the server was built.
    pub(crate) fn built(&self) -> &ServerOptions {
        &self.built
    }

    /// Lets all of these hold from now on.
    pub(crate) fn set(&self, options: ServerOptions) {
        self.now.store(Arc::new(options));
    }
}

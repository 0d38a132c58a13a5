//! How a fence is made.

use std::sync::Arc;

use streamfence_core::{Catalog, CatalogBuilder, CatalogError, Namespace, Observer, SpillBackend, StoreId};

use crate::fence::Fence;
use crate::fence::start::FenceParts;
use crate::hooks::Hooks;
use crate::listener::Listener;
use crate::spill_pump::{Charge, OpenSpill};
use crate::tracer::Tracer;

/// Gathers what a fence needs. Made by [`Fence::builder`].
#[derive(Default)]
pub struct FenceBuilder {
    catalog: CatalogBuilder,
    ready_made: Option<Arc<Catalog>>,
    observers: Vec<Arc<dyn Observer>>,
    listeners: Vec<Arc<dyn Listener>>,
    shards: Option<usize>,
    memory_budget: Option<u64>,
    stores: Vec<(StoreId, OpenSpill)>,
    hooks: Vec<Arc<dyn Hooks>>,
    tracer: Option<Arc<dyn Tracer>>,
}

impl FenceBuilder {
    pub(crate) fn with_catalog(catalog: Arc<Catalog>) -> Self {
        Self { ready_made: Some(catalog), ..Self::default() }
    }

    /// Adds a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.catalog = self.catalog.namespace(namespace);
        self
    }

    /// Adds someone who is told numbers and events at once, on the shards: it must be quick and must not block.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Adds someone who hears of events, on a task of its own.
    #[must_use]
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Adds somebody who may say no; those that were added before are asked first.
    #[must_use]
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks.push(Arc::new(hooks));
        self
    }

    /// Has somebody record the ways of messages. The last one set counts.
    ///
    /// Without one, what a publisher says of a trace is passed on to clients as it is.
    #[must_use]
    pub fn tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.tracer = Some(tracer);
        self
    }

    /// How many shards there are, at least 1. Default: one per core.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// How many bytes messages may take, over all lanes and clients. Default: as many as the lanes hold.
    ///
    /// Each message counts once, from its publish until nobody holds it any more, with 256 bytes for what lies around it;
    /// each entry of a lane counts 48 bytes. What connections and sessions take is not in it.
    ///
    /// At the budget, lanes that refuse what is new (`REJECT_NEW`) and at-least-once lanes refuse it; lanes that let older
    /// messages give way shed theirs, those first that cost the most, down to nine tenths of the budget. Nobody waits.
    #[must_use]
    pub fn memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = Some(bytes);
        self
    }

    /// Gives the fence a store that topics [spill](streamfence_core::Overflow::Spill) to: the one that their
    /// [`SpillRules`](streamfence_core::SpillRules) name.
    ///
    /// `open` is called once for each shard, from 0 on. What it is given counts memory: what a store reads back from disk
    /// it hands out as slices of what that returned, so that it counts among what messages may take; `None` where there is
    /// no [budget](FenceBuilder::memory_budget). The store itself belongs to whoever opened it, and must be there as long as
    /// the fence has not [shut down](Fence::shutdown).
    #[must_use]
    pub fn spill<F>(mut self, store: StoreId, open: F) -> Self
    where
        F: Fn(u16, Option<Charge>) -> Box<dyn SpillBackend> + Send + Sync + 'static,
    {
        self.stores.push((store, Box::new(open)));
        self
    }

    /// Checks everything and starts the shards.
    ///
    /// # Errors
    /// [`BuildError`], when the catalog cannot be kept, a topic spills to a store that is not there, or there is no tokio
    /// runtime to run on.
    pub fn build(self) -> Result<Fence, BuildError> {
        tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let catalog = match self.ready_made {
            Some(catalog) => catalog,
            None => Arc::new(self.catalog.build()?),
        };
        if let Some((topic, store)) = homeless(&catalog, &self.stores) {
            return Err(BuildError::NoStore { topic, store });
        }
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shards = self.shards.unwrap_or_else(cores).max(1);
        let epoch = random_epoch().ok_or(BuildError::NoRandomness)?;
        let Self { observers, listeners, memory_budget, stores, hooks, tracer, .. } = self;
        Ok(Fence::start(FenceParts {
            catalog,
            epoch,
            shards,
            memory_budget,
            observers,
            listeners,
            stores,
            hooks,
            tracer,
        }))
    }
}

/// A topic that spills to none of these stores, if there is one.
fn homeless(catalog: &Catalog, stores: &[(StoreId, OpenSpill)]) -> Option<(String, StoreId)> {
    let classes = catalog.topics().map(|topic| catalog.class(topic));
    let class = classes
        .filter(|class| class.policy.spills())
        .find(|class| stores.iter().all(|(known, _)| *known != class.spill.store))?;
    Some((format!("{} {}", class.path, class.name), class.spill.store))
}

fn random_epoch() -> Option<streamfence_core::Epoch> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(streamfence_core::Epoch(u64::from_be_bytes(bytes)))
}

/// Why a fence cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The namespaces, topics or policies do not fit.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A topic spills to disk, and there is no store for it.
    #[error("topic `{topic}` spills to store {}, which the fence does not have; wanted FenceBuilder::spill with it", store.0)]
    NoStore {
        /// Namespace and topic.
        topic: String,
        /// The store it names.
        store: StoreId,
    },
    /// There is no runtime for the shards to run on.
    #[error("no tokio runtime here; build the fence inside one")]
    NoRuntime,
    /// The system gives no random numbers, so ids would not be unique.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

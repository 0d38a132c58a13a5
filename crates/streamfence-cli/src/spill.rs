//! The directories that lanes spill to: opened before anything listens, gone when the process ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use streamfence_config::SpillSettings;
use streamfence_core::StoreId;
use streamfence_metrics::Metrics;
use streamfence_runtime::{Fence, FenceBuilder};
use streamfence_spill::{Store, StoreConfig};

use crate::exit::Failure;
use crate::inspect::chain;

/// The stores of this process.
pub(crate) struct Stores {
    settings: Vec<SpillSettings>,
    /// In the same order. When the last of these is gone, so are its files.
    stores: Vec<Arc<Store>>,
    metrics: Metrics,
    names: Names,
}

/// What stores are called, for people: their directories. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<BTreeMap<StoreId, String>>>);

impl Names {
    pub(crate) fn of(&self, store: StoreId) -> String {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&store).cloned().unwrap_or_else(|| store.0.to_string())
    }

    fn add(&self, store: StoreId, name: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(store, name);
    }
}

impl Stores {
    /// Opens all of them, or says which cannot be had and why.
    pub(crate) fn open(settings: &[SpillSettings], metrics: &Metrics) -> Result<Self, Failure> {
        let mut stores =
            Self { settings: Vec::new(), stores: Vec::new(), metrics: metrics.clone(), names: Names::default() };
        for settings in settings {
            stores.open_one(settings)?;
        }
        Ok(stores)
    }

    /// Those that are open, with all the servers that ever spilled to each.
    pub(crate) fn settings(&self) -> &[SpillSettings] {
        &self.settings
    }

    /// What they are called, now and later.
    pub(crate) fn names(&self) -> Names {
        self.names.clone()
    }

    /// Lets a fence spill to all of them.
    pub(crate) fn give_to(&self, mut fence: FenceBuilder) -> FenceBuilder {
        for (settings, store) in self.settings.iter().zip(&self.stores) {
            let store = store.clone();
            fence = fence.spill(settings.store, move |shard, charge| store.backend(shard, charge));
        }
        fence
    }

    /// Opens what a new configuration needs beside, and lets the fence spill there. All of it, or it says why not: then
    /// what was opened waits for the next time.
    pub(crate) async fn open_more(&mut self, wanted: &[SpillSettings], fence: &Fence) -> Result<(), Failure> {
        for settings in wanted {
            if let Some(open) = self.settings.iter_mut().find(|open| open.store == settings.store) {
                open.servers.clone_from(&settings.servers);
                continue;
            }
            let (id, store) = self.open_one(settings)?;
            fence.add_store(id, |shard, charge| store.backend(shard, charge)).await;
        }
        Ok(())
    }

    fn open_one(&mut self, settings: &SpillSettings) -> Result<(StoreId, Arc<Store>), Failure> {
        let servers = settings.servers.join(", ");
        let config = StoreConfig {
            max_bytes: settings.max_bytes,
            min_free_bytes: settings.min_free_bytes,
            ..StoreConfig::new(&settings.root)
        };
        let store = Store::open(config)
            .map_err(|why| Failure::Listen(format!("spillRootPath of {servers}: {}", chain(&why))))?;
        for warning in store.warnings() {
            tracing::warn!(code = "spill", servers, "{warning}");
        }
        let root = settings.root.display().to_string();
        tracing::info!(code = "spill_opened", %root, servers, "lanes spill here");
        self.metrics.name_store(settings.store, &root);
        self.names.add(settings.store, root);
        let store = Arc::new(store);
        self.settings.push(settings.clone());
        self.stores.push(store.clone());
        Ok((settings.store, store))
    }
}

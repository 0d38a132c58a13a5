//! How a fence begins: its shards, each with its part of everything. And what it is given later.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock, Weak};

use streamfence_core::{Catalog, Epoch, Observer, SpillBackend, StoreId};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::coop::unconstrained;

use super::look::QUESTIONS_AT_ONCE;
use super::{Fence, Inner, ShardHandle, WeakFence};
use crate::acks::MOST_WAITS;
use crate::budget::Budget;
use crate::command::{CONTROL_SLOTS, Control, NewStore, PUBLISH_SLOTS};
use crate::dead_letters::DeadLetters;
use crate::directory::Directory;
use crate::handler::Handlers;
use crate::hooks::{HookChain, Hooks};
use crate::link::ReadyList;
use crate::listener::Listener;
use crate::refusals::Refusals;
use crate::shard::{Shard, ShardParts};
use crate::spill_pump::{Charge, OpenSpill, SpillPump};
use crate::tracer::Tracer;
use crate::watch::Watchers;

/// What a builder has gathered and checked.
pub(crate) struct FenceParts {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) epoch: Epoch,
    pub(crate) shards: usize,
    pub(crate) memory_budget: Option<u64>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) listeners: Vec<Arc<dyn Listener>>,
    pub(crate) stores: Vec<(StoreId, OpenSpill)>,
    pub(crate) hooks: Vec<Arc<dyn Hooks>>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

impl Fence {
    pub(crate) fn start(parts: FenceParts) -> Self {
        let FenceParts { catalog, epoch, shards, memory_budget, observers, listeners, stores, hooks, tracer } = parts;
        let watchers = Arc::new(Watchers::new(observers));
        for listener in listeners {
            watchers.add_listener(listener);
        }
        let directory = Arc::new(Directory::new(catalog, epoch));
        let budget = memory_budget.map(|bytes| Arc::new(Budget::new(bytes, shards)));
        let dead_letters = Arc::new(DeadLetters::default());
        let handlers = Arc::new(Handlers::default());
        let hooks = HookChain::new(hooks);
        let refusals = Refusals::new(watchers.clone());
        let (failed, _) = watch::channel(false);
        Self(Arc::new_cyclic(|fence: &Weak<Inner>| {
            let start_shard = |index| {
                let (publishes, publish_inbox) = mpsc::channel(PUBLISH_SLOTS);
                let (control, control_inbox) = mpsc::channel(CONTROL_SLOTS);
                let ready = Arc::new(ReadyList::default());
                let links = Arc::new(AtomicUsize::new(0));
                let mut spill = SpillPump::default();
                for (store, open) in &stores {
                    spill.add(*store, open(index as u16, budget.as_ref().map(charge)));
                }
                let shard = Shard::new(ShardParts {
                    index,
                    shards,
                    directory: directory.clone(),
                    dead_letters: dead_letters.clone(),
                    publishes: publish_inbox,
                    control: control_inbox,
                    ready: ready.clone(),
                    links: links.clone(),
                    watchers: watchers.clone(),
                    handlers: handlers.clone(),
                    fence: WeakFence(fence.clone()),
                    budget: budget.clone(),
                    spill,
                    tracer: tracer.clone(),
                });
                // Its turns are bounded as they are, and a socket that is writable must say so.
                let running = tokio::spawn(unconstrained(shard.run()));
                let failed = failed.clone();
                tokio::spawn(async move {
                    if let Err(why) = running.await {
                        tracing::error!(code = "shard_failed", shard = index, %why, "a shard has failed");
                        failed.send_replace(true);
                    }
                });
                ShardHandle { publishes, control, ready, links }
            };
            Inner {
                shards: (0..shards).map(start_shard).collect(),
                directory: directory.clone(),
                dead_letters: dead_letters.clone(),
                encoder: OnceLock::new(),
                watchers: watchers.clone(),
                handlers: handlers.clone(),
                hooks,
                tracer: tracer.clone(),
                refusals,
                is_closing: AtomicBool::new(false),
                failed: failed.clone(),
                budget: budget.clone(),
                ack_waits: Semaphore::new(MOST_WAITS),
                questions: Semaphore::new(QUESTIONS_AT_ONCE),
            }
        }))
    }

    /// Gives the fence another store, for topics that a [reload](Fence::reload) has spill to it: as
    /// [`FenceBuilder::spill`](crate::FenceBuilder::spill) does. Returns when all shards have it; one of the same number
    /// that is there already stays.
    pub async fn add_store<F>(&self, store: StoreId, open: F)
    where
        F: Fn(u16, Option<Charge>) -> Box<dyn SpillBackend>,
    {
        let mut pending = Vec::with_capacity(self.0.shards.len());
        for (index, shard) in self.0.shards.iter().enumerate() {
            let backend = open(index as u16, self.0.budget.as_ref().map(charge));
            let (done, heard) = oneshot::channel();
            if shard.control.send(Control::AddStore(NewStore { store, backend }, done)).await.is_ok() {
                pending.push(heard);
            }
        }
        for heard in pending {
            // A shard that has ended spills nothing.
            let _ = heard.await;
        }
    }
}

/// What counts bytes that were read back from disk.
fn charge(budget: &Arc<Budget>) -> Charge {
    let budget = budget.clone();
    Arc::new(move |bytes| budget.charge(bytes))
}

//! Where lanes spill, and how much: one store for each root that some server spills to.
//!
//! Never a directory: whether a root can be had is for whoever opens the store.

use std::num::NonZeroU64;
use std::path::{Component, Path, PathBuf};

use streamfence_core::{SpillFull, SpillRules, StoreId};

use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::raw::Place;
use crate::settings::SpillSettings;

/// The stores of a file, gathered while its servers are read.
pub(crate) struct Stores<'a> {
    /// What roots are relative to.
    directory: &'a Path,
    /// Stores that are open already, which keep their numbers and their servers.
    open: &'a [SpillSettings],
    found: Vec<Found>,
    /// What the file says of open stores and cannot have now.
    pending: Vec<String>,
}

/// A store that servers read so far spill to, and where they have said how much it may hold.
struct Found {
    settings: SpillSettings,
    max_bytes: Option<Said>,
    min_free_bytes: Option<Said>,
}

#[derive(Clone)]
struct Said {
    server: String,
    at: Place,
    number: u64,
}

/// What one server says of the store it would spill to.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) store: StoreId,
    pub(crate) root: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) min_free_bytes: u64,
}

impl<'a> Stores<'a> {
    pub(crate) fn new(directory: &'a Path, open: &'a [SpillSettings]) -> Self {
        Self { directory, open, found: Vec::new(), pending: Vec::new() }
    }

    /// What a server would spill to.
    pub(crate) fn wish(&self, server: &str, block: &Block) -> Wish {
        let root = self.directory.join(block.text("spillRootPath"));
        // A server that spills goes on spilling where it does: another root takes effect with a restart.
        let stays = self.open.iter().find(|open| open.servers.iter().any(|name| name == server));
        let known = || self.known().find(|store| is_same(&store.root, &root));
        let next = || StoreId(self.known().map(|store| store.store.0.saturating_add(1)).max().unwrap_or(0));
        let store = stays.or_else(known).map_or_else(next, |store| store.store);
        let [max_bytes, min_free_bytes] = ["spillMaxBytes", "spillMinFreeBytes"].map(|key| block.number(key));
        Wish { store, root, max_bytes, min_free_bytes }
    }

    /// Notes that a server does spill to it, and that all who share a store say the same of it.
    pub(crate) fn claim(&mut self, server: &str, part: &str, block: &Block, wish: &Wish, report: &mut Report<'_>) {
        let index = self.found.iter().position(|found| found.settings.store == wish.store).unwrap_or_else(|| {
            let open = self.open.iter().find(|open| open.store == wish.store);
            let settings = open.cloned().unwrap_or_else(|| SpillSettings {
                store: wish.store,
                root: wish.root.clone(),
                max_bytes: wish.max_bytes,
                min_free_bytes: wish.min_free_bytes,
                servers: Vec::new(),
            });
            self.found.push(Found { settings, max_bytes: None, min_free_bytes: None });
            self.found.len() - 1
        });
        let found = &mut self.found[index];
        if !is_same(&found.settings.root, &wish.root) {
            self.pending.push(format!("`spillRootPath` of server `{server}`"));
        }
        if !found.settings.servers.iter().any(|name| name == server) {
            found.settings.servers.push(server.to_owned());
        }
        let said = |key, number| Some(Said { server: server.to_owned(), at: block.place_of(key)?, number });
        let new = said("spillMaxBytes", wish.max_bytes);
        agree("spillMaxBytes", &mut found.max_bytes, new, part, report);
        let new = said("spillMinFreeBytes", wish.min_free_bytes);
        agree("spillMinFreeBytes", &mut found.min_free_bytes, new, part, report);
    }

    /// The stores that some server spills to, in the order of the file; and what it says of those that are open and only
    /// takes effect when they are opened again.
    pub(crate) fn settings(mut self) -> (Vec<SpillSettings>, Vec<String>) {
        let defaults = Block::absent(&[Section::Server]);
        for Found { settings, max_bytes, min_free_bytes } in &mut self.found {
            let limit =
                |said: &Option<Said>, key| said.as_ref().map_or_else(|| defaults.number(key), |said| said.number);
            let limits = (limit(max_bytes, "spillMaxBytes"), limit(min_free_bytes, "spillMinFreeBytes"));
            // What an open store may hold was said when it was opened.
            if !self.open.iter().any(|open| open.store == settings.store) {
                (settings.max_bytes, settings.min_free_bytes) = limits;
            } else if (settings.max_bytes, settings.min_free_bytes) != limits {
                let root = settings.root.display();
                self.pending.push(format!("`spillMaxBytes` or `spillMinFreeBytes` of `{root}`"));
            }
        }
        (self.found.into_iter().map(|found| found.settings).collect(), self.pending)
    }

    fn known(&self) -> impl Iterator<Item = &SpillSettings> {
        self.open.iter().chain(self.found.iter().map(|found| &found.settings))
    }
}

/// What was said once holds for all; what is said twice must be the same.
fn agree(key: &'static str, first: &mut Option<Said>, new: Option<Said>, part: &str, report: &mut Report<'_>) {
    let Some(new) = new else { return };
    match first {
        None => *first = Some(new),
        Some(first) if first.number != new.number => {
            let Said { server, at, number } = &first;
            let wanted = format!("{number}, as servers.{server} says at {at} of the same spillRootPath");
            let found = new.number.to_string();
            report.error(part, new.at, Problem::WrongValue { key: key.to_owned(), found, wanted });
        }
        Some(_) => {}
    }
}

/// Says of a server's keys that nothing of it spills.
pub(crate) fn warn_without_spill(server: &Block, part: &str, report: &mut Report<'_>) {
    let why = "no topic of the server has overflowAction SPILL_TO_DISK";
    let defaults = Block::absent(&[Section::Server]);
    let is_odd = |key| server.number(key) != defaults.number(key);
    let says = [
        ("spillRootPath", server.text("spillRootPath") != defaults.text("spillRootPath")),
        ("spillMaxBytes", is_odd("spillMaxBytes")),
        ("spillMinFreeBytes", is_odd("spillMinFreeBytes")),
    ];
    for (key, _) in says.into_iter().filter(|(_, is_odd)| *is_odd) {
        if let Some(at) = server.place_of(key) {
            report.warning(part, at, Problem::NoEffect { key, why });
        }
    }
}

/// How much of a topic may lie in a store.
pub(crate) fn rules(block: &Block, store: StoreId) -> SpillRules {
    let most = |key| block.optional_number(key).and_then(NonZeroU64::new);
    SpillRules {
        store,
        max_bytes_per_client: most("maxBytesPerClient"),
        max_bytes_per_topic: most("maxBytesPerTopic"),
        on_full: match block.text("onFull") {
            "reject" => SpillFull::Reject,
            "disconnect" => SpillFull::Disconnect,
            other => unreachable!("the table of keys has no rule {other}"),
        },
    }
}

/// Whether two paths are the same as they are written. That links lead to one place shows when its lock is taken.
fn is_same(one: &Path, other: &Path) -> bool {
    let parts = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
    parts(one) == parts(other)
}

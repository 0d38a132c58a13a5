//! Tells when files hold something else than they did.
//!
//! The system tells of changes in their directories, which also sees a file that is replaced and a link that is moved to
//! another one, as Kubernetes does it with a ConfigMap; and because not every file system tells of everything, they are
//! looked at now and then all the same. What counts is what they hold: a file that was only touched has not changed, and
//! one that is being written is waited for. Never what is in a file: that is for whoever loads it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::source::{Fingerprint, Source};

/// Watches files in a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Mutex<Shared>>,
    /// Wakes the thread; one ring is enough for any number of reasons.
    bell: SyncSender<()>,
}

/// What is told of watched files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Some of them hold something else, and have for a moment: the same was read twice.
    Changed {
        /// Whether the configuration is among them, or a file its values refer to.
        config: bool,
        /// Whether one of the others is.
        others: bool,
    },
    /// One of them is gone, or cannot be read. It is told once, and nothing more of its kind until it can be.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The system does not tell of changes: files are only looked at now and then.
    Polling {
        /// What it says.
        why: String,
    },
}

#[derive(Debug, Default)]
struct Shared {
    wanted: Option<Wanted>,
    is_over: bool,
}

/// What to watch from now on.
#[derive(Debug)]
struct Wanted {
    /// With what they held when they were read; `None` where they could not be.
    config: BTreeMap<PathBuf, Option<Fingerprint>>,
    /// With what they hold now; `None` where they cannot be read.
    others: BTreeMap<PathBuf, Option<Fingerprint>>,
}

impl Watch {
    /// Watches the files a configuration was read from, and others such as certificates.
    ///
    /// A change of a source counts from when it was read, one of another file from when it is watched. Where a source could
    /// not be read, that it can be is a change. Whatever is told
    /// is told in the thread of the watch: `tell` may wait, and nothing is told meanwhile.
    ///
    /// # Errors
    /// What the system says, when there can be no thread.
    pub fn start(
        sources: &[Source],
        others: impl IntoIterator<Item = PathBuf>,
        tell: impl FnMut(News) + Send + 'static,
    ) -> io::Result<Self> {
        let (bell, rung) = sync_channel(1);
        let watch = Self { shared: Arc::default(), bell: bell.clone() };
        watch.want(sources, others);
        let shared = Arc::clone(&watch.shared);
        thread::Builder::new().name("streamfence-watch".to_owned()).spawn(move || {
            let mut watcher = Watcher::new(shared, rung, tell);
            watcher.ask_system(bell);
            watcher.run();
        })?;
        Ok(watch)
    }

    /// Watches these from now on in place of those before.
    pub fn follow(&self, sources: &[Source], others: impl IntoIterator<Item = PathBuf>) {
        self.want(sources, others);
        // A bell that rings already is heard.
        let _rings = self.bell.try_send(());
    }

    fn want(&self, sources: &[Source], others: impl IntoIterator<Item = PathBuf>) {
        let config = sources.iter().map(|source| (source.path().to_owned(), source.seen())).collect();
        let seen = |path: PathBuf| {
            let seen = Fingerprint::read(&path).ok();
            (path, seen)
        };
        let others = others.into_iter().map(seen).collect();
        lock(&self.shared).wanted = Some(Wanted { config, others });
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.shared).is_over = true;
        let _rings = self.bell.try_send(());
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What runs in the thread.
struct Watcher<F> {
    shared: Arc<Mutex<Shared>>,
    rung: Receiver<()>,
    tell: F,
    /// What tells of changes, where the system does; and the directories it was asked for.
    system: Option<RecommendedWatcher>,
    directories: BTreeMap<PathBuf, Inode>,
    /// What of each file was told last, or known from the beginning; `None` where it could never be read.
    config: BTreeMap<PathBuf, Option<Fingerprint>>,
    others: BTreeMap<PathBuf, Option<Fingerprint>>,
    /// Files of which was told that they cannot be read.
    unreadable: BTreeSet<PathBuf>,
}

/// Which directory a path leads to: another one may be in its place since it was asked for.
type Inode = (u64, u64);

/// What files hold now, or why they cannot be read.
type Seen = BTreeMap<PathBuf, Result<Fingerprint, String>>;

impl<F: FnMut(News)> Watcher<F> {
    fn new(shared: Arc<Mutex<Shared>>, rung: Receiver<()>, tell: F) -> Self {
        Self {
            shared,
            rung,
            tell,
            system: None,
            directories: BTreeMap::new(),
            config: BTreeMap::new(),
            others: BTreeMap::new(),
            unreadable: BTreeSet::new(),
        }
    }

    fn ask_system(&mut self, bell: SyncSender<()>) {
        let hear = move |event: notify::Result<Event>| {
            // What goes wrong is a reason to look, too: some events may have been lost.
            if event.map_or(true, |event| may_change(event.kind)) {
                let _rings = bell.try_send(());
            }
        };
        match notify::recommended_watcher(hear) {
            Ok(system) => self.system = Some(system),
            Err(why) => (self.tell)(News::Polling { why: why.to_string() }),
        }
    }

    fn run(&mut self) {
        let mut look_at = Instant::now();
        loop {
            if lock(&self.shared).is_over {
                return;
            }
            self.take_wanted();
            self.follow_directories();
            self.look();
            // However busy a directory is, its files are not looked at all the time.
            look_at = Instant::now().max(look_at + PACE);
            let every = if self.system.is_some() { POLL } else { POLL_ALONE };
            match self.rung.recv_timeout(every) {
                Ok(()) => thread::sleep(look_at.saturating_duration_since(Instant::now()).min(PACE)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Watches what was asked for since the last time.
    fn take_wanted(&mut self) {
        let wanted = lock(&self.shared).wanted.take();
        let Some(Wanted { config, others }) = wanted else { return };
        self.config = config;
        let known = std::mem::replace(&mut self.others, others);
        for (path, seen) in &mut self.others {
            // What of it was told last may be older, and then there is something to tell.
            if let Some(told) = known.get(path) {
                *seen = *told;
            }
        }
        self.unreadable.retain(|path| self.config.contains_key(path) || self.others.contains_key(path));
        // Whoever wants it knows already that it cannot be read.
        self.unreadable.extend(self.config.iter().filter(|(_, seen)| seen.is_none()).map(|(path, _)| path.clone()));
    }

    /// Has the system tell of the directories in which something decides what the files hold.
    fn follow_directories(&mut self) {
        let Some(system) = &mut self.system else { return };
        let paths = self.config.keys().chain(self.others.keys());
        let wanted: BTreeSet<_> = paths.flat_map(|path| directories(path)).collect();
        let wanted: BTreeMap<_, _> =
            wanted.into_iter().filter_map(|path| Some((path.clone(), inode(&path)?))).collect();
        self.directories.retain(|path, inode| {
            let is_wanted = wanted.get(path) == Some(inode);
            if !is_wanted {
                // One that is not there any more is not watched either.
                let _gone = system.unwatch(path);
            }
            is_wanted
        });
        for (path, inode) in wanted {
            // One that cannot be watched is tried again, and its files looked at meanwhile.
            if !self.directories.contains_key(&path) && system.watch(&path, RecursiveMode::NonRecursive).is_ok() {
                self.directories.insert(path, inode);
            }
        }
    }

    /// Looks at all files; tells what has changed once it has been the same for a moment.
    fn look(&mut self) {
        let mut seen = self.see();
        if !self.is_news(&seen) {
            return;
        }
        for _ in 0..MOST_LOOKS {
            thread::sleep(DEBOUNCE);
            if lock(&self.shared).is_over {
                return;
            }
            let again = self.see();
            if again == seen {
                // Whoever watches may have read them itself meanwhile.
                self.take_wanted();
                self.tell_of(&seen);
                return;
            }
            seen = again;
        }
        // A file that never rests is looked at again with the next round.
    }

    fn see(&self) -> Seen {
        let paths = self.config.keys().chain(self.others.keys());
        paths.map(|path| (path.clone(), Fingerprint::read(path).map_err(|why| why.to_string()))).collect()
    }

    fn is_news(&self, seen: &Seen) -> bool {
        seen.iter().any(|(path, seen)| match seen {
            Ok(now) => {
                let is = |known: &BTreeMap<PathBuf, Option<Fingerprint>>| {
                    known.get(path).is_none_or(|old| *old == Some(*now))
                };
                !is(&self.config) || !is(&self.others) || self.unreadable.contains(path)
            }
            Err(_) => !self.unreadable.contains(path),
        })
    }

    fn tell_of(&mut self, seen: &Seen) {
        let is_watched = |path: &PathBuf| self.config.contains_key(path) || self.others.contains_key(path);
        for (path, seen) in seen.iter().filter(|(path, _)| is_watched(path)) {
            match seen {
                Ok(_) => {
                    self.unreadable.remove(path);
                }
                Err(why) => {
                    if self.unreadable.insert(path.clone()) {
                        (self.tell)(News::Unreadable { file: path.clone(), why: why.clone() });
                    }
                }
            }
        }
        // While one of its files cannot be read the configuration cannot either, unless it could not be before: it may have
        // been changed so that it needs it no more. The others are of several owners.
        let is_whole = self.config.iter().all(|(path, known)| known.is_none() || matches!(seen.get(path), Some(Ok(_))));
        let config = is_whole && take_over(&mut self.config, seen);
        let others = take_over(&mut self.others, seen);
        if config || others {
            (self.tell)(News::Changed { config, others });
        }
    }
}

/// Notes what the files of one kind hold now, those that can be read, and whether that is something else than before.
fn take_over(known: &mut BTreeMap<PathBuf, Option<Fingerprint>>, seen: &Seen) -> bool {
    let mut has_changed = false;
    for (path, old) in known {
        if let Some(Ok(now)) = seen.get(path) {
            has_changed |= *old != Some(*now);
            *old = Some(*now);
        }
    }
    has_changed
}

/// Whether an event may mean that a file holds something else. That one was opened and read does not: we do that.
fn may_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// The directories in which something decides what a path leads to: its own, those of links on its way, and those of
/// what these lead to.
fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut next = Some(path.to_owned());
    for _ in 0..MOST_LINKS {
        let Some(path) = next.take() else { break };
        found.extend(parent(&path));
        for part in path.ancestors() {
            let Ok(target) = part.read_link() else { continue };
            let directory = parent(part).unwrap_or_default();
            let rest = path.strip_prefix(part).unwrap_or(Path::new(""));
            found.insert(directory.clone());
            // The part that is nearest to the file comes first, and what it leads to has the others in it.
            next.get_or_insert_with(|| {
                let whole = directory.join(target);
                if rest.as_os_str().is_empty() { whole } else { whole.join(rest) }
            });
        }
    }
    found
}

fn inode(directory: &Path) -> Option<Inode> {
    directory.metadata().ok().map(|found| (found.dev(), found.ino()))
}

fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

/// How long a file must stay the same before it is told of.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// How often files are looked at where the system tells of changes, and where it does not.
const POLL: Duration = Duration::from_secs(5);
const POLL_ALONE: Duration = Duration::from_secs(2);
/// The least between two looks.
const PACE: Duration = Duration::from_millis(250);
/// How often a file may change while it is waited for, before others get their turn.
const MOST_LOOKS: usize = 40;
/// How many links one path may lead over, as many as Linux follows.
const MOST_LINKS: usize = 40;

//! The fenced namespaces an adapter serves, and those that come with a reload. Never who is in them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use streamfence_core::{Catalog, NamespaceId};

use crate::auth::Gate;
use crate::connection::Shared;
use crate::handlers::{Entrance, Guard};
use crate::layer::Door;

/// Puts one fenced namespace into the library.
pub(crate) type Register = Box<dyn FnOnce(&SocketIo, NamespaceId, &Arc<Shared>, Weak<Door>) + Send>;

/// What is done when there is another catalog.
type Hook = Arc<dyn Fn(&Catalog) + Send + Sync>;

/// The namespaces of one adapter. Kept by what serves, because the library and its handlers keep each other.
pub(crate) struct Namespaces {
    io: SocketIo,
    shared: Arc<Shared>,
    served: Weak<Door>,
    /// Whether it serves whatever the fence has.
    all: bool,
    paths: Mutex<HashSet<String>>,
    /// What the fence calls when there is another catalog, and holds no longer than this.
    hook: OnceLock<Hook>,
}

impl Namespaces {
    pub(crate) fn new(io: SocketIo, shared: Arc<Shared>, served: Weak<Door>, all: bool) -> Arc<Self> {
        let namespaces = Self { io, shared, served, all, paths: Mutex::default(), hook: OnceLock::new() };
        let namespaces = Arc::new(namespaces);
        let weak = Arc::downgrade(&namespaces);
        let hook: Hook = Arc::new(move |catalog| {
            if let Some(namespaces) = weak.upgrade().filter(|namespaces| namespaces.all) {
                let paths = catalog.namespaces().map(|(_, entry)| entry.path.to_string());
                namespaces.serve(catalog, paths);
            }
        });
        namespaces.shared.fence.on_reload(&hook);
        namespaces.hook.get_or_init(|| hook);
        namespaces
    }

    /// What tokens are shown to.
    pub(crate) fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// The path of a namespace.
    pub(crate) fn path_of(&self, namespace: NamespaceId) -> Arc<str> {
        self.shared.fence.catalog().namespace_entry(namespace).path.clone()
    }

    /// Serves a namespace with an application's handler.
    pub(crate) fn register(&self, path: &str, id: NamespaceId, register: Register) {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        register(&self.io, id, &self.shared, self.served.clone());
    }

    /// Serves those of these that the catalog has and that are not served yet.
    pub(crate) fn serve(&self, catalog: &Catalog, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            let is_known = self.paths.lock().unwrap_or_else(PoisonError::into_inner).contains(&path);
            if !is_known && let Some(id) = catalog.namespace(&path) {
                self.register(&path.clone(), id, entrance(path, async |_: SocketRef| ()));
            }
        }
    }

    /// The same, with the catalog there is now.
    pub(crate) fn serve_now(&self, paths: impl IntoIterator<Item = String>) {
        self.serve(&self.shared.fence.catalog(), paths);
    }
}

impl std::fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namespaces").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// A namespace with an application's handler.
pub(crate) fn entrance<H, T>(path: String, application: H) -> Register
where
    H: ConnectHandler<LocalAdapter, T> + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    Box::new(move |io, namespace, shared, served| {
        let guard = Arc::new(Guard { path: path.clone(), served });
        io.ns(path, Entrance { application, namespace, shared: shared.clone(), guard });
    })
}

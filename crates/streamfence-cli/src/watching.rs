//! Hears of files that change, and says which of them want to be read again.

use std::path::PathBuf;

use streamfence_config::{News, Settings, Source, Watch};
use streamfence_socketio::{Server, TlsOptions};
use tokio::sync::mpsc;

use crate::args::ServeArgs;
use crate::auth::token_files;
use crate::reload::Refused;

/// Watches the files of a configuration, where that is wanted.
pub(crate) struct Watching {
    /// The configuration, where it is a file that may be watched.
    file: Option<PathBuf>,
    watch: Option<Watch>,
    /// What was last tried, whatever became of it: the same again is nothing new.
    tried: Vec<Source>,
    /// The certificates and keys that were named by what was refused: with others it may be taken.
    named: Vec<Source>,
    /// Whether one of these may have changed before it was watched.
    may_have_changed: bool,
    tell: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
}

impl Watching {
    /// Watches what was loaded, unless the command line or the configuration says not to.
    pub(crate) fn start(args: &ServeArgs, settings: &Settings, servers: &[Server]) -> Self {
        let (tell, news) = mpsc::channel(MOST_NEWS);
        let file = args.config.clone().filter(|_| !args.no_watch);
        let mut watching =
            Self { file, watch: None, tried: Vec::new(), named: Vec::new(), may_have_changed: false, tell, news };
        watching.follow(settings, servers, None);
        watching
    }

    /// Watches the files of what holds after a reload, and of what was refused, those among them that are missing.
    pub(crate) fn follow(&mut self, settings: &Settings, servers: &[Server], refused: Option<Refused>) {
        self.may_have_changed = refused.is_some();
        Refused { sources: self.tried, named: self.named } =
            refused.unwrap_or_else(|| Refused { sources: settings.sources.clone(), named: Vec::new() });
        if self.file.is_none() || !settings.watch {
            self.watch = None;
            return;
        }
        let of_refused = self.named.iter().map(|source| source.path().to_owned());
        let others = certificates(servers).into_iter().chain(token_files(settings)).chain(of_refused);
        if let Some(watch) = &self.watch {
            watch.follow(&self.tried, others);
            return;
        }
        let tell = self.tell.clone();
        // Nobody is told any more once the server has ended.
        let tell = move |news| drop(tell.blocking_send(news));
        match Watch::start(&self.tried, others, tell) {
            Ok(watch) => self.watch = Some(watch),
            Err(why) => {
                tracing::warn!(code = "not_watching", %why, "files are not watched; SIGHUP has them read again");
            }
        }
    }

    /// Whether certificates or keys that a refused configuration names are others than they were then.
    fn names_others(&self) -> bool {
        !self.named.iter().all(Source::is_current)
    }

    /// Waits until something is to be read again: `true` for the configuration, `false` for certificates and keys alone. May
    /// be dropped and called again.
    pub(crate) async fn changed(&mut self) -> bool {
        let is_watched = self.watch.is_some();
        if std::mem::take(&mut self.may_have_changed) && is_watched && self.names_others() {
            return true;
        }
        loop {
            // There is always a sender: our own.
            let Some(news) = self.news.recv().await else { return std::future::pending().await };
            match news {
                News::Changed { config, others } => {
                    let is_new = config && !self.tried.iter().all(Source::is_current);
                    if is_new || others {
                        return is_new || self.names_others();
                    }
                }
                News::Unreadable { file, why } => {
                    let is_config = self.tried.iter().any(|source| source.path() == file);
                    let file = file.display().to_string();
                    tracing::warn!(code = "file_unreadable", file, why, "what was read from it holds on");
                    if !is_config {
                        // Whoever counts on it finds out, and says so.
                        return false;
                    }
                }
                News::Polling { why } => {
                    let what = "the system does not tell of files that change: they are looked at every two seconds";
                    tracing::warn!(code = "watch_polls", why, "{what}");
                }
            }
        }
    }
}

/// The files of TLS of all servers, as they are now.
fn certificates(servers: &[Server]) -> Vec<PathBuf> {
    servers.iter().filter_map(|server| server.options().tls.as_ref().map(tls_files)).flatten().collect()
}

/// The files that the options of TLS name.
pub(crate) fn tls_files(tls: &TlsOptions) -> Vec<PathBuf> {
    let mut files = vec![tls.cert_chain.clone(), tls.private_key.clone()];
    if let Some(authorities) = tls.client_auth.authorities() {
        files.push(authorities.clone());
        files.extend(tls.client_revocations.clone());
    }
    files
}

/// How much may be told and not yet heard; then the watch waits.
const MOST_NEWS: usize = 16;

//! Hears of files that change, and says which of them want to be read again.

use std::path::PathBuf;

use streamfence_config::{News, Settings, Source, Watch};
use streamfence_socketio::Server;
use tokio::sync::mpsc;

use crate::args::ServeArgs;
use crate::auth::key_files;

/// Watches the files of a configuration, where that is wanted.
pub(crate) struct Watching {
    /// The configuration, where it is a file that may be watched.
    file: Option<PathBuf>,
    watch: Option<Watch>,
    /// What holds was read from these.
    held: Vec<Source>,
    /// What was last tried, whatever became of it: the same again is nothing new.
    tried: Vec<Source>,
    tell: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
}

impl Watching {
    /// Watches what was loaded, unless the command line or the configuration says not to.
    pub(crate) fn start(args: &ServeArgs, settings: &Settings, servers: &[Server]) -> Self {
        let (tell, news) = mpsc::channel(MOST_NEWS);
        let file = args.config.clone().filter(|_| !args.no_watch);
        let mut watching = Self { file, watch: None, held: Vec::new(), tried: Vec::new(), tell, news };
        watching.follow(settings, servers);
        watching
    }

    /// Notes what the files hold, before they are read again: where they are refused, that is what was.
    pub(crate) fn note(&mut self) {
        let now = |source: &Source| Source::now(source.path());
        self.tried = self.held.iter().map(now).collect();
    }

    /// Watches the files of what holds after a reload, whatever became of it.
    pub(crate) fn follow(&mut self, settings: &Settings, servers: &[Server]) {
        if settings.sources != self.held {
            self.held.clone_from(&settings.sources);
            self.tried.clone_from(&settings.sources);
        }
        if self.file.is_none() || !settings.watch {
            self.watch = None;
            return;
        }
        let others = certificates(servers).into_iter().chain(key_files(settings));
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

    /// Waits until something is to be read again: `true` for the configuration, `false` for certificates and keys alone. May
    /// be dropped and called again.
    pub(crate) async fn changed(&mut self) -> bool {
        loop {
            // There is always a sender: our own.
            let Some(news) = self.news.recv().await else { return std::future::pending().await };
            match news {
                News::Changed { config: true, others } => {
                    let is_new = !self.tried.iter().all(Source::is_current);
                    if is_new || others {
                        return is_new;
                    }
                }
                News::Changed { .. } => return false,
                News::Unreadable { file, why } => {
                    let file = file.display().to_string();
                    tracing::warn!(code = "file_unreadable", file, why, "what was read from it holds on");
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
    let mut files = Vec::new();
    for server in servers {
        if let Some(tls) = &server.options().tls {
            files.extend([tls.cert_chain.clone(), tls.private_key.clone()]);
            files.extend(tls.client_auth.authorities().cloned());
        }
    }
    files
}

/// How much may be told and not yet heard; then the watch waits.
const MOST_NEWS: usize = 16;

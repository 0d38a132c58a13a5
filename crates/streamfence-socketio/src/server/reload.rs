//! Other options for a server that runs, and files of TLS that were replaced.
//!
//! What is asked for is found out to be good before anything of it holds.

use std::sync::Arc;

use streamfence_core::Event;

use super::Server;
use super::tls::{Identity, TlsError};
use crate::options::{Change, ServerOptions, TlsOptions};

/// Other options for a server that runs, found out to be good. Nothing of them holds before [`Self::carry_out`].
///
/// Whoever has several servers to change plans for all of them first: then all of it holds, or nothing.
#[derive(Debug)]
#[must_use = "nothing holds before it is carried out"]
pub struct Plan<'a> {
    server: &'a Server,
    held: ServerOptions,
    changes: Vec<Change>,
    /// What its files hold, where the options of TLS were changed.
    identity: Option<Identity>,
}

impl Plan<'_> {
    /// What of the options is another value than before, and from when on it holds.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Lets all of it hold that needs no restart, and says what has changed.
    pub fn carry_out(self) -> Vec<Change> {
        let Self { server, held, changes, identity } = self;
        server.places.resize(held.max_connections);
        server.registry.set_capacity(held.max_connections as usize);
        let tls = held.tls.clone();
        server.options.set(held);
        if let (Some(identity), Some(tls), Some(acceptor)) = (identity, tls, &server.tls) {
            server.tell_tls_loaded(&identity);
            acceptor.set(identity, tls);
        }
        changes
    }
}

impl Server {
    /// What holds now, for connections that come.
    #[must_use]
    pub fn options(&self) -> Arc<ServerOptions> {
        Arc::clone(&self.options.now())
    }

    /// Lets other options hold from now on and says what has changed: some of it holds at once, some for connections
    /// that come, and some needs a restart and stays as it is. One call, and [`Self::plan`] and what it gives, at a time.
    ///
    /// # Errors
    /// [`TlsError`], when the options name other files of TLS and these cannot be used; then nothing has changed.
    pub async fn set_options(&self, options: &ServerOptions) -> Result<Vec<Change>, TlsError> {
        Ok(self.plan(options).await?.carry_out())
    }

    /// Finds out what other options would change, and whether they can be had.
    ///
    /// # Errors
    /// As [`Self::set_options`].
    pub async fn plan(&self, options: &ServerOptions) -> Result<Plan<'_>, TlsError> {
        let now = self.options();
        let (held, changes) = now.reloaded(options, self.options.built());
        let identity = match (&held.tls, &self.tls) {
            (Some(tls), Some(acceptor)) if now.tls.as_ref() != Some(tls) => {
                let identity = load(tls).await?;
                acceptor.is_new(&identity)?;
                Some(identity)
            }
            _ => None,
        };
        Ok(Plan { server: self, held, changes, identity })
    }

    /// Reads the files of TLS again, and shows new connections what they hold now; those that live go on as they are.
    /// `false` where they hold what they held, and where the server speaks no TLS.
    ///
    /// A certificate that is not valid now replaces none that is: a server that can be reached is worth more.
    ///
    /// # Errors
    /// [`TlsError`], when certificate and key do not belong together, or one of the files is not what it should be: then
    /// the server goes on with what it had, and listeners and the log are told once of each reason.
    pub async fn reload_tls(&self) -> Result<bool, TlsError> {
        let options = self.options();
        let (Some(acceptor), Some(tls)) = (&self.tls, &options.tls) else { return Ok(false) };
        let loaded = load(tls).await.and_then(|identity| Ok(acceptor.is_new(&identity)?.then_some(identity)));
        // Other options have come meanwhile, and with them what their files hold.
        if self.options.now().tls.as_ref() != Some(tls) {
            return Ok(false);
        }
        match loaded {
            Ok(Some(identity)) => {
                self.tell_tls_loaded(&identity);
                acceptor.set(identity, tls.clone());
                Ok(true)
            }
            Ok(None) => {
                acceptor.forget_refusal();
                Ok(false)
            }
            Err(why) => {
                let reason = why.to_string();
                if acceptor.is_news(&reason) {
                    let server = self.name();
                    let what = "the certificate stays as it was";
                    tracing::error!(code = "tls_reload_refused", server, reason, "{what}");
                    let reason: Arc<str> = reason.into();
                    self.tell(&Event::TlsReloadRefused { server: Arc::clone(&self.name), reason });
                }
                Err(why)
            }
        }
    }

    fn tell_tls_loaded(&self, identity: &Identity) {
        for warning in identity.warnings() {
            tracing::warn!(code = "tls", server = self.name(), "{warning}");
        }
        self.tell(&Event::TlsLoaded { server: Arc::clone(&self.name), expires: identity.expires() });
    }
}

/// Reads files beside the tasks of the runtime: a key under a password takes its time.
async fn load(tls: &TlsOptions) -> Result<Identity, TlsError> {
    let tls = tls.clone();
    let loading = tokio::task::spawn_blocking(move || Identity::load(&tls));
    loading.await.expect("reading a certificate does not panic, and nobody aborts it")
}

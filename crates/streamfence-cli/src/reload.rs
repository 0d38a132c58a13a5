//! The configuration is read again: what can change while it runs holds from now on, or nothing of it does.
//!
//! Never when: that is for whoever hears of SIGHUP, or of files that change.

use streamfence_config::{AdminSettings, LogSettings, Settings, Source, differences};
use streamfence_core::Event;
use streamfence_http::Keys;
use streamfence_runtime::Fence;
use streamfence_socketio::{Change, Effect, Plan, Server};

use crate::admin_address::AdminAddress;
use crate::api_keys;
use crate::args::ServeArgs;
use crate::auth::{Successors, Validators, token_files};
use crate::exit::Failure;
use crate::log::Level;
use crate::serve::{options, settings};
use crate::spill::Stores;
use crate::watching::tls_files;

/// What a reload changes.
pub(crate) struct Reload<'a> {
    pub(crate) args: &'a ServeArgs,
    pub(crate) fence: &'a Fence,
    /// In the order of the settings.
    pub(crate) servers: &'a [Server],
    pub(crate) stores: &'a mut Stores,
    pub(crate) validators: &'a mut Validators,
    pub(crate) admin: &'a AdminAddress,
    pub(crate) level: &'a Level,
}

/// A configuration that was not taken up, by what it was read from.
#[derive(Default)]
pub(crate) struct Refused {
    /// The file, and those that its values refer to.
    pub(crate) sources: Vec<Source>,
    /// The certificates and keys it names, as they were before they were looked at.
    pub(crate) named: Vec<Source>,
}

/// Each server and what becomes of it, and whom they believe.
struct Planned<'a> {
    servers: Vec<(String, Plan<'a>)>,
    validators: Successors,
    keys: Keys,
}

impl<'a> Reload<'a> {
    /// Reads the file again; says what holds now, and what was refused.
    pub(crate) async fn run(mut self, old: Settings) -> (Settings, Option<Refused>) {
        let mut read = Refused::default();
        match self.find_good(&old, &mut read).await {
            Ok((new, planned)) => (self.apply(old, new, planned).await, None),
            Err(why) => {
                tracing::error!(code = "reload_refused", "nothing was changed: {}", why.why());
                self.fence.announce(&Event::ReloadRefused { reason: why.why().into() });
                (old, Some(read))
            }
        }
    }

    /// The new settings and what becomes of each server, all of it found to be good before anything changes.
    async fn find_good(&mut self, old: &Settings, read: &mut Refused) -> Result<(Settings, Planned<'a>), Failure> {
        let new = settings(self.args, self.stores.settings(), &mut read.sources)?;
        let certificates = new.servers.iter().filter_map(|server| options(server).tls);
        let named = certificates.flat_map(|tls| tls_files(&tls)).chain(token_files(&new));
        read.named = named.map(Source::now).collect();
        let validators = self.validators.successors(old, &new)?;
        let keys = api_keys::keys(&new.admin.keys)?;
        self.admin.check(&keys)?;
        let mut servers = Vec::new();
        for (server, running) in old.servers.iter().zip(self.servers) {
            if let Ok(settings) = new.server(&server.name) {
                let plan = running.plan(&options(settings)).await;
                let plan = plan.map_err(|why| Failure::Listen(format!("server {}: {why}", server.name)))?;
                servers.push((server.name.clone(), plan));
            }
        }
        // What was opened where another directory cannot be had waits for the next time.
        self.stores.open_more(&new.spill_stores, self.fence).await?;
        Ok((new, Planned { servers, validators, keys }))
    }

    async fn apply(&mut self, old: Settings, new: Settings, planned: Planned<'a>) -> Settings {
        for warning in &new.warnings {
            tracing::warn!(code = "config", "{warning}");
        }
        // Before anybody's token is asked for that was not before.
        for server in self.validators.replace(planned.validators) {
            // Not what has changed: these are secrets.
            tell(&format!("servers.{server}.auth"), "the tokens believed", "others", Effect::Live);
        }
        if old.admin.keys != new.admin.keys {
            self.admin.adopt(&planned.keys);
            tell("admin.keys", "the keys", "others", Effect::Live);
        }
        for (name, plan) in planned.servers {
            for Change { key, from, to, effect } in plan.carry_out() {
                tell(&format!("servers.{name}.{key}"), &from, &to, effect);
            }
        }
        for difference in differences(&old.catalog, &new.catalog) {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            tell(&difference.key, &or_none(difference.from), &or_none(difference.to), Effect::Live);
        }
        let log = self.adopt_log(old.log, new.log);
        for what in needs_restart(&old, &new) {
            tracing::warn!(code = "needs_restart", "{what} has changed; that takes effect with a restart");
        }
        self.fence.reload(&new.catalog).await;
        for (server, running) in old.servers.iter().zip(self.servers) {
            if let Ok(settings) = new.server(&server.name) {
                running.serve_namespaces(settings.namespaces.iter().cloned());
            }
        }
        tracing::info!(code = "reloaded", topics = new.catalog.topics().count(), "the new configuration holds");
        // What needs a restart is still as it was, and is said again with the next reload.
        let servers = old.servers.into_iter().map(|mut server| {
            if let Ok(now) = new.server(&server.name) {
                let memory_budget_bytes = server.memory_budget_bytes;
                server = now.clone();
                server.memory_budget_bytes = memory_budget_bytes;
            }
            server
        });
        let servers = servers.collect();
        let admin = AdminSettings { listen: old.admin.listen.clone(), ..new.admin };
        Settings { servers, admin, log, catalog: new.catalog, sources: new.sources, watch: new.watch, ..old }
    }

    /// Logs as the new settings say, as far as that can change.
    fn adopt_log(&self, old: LogSettings, new: LogSettings) -> LogSettings {
        if old.level == new.level || !self.level.set(new.level) {
            return old;
        }
        tell("log.level", old.level.as_str(), new.level.as_str(), Effect::Live);
        LogSettings { level: new.level, ..old }
    }
}

/// Reads the files of TLS of all servers again. Whether all of them are good; the log has from the servers what is not, once
/// for each reason, and from here `again`.
pub(crate) async fn certificates(servers: &[Server], again: bool) -> bool {
    let mut are_good = true;
    for server in servers {
        match server.reload_tls().await {
            Ok(true) => {
                let server = server.name();
                tracing::info!(code = "tls_reloaded", server, "new connections are shown the new certificate");
            }
            Ok(false) => {}
            Err(why) => {
                are_good = false;
                if again {
                    let (server, reason) = (server.name(), why.to_string());
                    tracing::warn!(code = "tls_still_refused", server, reason, "the certificate stays as it was");
                }
            }
        }
    }
    are_good
}

/// One line of the difference.
fn tell(key: &str, from: &str, to: &str, effect: Effect) {
    let when = match effect {
        Effect::Live => "at once",
        Effect::NewConnections => "for new connections",
        Effect::NeedsRestart => {
            let code = "needs_restart";
            tracing::warn!(code, key, from, to, "`{key}` has changed; that takes effect with a restart");
            return;
        }
    };
    let effect = effect.as_str();
    tracing::info!(code = "config_changed", key, from, to, effect, "`{key}` has changed {when}");
}

/// What has changed beside the options of servers and cannot change while it runs.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<String> {
    let mut changed = Vec::new();
    for server in old.servers.iter().filter(|server| new.server(&server.name).is_err()) {
        changed.push(format!("that there is no server `{}` any more", server.name));
    }
    for server in new.servers.iter().filter(|server| old.server(&server.name).is_err()) {
        changed.push(format!("that there is a server `{}`", server.name));
    }
    if old.memory_budget_bytes() != new.memory_budget_bytes() {
        changed.push("`memoryBudgetBytes`".to_owned());
    }
    if old.admin.listen != new.admin.listen {
        changed.push("the address of `admin`".to_owned());
    }
    if old.log.format != new.log.format {
        changed.push("`log.format`".to_owned());
    }
    changed.extend(new.spill_pending.iter().cloned());
    changed
}

#[cfg(test)]
mod tests;

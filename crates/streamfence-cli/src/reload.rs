//! The configuration is read again: what can change while it runs holds from now on, or nothing of it does.
//!
//! Never when: that is for whoever hears of SIGHUP, or of files that change.

use streamfence_config::{AdminSettings, Listen, LogSettings, Settings, Source, differences};
use streamfence_core::Event;
use streamfence_http::{ChangedKey, Keys};
use streamfence_runtime::Fence;
use streamfence_socketio::{Change, Effect, Plan, Server};

use crate::admin_address::AdminAddress;
use crate::api_keys;
use crate::args::ServeArgs;
use crate::auth::{Successors, Validators, token_files};
use crate::exit::Failure;
use crate::log::Level;
use crate::memory;
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
    /// Reads the file again; says what holds now, and what has changed or was refused.
    pub(crate) async fn run(mut self, old: Settings) -> (Settings, Result<Vec<ChangedKey>, (Failure, Refused)>) {
        let mut read = Refused::default();
        match self.find_good(&old, &mut read).await {
            Ok((new, planned)) => match self.stores.open_more(&new.spill_stores, self.fence).await {
                // What was opened where another directory cannot be had waits for the next time.
                Err(why) => (self.refuse(old, &why), Err((why, read))),
                Ok(()) => {
                    let changes = self.changes(&old, &new, &planned);
                    (self.apply(old, new, planned, &changes).await, Ok(changes))
                }
            },
            Err(why) => (self.refuse(old, &why), Err((why, read))),
        }
    }

    /// Reads the file again, says what it would change, and leaves everything as it is. Directories that it would spill to
    /// are not opened.
    pub(crate) async fn look(&mut self, old: &Settings) -> Result<Vec<ChangedKey>, Failure> {
        let (new, planned) = self.find_good(old, &mut Refused::default()).await?;
        Ok(self.changes(old, &new, &planned))
    }

    fn refuse(&self, old: Settings, why: &Failure) -> Settings {
        tracing::error!(code = "reload_refused", "nothing was changed: {}", why.why());
        self.fence.announce(&Event::ReloadRefused { reason: why.why().into() });
        old
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
        Ok((new, Planned { servers, validators, keys }))
    }

    /// Every key that is not what it was.
    fn changes(&self, old: &Settings, new: &Settings, planned: &Planned<'_>) -> Vec<ChangedKey> {
        let mut changes = Vec::new();
        for server in planned.validators.servers() {
            // Not what has changed: these are secrets.
            changes.push(changed(format!("servers.{server}.auth"), "the tokens believed", "others", Effect::Live));
        }
        if old.admin.keys != new.admin.keys {
            changes.push(changed("admin.keys", "the keys", "others", Effect::Live));
        }
        for (name, plan) in &planned.servers {
            for Change { key, from, to, effect } in plan.changes() {
                changes.push(changed(format!("servers.{name}.{key}"), from, to, *effect));
            }
        }
        for difference in differences(&old.catalog, &new.catalog) {
            let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            changes.push(changed(difference.key, or_none(difference.from), or_none(difference.to), Effect::Live));
        }
        if old.log.level != new.log.level && !self.level.is_fixed() {
            changes.push(changed("log.level", old.log.level.as_str(), new.log.level.as_str(), Effect::Live));
        }
        let budgets = [old.memory_budget_bytes(), budget_of_running(old, new)];
        if budgets[0] != budgets[1] {
            let [from, to] = budgets.map(|bytes| bytes.map_or_else(|| "none".to_owned(), |bytes| bytes.to_string()));
            changes.push(changed("memoryBudgetBytes", from, to, Effect::Live));
        }
        changes.extend(needs_restart(old, new));
        changes
    }

    async fn apply(&mut self, old: Settings, new: Settings, planned: Planned<'_>, changes: &[ChangedKey]) -> Settings {
        for warning in &new.warnings {
            tracing::warn!(code = "config", "{warning}");
        }
        changes.iter().for_each(tell);
        // Before anybody's token is asked for that was not before.
        self.validators.replace(planned.validators);
        if old.admin.keys != new.admin.keys {
            self.admin.adopt(&planned.keys);
        }
        for (_, plan) in planned.servers {
            // It was told already.
            let _changes = plan.carry_out();
        }
        // What somebody has asked for while it ran holds until the file says something else than before.
        let is_another = old.log.level != new.log.level;
        let log = if is_another && self.level.set(new.log.level) {
            LogSettings { level: new.log.level, ..old.log }
        } else {
            old.log
        };
        if old.memory_budget_bytes() != budget_of_running(&old, &new) {
            let budget = memory::budget(budget_of_running(&old, &new));
            tracing::info!(
                code = "memory_budget",
                bytes = budget.bytes,
                because = budget.because,
                "memory budget for messages"
            );
            let _always_there = self.fence.set_memory_budget(budget.bytes).await;
        }
        self.fence.reload(&new.catalog).await;
        for (server, running) in old.servers.iter().zip(self.servers) {
            if let Ok(settings) = new.server(&server.name) {
                running.serve_namespaces(settings.namespaces.iter().cloned());
            }
        }
        let (topics, waiting) = (new.catalog.topics().count(), changes.iter().filter(|change| waits(change)).count());
        let but = if waiting > 0 { ", but for what waits for a restart" } else { "" };
        tracing::info!(code = "reloaded", topics, needs_restart = waiting, "the new configuration holds{but}");
        // What needs a restart is still as it was, and is said again with the next reload.
        let servers = old.servers.into_iter().map(|mut server| {
            if let Ok(now) = new.server(&server.name) {
                server = now.clone();
            }
            server
        });
        let servers = servers.collect();
        let admin = AdminSettings { listen: old.admin.listen.clone(), ..new.admin };
        Settings { servers, admin, log, catalog: new.catalog, sources: new.sources, watch: new.watch, ..old }
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

fn changed(key: impl Into<String>, from: impl Into<String>, to: impl Into<String>, effect: Effect) -> ChangedKey {
    let effect = match effect {
        Effect::Live => "live",
        Effect::NewConnections => "new connections",
        Effect::NeedsRestart => ChangedKey::NEEDS_RESTART,
    };
    ChangedKey { key: key.into(), from: from.into(), to: to.into(), effect }
}

/// What the servers that run give messages to take: those that are there, as they are now, and those that wait for a restart
/// to go, as they were.
fn budget_of_running(old: &Settings, new: &Settings) -> Option<u64> {
    let running = old.servers.iter().map(|server| new.server(&server.name).unwrap_or(server));
    running.filter_map(|server| server.memory_budget_bytes).reduce(u64::saturating_add)
}

/// One line of the difference.
fn tell(change: &ChangedKey) {
    let ChangedKey { key, from, to, effect } = change;
    if waits(change) {
        let what = "that takes effect with a restart";
        tracing::warn!(code = "needs_restart", key, from, to, "`{key}` has changed; {what}");
        return;
    }
    let when = if *effect == "live" { "at once" } else { "for new connections" };
    let effect = effect.replace(' ', "_");
    tracing::info!(code = "config_changed", key, from, to, effect, "`{key}` has changed {when}");
}

/// What has changed beside the options of servers and cannot change while it runs.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<ChangedKey> {
    let mut changes = Vec::new();
    let mut add = |key: String, from: String, to: String| changes.push(changed(key, from, to, Effect::NeedsRestart));
    for server in old.servers.iter().filter(|server| new.server(&server.name).is_err()) {
        add(format!("servers.{}", server.name), "there".into(), "none".into());
    }
    for server in new.servers.iter().filter(|server| old.server(&server.name).is_err()) {
        add(format!("servers.{}", server.name), "none".into(), "there".into());
    }
    match (&old.admin.listen, &new.admin.listen) {
        (Listen::Tcp { host, port }, Listen::Tcp { host: new_host, port: new_port }) => {
            if host != new_host {
                add("admin.host".into(), host.clone(), new_host.clone());
            }
            if port != new_port {
                add("admin.port".into(), port.to_string(), new_port.to_string());
            }
        }
        // The file names a socket in place of a host.
        (old, new) if old != new => add("admin.host".into(), old.to_string(), new.to_string()),
        _ => {}
    }
    if old.log.format != new.log.format {
        let word = |settings: &Settings| format!("{:?}", settings.log.format).to_lowercase();
        add("log.format".into(), word(old), word(new));
    }
    if old.tracing != new.tracing {
        // Not what has changed: some of it is secret.
        add("tracing".into(), "as it is".into(), "another".into());
    }
    for pending in &new.spill_pending {
        add(pending.replace('`', ""), "as it is".into(), "another".into());
    }
    changes
}

/// Whether it cannot change while it runs.
fn waits(change: &ChangedKey) -> bool {
    change.effect == ChangedKey::NEEDS_RESTART
}

#[cfg(test)]
mod tests;

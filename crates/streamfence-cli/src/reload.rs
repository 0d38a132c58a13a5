//! SIGHUP: the file is read again, and what it says of namespaces and topics holds from now on, or nothing does.

use streamfence_config::Settings;
use streamfence_core::Event;
use streamfence_runtime::Fence;
use streamfence_socketio::Server;

use crate::args::ServeArgs;
use crate::auth::{Validators, with_sources_of};
use crate::serve::{options, settings};
use crate::spill::Stores;

/// Reads the file again; says what holds now.
pub(crate) async fn reload(
    args: &ServeArgs,
    old: Settings,
    fence: &Fence,
    servers: &[Server],
    stores: &mut Stores,
    validators: &mut Validators,
) -> Settings {
    let new = match settings(args, stores.settings()) {
        Ok(new) => match validators.successors(&old, &new) {
            // The directories are opened before anything changes, so that one that cannot be had leaves all as it was.
            Ok(successors) => stores.open_more(&new.spill_stores, fence).await.map(|()| (new, successors)),
            Err(why) => Err(why),
        },
        Err(why) => Err(why),
    };
    let (new, successors) = match new {
        Ok(new) => new,
        Err(why) => {
            tracing::error!(code = "reload_refused", "nothing was changed: {}", why.why());
            fence.announce(&Event::ReloadRefused { reason: why.why().into() });
            return old;
        }
    };
    for warning in &new.warnings {
        tracing::warn!(code = "config", "{warning}");
    }
    for what in needs_restart(&old, &new) {
        tracing::warn!(code = "needs_restart", "{what} has changed; that takes effect with a restart");
    }
    validators.replace(successors);
    fence.reload(&new.catalog).await;
    // The servers run in the order of the old file.
    for (server, running) in old.servers.iter().zip(servers) {
        if let Ok(settings) = new.server(&server.name) {
            running.serve_namespaces(settings.namespaces.iter().cloned());
        }
    }
    tracing::info!(code = "reloaded", topics = new.catalog.topics().count(), "the new configuration holds");
    // What needs a restart is still as it was, and is said again with the next reload.
    let mut servers = old.servers;
    for server in &mut servers {
        let now = new.server(&server.name).ok().and_then(|now| now.auth.as_ref());
        server.auth = match (server.auth.take(), now) {
            (Some(held), Some(now)) => Some(with_sources_of(held, now)),
            (held, _) => held,
        };
    }
    Settings { catalog: new.catalog, servers, ..old }
}

/// What has changed and cannot change while it runs.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<String> {
    let mut changed = Vec::new();
    for server in &old.servers {
        match new.server(&server.name) {
            Ok(now) if options(now) != options(server) => changed.push(format!("server `{}`", server.name)),
            Ok(_) => {}
            Err(_) => changed.push(format!("that there is no server `{}` any more", server.name)),
        }
    }
    for server in &new.servers {
        if old.server(&server.name).is_err() {
            changed.push(format!("that there is a server `{}`", server.name));
        }
    }
    if old.memory_budget_bytes() != new.memory_budget_bytes() {
        changed.push("`memoryBudgetBytes`".to_owned());
    }
    if old.admin != new.admin {
        changed.push("`admin`".to_owned());
    }
    if old.log != new.log {
        changed.push("`log`".to_owned());
    }
    changed.extend(new.spill_pending.iter().cloned());
    changed
}

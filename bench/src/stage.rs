//! A server and its clients, side by side.

use std::time::Duration;

use anyhow::ensure;

use crate::child::{CLIENTS_CORE, Process, SERVER_CORE};
use crate::clients::Seen;
use crate::server::{Kind, Order, Outcome, Ports};

pub(crate) struct Stage {
    server: Process,
    clients: Process,
    count: u64,
}

impl Stage {
    /// Starts both and waits until all clients are in.
    pub(crate) fn set(kind: Kind, count: u32, window: Option<u16>, is_pinned: bool) -> anyhow::Result<Self> {
        let core = |core| is_pinned.then_some(core);
        let count_text = count.to_string();
        let mut arguments = strings(["server", &kind.name(), "--clients", &count_text]);
        if let Some(window) = window {
            arguments.extend(strings(["--window", &window.to_string()]));
        }
        let server = Process::start(core(SERVER_CORE), &arguments)?;
        let ports: Ports = server.hear(PATIENCE)?;
        let (port, control) = (ports.clients.to_string(), ports.control.to_string());
        let mut arguments = strings(["clients", "--port", &port, "--control", &control, "--clients", &count_text]);
        if window.is_some() {
            arguments.push("--ack".into());
        }
        let clients = Process::start(core(CLIENTS_CORE), &arguments)?;
        let seen: Seen = clients.hear(PATIENCE)?;
        ensure!(seen.clients == count, "{} of {count} clients are in", seen.clients);
        Ok(Self { server, clients, count: count.into() })
    }

    /// Runs a load, and makes sure that every client had every message, once and in order.
    pub(crate) fn run(&mut self, order: Order) -> anyhow::Result<Outcome> {
        let outcome: Outcome = self.server.ask(&order, order.warm_up + order.measured + PATIENCE)?;
        let seen: Seen = self.clients.ask(&(), PATIENCE)?;
        ensure!(seen.wrong.is_none(), "a client saw something wrong: {}", seen.wrong.unwrap_or_default());
        let wanted = outcome.published * self.count;
        ensure!(seen.messages == wanted, "{} of {wanted} messages arrived", seen.messages);
        Ok(outcome)
    }
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

const PATIENCE: Duration = Duration::from_secs(90);

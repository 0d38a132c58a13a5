//! A server and its clients, side by side.

use std::time::Duration;

use anyhow::ensure;

use crate::certificate::Certificate;
use crate::child::{CLIENTS_CORE, Process, SERVER_CORE};
use crate::clients::Seen;
use crate::server::{Kind, Look, Order, Outcome, Ports, Pressure};

/// Who is on a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) kind: Kind,
    /// All clients, the stuck ones included.
    pub(crate) clients: u32,
    /// How many of them never read.
    pub(crate) stuck: u32,
    /// Acknowledged with this window.
    pub(crate) window: Option<u16>,
    /// Whether they speak TLS, as only the fence does here.
    pub(crate) tls: bool,
}

pub(crate) struct Stage {
    server: Process,
    pub(crate) ports: Ports,
    clients: Vec<Process>,
    readers: u64,
    is_pinned: bool,
    /// Read by both while they begin.
    _certificate: Option<Certificate>,
}

impl Cast {
    pub(crate) fn new(kind: Kind, clients: u32) -> Self {
        Self { kind, clients, stuck: 0, window: None, tls: false }
    }
}

impl Stage {
    /// Starts both and waits until all clients are in.
    pub(crate) fn set(cast: Cast, is_pinned: bool) -> anyhow::Result<Self> {
        let mut arguments = Vec::new();
        if let Some(window) = cast.window {
            arguments.extend(["--window".into(), window.to_string()]);
        }
        arguments.extend(["--stuck".into(), cast.stuck.to_string()]);
        let certificate = if cast.tls { Some(Certificate::make()?) } else { None };
        let tls = certificate.iter().flat_map(|made| ["--tls".into(), made.directory.display().to_string()]);
        let tls: Vec<String> = tls.collect();
        arguments.extend_from_slice(&tls);
        let mut stage = Self::with_server(cast.kind, cast.clients, &arguments, is_pinned)?;
        let (readers, control) = (cast.clients - cast.stuck, stage.ports.control.to_string());
        let mut arguments = strings(["--control", &control, "--stuck", &cast.stuck.to_string()]);
        if cast.window.is_some() {
            arguments.push("--ack".into());
        }
        arguments.extend(tls);
        stage.readers = readers.into();
        stage._certificate = certificate;
        stage.enter(readers, &arguments)?;
        Ok(stage)
    }

    /// A server that nobody has come to, and that publishes nothing.
    pub(crate) fn empty(kind: Kind, clients: u32, is_pinned: bool) -> anyhow::Result<Self> {
        Self::with_server(kind, clients, &[], is_pinned)
    }

    fn with_server(kind: Kind, clients: u32, more: &[String], is_pinned: bool) -> anyhow::Result<Self> {
        let mut arguments = strings(["server", &kind.name(), "--clients", &clients.to_string()]);
        arguments.extend_from_slice(more);
        let server = Process::start(is_pinned.then_some(SERVER_CORE), &arguments)?;
        let ports: Ports = server.hear(PATIENCE)?;
        Ok(Self { server, ports, clients: Vec::new(), readers: 0, is_pinned, _certificate: None })
    }

    /// Has clients come, and stay, who hear nothing.
    pub(crate) fn fill(&mut self, count: u32) -> anyhow::Result<()> {
        self.enter(count, &[])
    }

    fn enter(&mut self, count: u32, more: &[String]) -> anyhow::Result<()> {
        let clients = self.clients(count, more)?;
        let seen: Seen = clients.hear(PATIENCE)?;
        ensure!(seen.clients == count, "{} of {count} clients are in", seen.clients);
        self.clients.push(clients);
        Ok(())
    }

    /// A process that storms the server when it is told to.
    pub(crate) fn storm(&self, most: u32) -> anyhow::Result<Process> {
        let storm = self.clients(most, &["--storm".into()])?;
        storm.hear::<u32>(PATIENCE)?;
        Ok(storm)
    }

    fn clients(&self, count: u32, more: &[String]) -> anyhow::Result<Process> {
        let (port, count) = (self.ports.clients.to_string(), count.to_string());
        let mut arguments = strings(["clients", "--port", &port, "--clients", &count]);
        arguments.extend_from_slice(more);
        Process::start(self.is_pinned.then_some(CLIENTS_CORE), &arguments)
    }

    /// Publishes, and makes sure that every client that reads had every message, once and in order.
    pub(crate) fn run(
        &mut self,
        how: Pressure,
        warm_up: Duration,
        measured: Duration,
    ) -> anyhow::Result<(Outcome, Seen)> {
        self.begin(how, warm_up, measured)?;
        self.end(warm_up + measured)
    }

    /// Begins to publish.
    pub(crate) fn begin(&mut self, how: Pressure, warm_up: Duration, measured: Duration) -> anyhow::Result<()> {
        self.server.tell(&Order::Publish { how, warm_up, measured })
    }

    /// Waits for the end of what was begun.
    pub(crate) fn end(&mut self, within: Duration) -> anyhow::Result<(Outcome, Seen)> {
        let outcome: Outcome = self.server.hear(within + PATIENCE)?;
        let mut all = Seen::default();
        for clients in &mut self.clients {
            let seen: Seen = clients.ask(&(), PATIENCE)?;
            ensure!(seen.wrong.is_none(), "a client saw something wrong: {}", seen.wrong.unwrap_or_default());
            all = seen;
        }
        let wanted = outcome.published * self.readers;
        ensure!(all.messages == wanted, "{} of {wanted} messages arrived", all.messages);
        Ok((outcome, all))
    }

    /// What the server has used so far.
    pub(crate) fn look(&mut self) -> anyhow::Result<Look> {
        self.server.ask(&Order::Look, PATIENCE)
    }
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

const PATIENCE: Duration = Duration::from_secs(90);

//! A process of the bench, told and asked in lines, and ended with its owner.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A running process of this same program. It ends when this is dropped, and when this process ends in any way,
/// because its standard input ends then.
pub(crate) struct Process {
    name: String,
    child: Child,
    orders: ChildStdin,
    lines: Receiver<String>,
}

/// Which core each process gets.
pub(crate) const SERVER_CORE: u32 = 0;
pub(crate) const CLIENTS_CORE: u32 = 1;

impl Process {
    pub(crate) fn start(core: Option<u32>, arguments: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take().context("it is piped")?;
        let output = child.stdout.take().context("it is piped")?;
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name: arguments[..arguments.len().min(2)].join(" "), child, orders, lines })
    }

    /// Waits for the next line it says.
    pub(crate) fn hear<T: DeserializeOwned>(&self, patience: Duration) -> anyhow::Result<T> {
        let line = self.lines.recv_timeout(patience).with_context(|| format!("`{}` says nothing", self.name))?;
        serde_json::from_str(&line).with_context(|| format!("`{}` says {line:?}", self.name))
    }

    /// Gives it an order and waits for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, order: &impl Serialize, patience: Duration) -> anyhow::Result<T> {
        self.tell(order)?;
        self.hear(patience)
    }

    /// Gives it an order.
    pub(crate) fn tell(&mut self, order: &impl Serialize) -> anyhow::Result<()> {
        let order = serde_json::to_string(order)?;
        writeln!(self.orders, "{order}").with_context(|| format!("`{}` is gone", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already; it is waited for in any case.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Whether processes can be given a core each.
pub(crate) fn can_pin() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pin = |core: u32| {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string(), "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    cores > 1 && pin(SERVER_CORE) && pin(CLIENTS_CORE)
}

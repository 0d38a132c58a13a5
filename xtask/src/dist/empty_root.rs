//! The binary alone in the world: it serves where there is no other file, as in an image made from nothing.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xshell::Shell;

use crate::tools;

/// What whoever runs containers puts beside a program, and all that names are found by without DNS.
const HOSTS: &str = "127.0.0.1 localhost\n127.0.0.1 fence.test\n";
/// For each thing that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the binary as the only program there is, asks it by its address and by a name, and has it stop.
pub(super) fn check(sh: &Shell, binary: &Path) -> Result<()> {
    let root = tools::target_dir(sh)?.join("dist-root");
    sh.remove_path(&root)?;
    sh.create_dir(root.join("etc"))?;
    sh.write_file(root.join("etc/hosts"), HOSTS)?;
    sh.copy_file(binary, root.join("streamfence"))?;
    let outcome = match way_into(&root)? {
        Some(way) => serves(&way).context("alone in an empty root"),
        None => {
            println!("neither root nor a user namespace is to be had here: it was NOT run in an empty root");
            Ok(())
        }
    };
    sh.remove_path(&root)?;
    outcome
}

/// The command that has a program see nothing but this folder, where anything here may do that.
fn way_into(root: &Path) -> Result<Option<Vec<String>>> {
    let root = format!("--root={}", root.to_str().context("the target directory is not UTF-8")?);
    for more in [&[][..], &["--user", "--map-root-user"]] {
        let way: Vec<String> =
            ["unshare"].iter().chain(more).copied().map(str::to_owned).chain([root.clone()]).collect();
        let said = inside(&way, &["version"]).output().context("unshare (of util-linux)")?;
        if said.status.success() {
            return Ok(Some(way));
        }
        let why = String::from_utf8_lossy(&said.stderr);
        // It ends with 1 where it may not, and with 126 or 127 where the program does not start.
        ensure!(said.status.code() == Some(1) && why.starts_with("unshare:"), "in an empty root: {why}");
    }
    Ok(None)
}

fn inside(way: &[String], args: &[&str]) -> Command {
    let mut command = Command::new(&way[0]);
    command.args(&way[1..]).arg("/streamfence").args(args).stdin(Stdio::null());
    command
}

fn serves(way: &[String]) -> Result<()> {
    let anywhere = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"];
    let mut server = Running(inside(way, &anywhere).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?);
    let address = server.admin_address()?;
    let port = address.rsplit(':').next().context("it has a port")?;
    for host in ["127.0.0.1", "localhost", "fence.test"] {
        let asked = inside(way, &["health", "--live", &format!("{host}:{port}")]).output()?;
        ensure!(asked.status.success(), "{host}: {}", String::from_utf8_lossy(&asked.stderr));
    }
    server.stop()
}

/// A server, which is killed if nothing else ends it.
struct Running(Child);

impl Running {
    /// Where it says that its API is.
    fn admin_address(&mut self) -> Result<String> {
        let log = BufReader::new(self.0.stderr.take().context("its log is read once")?);
        let (found, wanted) = mpsc::channel();
        // Read to its end: a full pipe would hold the server.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                println!("  {line}");
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                let event = event.get("fields").unwrap_or(&event);
                if event["message"] == "listening" && event["server"] == "admin" {
                    let _nobody_waits = found.send(event["address"].as_str().unwrap_or_default().to_owned());
                }
            }
        });
        wanted.recv_timeout(PATIENCE).context("it does not say that it listens")
    }

    /// As a supervisor does it.
    fn stop(&mut self) -> Result<()> {
        ensure!(Command::new("kill").arg(self.0.id().to_string()).status()?.success(), "it has ended");
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait()? {
                ensure!(status.success(), "it ends with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("it does not end")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _has_ended = self.0.kill();
        let _has_ended = self.0.wait();
    }
}

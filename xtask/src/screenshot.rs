//! `cargo xtask screenshot`: the picture of the dashboard in the README, made anew from the demo that really runs.

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::{e2e, tools};

const PICTURE: &str = "docs/images/dashboard.png";

/// What a page should not have to load more than, in bytes.
const LARGEST: u64 = 300_000;

/// Starts the demo with a slow client in a browser, and takes its picture after two minutes.
pub(crate) fn run(sh: &Shell, binary: &e2e::Binary) -> Result<()> {
    tools::ensure_runtimes(sh)?;
    tools::ensure_chromium(sh)?;
    e2e::npm_packages(sh, "e2e")?;
    let binary = binary.find(sh)?;
    let picture = tools::root().join(PICTURE);
    cmd!(sh, "node e2e/screenshot.mjs {picture}").env("STREAMFENCE_BIN", binary).run()?;
    let bytes = std::fs::metadata(&picture)?.len();
    println!("{PICTURE}: {bytes} bytes");
    ensure!(bytes <= LARGEST, "{PICTURE} has {bytes} bytes, at most {LARGEST} are wanted");
    Ok(())
}

//! The binary as it is shipped: on Linux one that needs nothing of the machine it runs on.
//!
//! The C library is linked into it, also that of GNU: such a program has an allocator made for many threads, which musl's
//! is not. `docs/platforms.md` says what it gives up for that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::tools;

/// What has the C library linked in. A program that was linked so does not find its `getrandom` by name, and would read
/// `/dev/urandom` instead, which an empty root has not; so it is said that there is one.
const STATIC: &str = r#"-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom""#;

/// The target that this machine is.
pub(crate) fn host(sh: &Shell) -> Result<String> {
    Ok(cmd!(sh, "rustc --print host-tuple").quiet().read()?)
}

/// Builds it for a target, by a profile other than `dev`, and says where it is.
///
/// The target is always named: only then what runs while it is built, which must load libraries, is built in another way,
/// and lies in another folder than what `cargo build` makes.
pub(crate) fn build(sh: &Shell, profile: &str, target: &str) -> Result<PathBuf> {
    let package = ["--package", "streamfence-cli", "--bin", "streamfence"];
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let ours = if is_linux(target) { STATIC } else { "" };
    let build = cmd!(sh, "cargo build --locked --profile {profile} {package...} --target {target}");
    build.env("RUSTFLAGS", format!("{flags} {ours}").trim()).run().context(
        "building a static binary, which wants the C library as an archive (libc.a: libc6-dev of Debian, glibc-static of Fedora)",
    )?;
    let binary = tools::target_dir(sh)?.join(target).join(profile).join("streamfence");
    check(sh, &binary, target)?;
    Ok(binary)
}

/// Fails where a program for Linux needs libraries of the system.
pub(crate) fn check(sh: &Shell, binary: &Path, target: &str) -> Result<()> {
    let is_good = !is_linux(target) || is_static(&sh.read_binary_file(binary)?);
    ensure!(is_good, "{} needs libraries of the system; wanted none", binary.display());
    Ok(())
}

/// Whether programs of a target can be made to need no library.
pub(crate) fn is_linux(target: &str) -> bool {
    target.contains("-linux-")
}

/// Whether a program names no loader, which would bring it libraries. The name stands among its first bytes.
fn is_static(program: &[u8]) -> bool {
    let head = &program[..program.len().min(4_096)];
    !["/ld-linux", "/ld-musl", "/ld64.so"]
        .iter()
        .any(|loader| head.windows(loader.len()).any(|part| part == loader.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{STATIC, is_static};

    #[test]
    fn a_program_that_names_a_loader_is_not_static() {
        assert!(is_static(b"\x7fELF nothing"));
        assert!(!is_static(b"\x7fELF /lib64/ld-linux-x86-64.so.2\0"));
        let ours = std::env::current_exe().expect("it has a name");
        let is_dynamic = cfg!(all(target_os = "linux", not(target_feature = "crt-static")));
        assert_eq!(is_static(&std::fs::read(ours).expect("it can be read")), !is_dynamic);
    }

    #[test]
    fn the_image_has_the_same_binary() {
        let image = std::fs::read_to_string(crate::tools::root().join("deploy/container/Containerfile"));
        let image = image.expect("it can be read");
        assert!(image.contains(&format!("RUSTFLAGS='{STATIC}' cargo build --locked --profile dist")), "{image}");
    }
}

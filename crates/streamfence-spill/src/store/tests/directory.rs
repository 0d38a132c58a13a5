//! What may lie in the place of a store, by accident or by malice.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use streamfence_core::{LogId, SpillCommand, StoreId};
use tempfile::TempDir;

use crate::store::{OpenError, Store, StoreConfig, Warning};

fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(StoreConfig { min_free_bytes: 0, ..StoreConfig::new(path) })
}

fn place() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("there is a place for it");
    let path = root.path().join("spill");
    (root, path)
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").file_name().into_string().expect("it is text"))
        .collect();
    names.sort();
    names
}

fn refused(path: &Path) -> String {
    open(path).expect_err("it is refused").to_string()
}

#[test]
fn a_store_makes_its_directory_for_itself_alone() {
    let (_root, path) = place();
    let path = path.join("deep/er");
    let store = open(&path).expect("it is made");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    let mut backend = store.backend(0, None);
    let log = LogId { store: StoreId(0), number: 1 };
    let open = SpillCommand::Open { log, namespace: "../..".into(), topic: "/etc/passwd\0".into() };
    backend.submit(open).expect("there is room");
    // Its first segment.
    while names(&path).len() < 3 {
        std::thread::yield_now();
    }
    assert_eq!(names(&path), ["LOCK", "STREAMFENCE-SPILL", "s-0000000000000000.seg"]);
    for name in names(&path) {
        assert_eq!(mode(&path.join(name)), 0o600);
    }
    assert_eq!(store.root(), path);
    drop(store);
    assert_eq!(names(&path), ["LOCK", "STREAMFENCE-SPILL"]);
}

#[test]
fn one_directory_has_one_store() {
    let (_root, path) = place();
    let store = open(&path).expect("it is ours");
    let error = refused(&path);
    assert_eq!(
        error,
        format!(
            "spill directory {}: in use by pid {}, wanted one that nobody else uses",
            path.display(),
            std::process::id()
        )
    );
    drop(store);
    open(&path).expect("it is free again");
}

#[test]
fn what_a_store_that_died_has_left_is_wiped_and_nothing_else() {
    let (_root, path) = place();
    drop(open(&path).expect("it is ours"));
    for name in ["s-0000000000000007.seg", "s-00000000000000ff.seg", "s-7.seg", "mine.txt"] {
        fs::write(path.join(name), "text").expect("it can be written");
    }
    let store = open(&path).expect("it is ours");
    assert_eq!(names(&path), ["LOCK", "STREAMFENCE-SPILL", "mine.txt", "s-7.seg"]);
    drop(store);
    assert_eq!(names(&path), ["LOCK", "STREAMFENCE-SPILL", "mine.txt", "s-7.seg"]);
}

#[test]
fn a_link_with_the_name_of_a_leftover_is_removed_and_not_followed() {
    let (root, path) = place();
    drop(open(&path).expect("it is ours"));
    let victim = root.path().join("victim");
    fs::write(&victim, "precious").expect("it can be written");
    symlink(&victim, path.join("s-0000000000000000.seg")).expect("it can be made");
    fs::create_dir(path.join("s-0000000000000001.seg")).expect("it can be made");
    let store = open(&path).expect("it is ours");
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");
    assert_eq!(names(&path), ["LOCK", "STREAMFENCE-SPILL", "s-0000000000000001.seg"]);
    let leftover = store.warnings().iter().any(|warning| matches!(warning, Warning::Leftover { .. }));
    assert!(leftover, "a directory is none of ours: {:?}", store.warnings());
}

#[test]
fn a_directory_of_somebody_else_is_left_as_it_is() {
    let (_root, path) = place();
    DirBuilder::new().mode(0o700).create(&path).expect("it can be made");
    for name in ["s-0000000000000001.seg", "thesis.tex"] {
        fs::write(path.join(name), "text").expect("it can be written");
    }
    let wanted =
        "found `s-0000000000000001.seg` and no file STREAMFENCE-SPILL, wanted an empty directory or one of ours";
    assert!(refused(&path).ends_with(wanted), "{}", refused(&path));
    assert_eq!(names(&path), ["s-0000000000000001.seg", "thesis.tex"], "not even a lock");
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let (_root, path) = place();
    drop(open(&path).expect("it is ours"));
    for mode in [0o701, 0o750, 0o777, 0o720] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        assert!(refused(&path).ends_with(&format!("found mode {mode:04o}, wanted mode 0700")), "{}", refused(&path));
    }
}

#[test]
fn a_link_or_a_file_in_the_place_of_the_directory_is_refused() {
    let (root, path) = place();
    let target = root.path().join("target");
    DirBuilder::new().mode(0o700).create(&target).expect("it can be made");
    symlink(&target, &path).expect("it can be made");
    // A slash at the end would have the system follow it.
    for path in [path.clone(), path.join(""), path.join(".")] {
        assert!(refused(&path).ends_with("found a symbolic link, wanted a directory"), "{}", refused(&path));
    }
    assert_eq!(names(&target), Vec::<String>::new());
    fs::remove_file(&path).expect("it is a link");
    fs::write(&path, "text").expect("it can be written");
    assert!(matches!(open(&path), Err(OpenError::Io { .. })));
}

#[test]
fn a_lock_or_a_marker_that_is_a_link_is_refused_and_its_target_left_as_it_is() {
    for name in ["LOCK", "STREAMFENCE-SPILL"] {
        for is_hard in [false, true] {
            let (root, path) = place();
            drop(open(&path).expect("it is ours"));
            let victim = root.path().join("victim");
            fs::write(&victim, "precious").expect("it can be written");
            fs::remove_file(path.join(name)).expect("it is there");
            match is_hard {
                true => fs::hard_link(&victim, path.join(name)).expect("it can be made"),
                false => symlink(&victim, path.join(name)).expect("it can be made"),
            }
            let error = refused(&path);
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_in_the_place_of_a_file_holds_nobody_up() {
    let (_root, path) = place();
    drop(open(&path).expect("it is ours"));
    fs::remove_file(path.join("LOCK")).expect("it is there");
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path.join("LOCK"), pipe, rustix::fs::Mode::RWXU, 0).expect("it can be made");
    assert!(matches!(open(&path), Err(OpenError::Io { .. })), "{}", refused(&path));
}

#[test]
fn another_version_is_left_as_it_is() {
    let (_root, path) = place();
    drop(open(&path).expect("it is ours"));
    let segment = path.join("s-0000000000000001.seg");
    fs::write(&segment, "of another time").expect("it can be written");
    fs::write(path.join("STREAMFENCE-SPILL"), "streamfence spill directory\nversion 2\n").expect("it can be written");
    assert!(refused(&path).ends_with("found version 2, wanted version 1"), "{}", refused(&path));
    fs::write(path.join("STREAMFENCE-SPILL"), "hello\n").expect("it can be written");
    assert!(refused(&path).ends_with("found another text in its marker, wanted version 1"), "{}", refused(&path));
    assert!(segment.exists());
}

#[test]
fn a_quota_below_one_segment_is_refused() {
    let (_root, path) = place();
    let error = Store::open(StoreConfig { max_bytes: 1 << 20, ..StoreConfig::new(&path) }).expect_err("it is refused");
    assert!(error.to_string().ends_with("found a limit of 1048576 bytes, wanted at least 16777216"), "{error}");
    assert!(!path.exists(), "nothing is made");
}

#[test]
fn a_directory_in_memory_is_warned_of() {
    let memory = Path::new("/dev/shm");
    let Ok(root) = tempfile::tempdir_in(memory) else {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: {} cannot be written to", memory.display());
        }
        return;
    };
    let store = open(&root.path().join("spill")).expect("it can be used all the same");
    let warnings = store.warnings();
    assert!(matches!(warnings, [Warning::InMemory { kind: "tmpfs", .. }]), "{warnings:?}");
}

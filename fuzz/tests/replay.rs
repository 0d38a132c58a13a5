//! Every corpus, without a fuzzer: what was found once is never found again.

use std::fs;
use std::path::Path;

#[test]
fn hub() {
    replay("hub", streamfence_fuzz::hub);
}

#[test]
fn wish() {
    replay("wish", streamfence_fuzz::wish);
}

#[test]
fn seam() {
    replay("seam", streamfence_fuzz::seam);
}

#[test]
fn spill() {
    replay("spill", streamfence_fuzz::spill);
}

#[test]
fn token() {
    replay("token", streamfence_fuzz::token);
}

#[test]
fn config() {
    replay("config", streamfence_fuzz::config);
}

#[test]
fn service() {
    replay("service", streamfence_fuzz::service);
}

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&corpus)
        .expect("every target has a corpus")
        .map(|entry| entry.expect("it is read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds nothing", corpus.display());
    for file in files {
        let bytes = fs::read(&file).expect("a corpus is readable");
        // Shown when it fails: a panic in a target knows nothing of files.
        println!("{}", file.display());
        run(&bytes);
    }
}

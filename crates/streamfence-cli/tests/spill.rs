//! The binary and the directory it spills to.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use process::{Directory, Finished, Running, run};
use serde_json::Value;

/// A file with one server that spills to a directory of that name.
fn spilling(root: &str, more: &str) -> String {
    format!(
        "
servers:
  feed:
    host: 127.0.0.1
    port: 0
    spillRootPath: {root}
    namespaces:
      - {{path: /feed, topics: [event], overflowAction: SPILL_TO_DISK}}
{more}
admin: {{port: 0}}
"
    )
}

fn serve(file: &str) -> Running {
    let mut running = Running::start(&["serve", "--log-format", "json", "-c", file]);
    running.address("feed");
    running
}

#[test]
fn a_directory_is_opened_beside_the_file_and_emptied_at_the_end() {
    let directory = Directory::new();
    let mut running = serve(&directory.write("one.yaml", &spilling("deep/root", "")));
    let root = directory.path("deep/root");
    let said = running.lines();
    assert!(said.iter().any(|line| line["code"] == "spill_opened" && line["root"] == root.as_str()), "{said:?}");
    let Finished { code, stdout, .. } = run(&["spill", "inspect", &root, "--json"]);
    let report: Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!((code, &report["isWhole"], &report["logs"]), (Some(0), &Value::Bool(true), &Value::Array(Vec::new())));
    assert!(report["pid"].is_u64(), "{report}");
    assert_eq!(running.interrupt("TERM").code, Some(0));
    assert_eq!(run(&["spill", "inspect", &root]).code, Some(0));
}

#[test]
fn a_directory_that_cannot_be_had_is_named_before_anything_listens() {
    let directory = Directory::new();
    let file = directory.write("one.yaml", &spilling("root", ""));
    let first = serve(&file);
    let taken = run(&["serve", "-c", &file]);
    assert_eq!(taken.code, Some(4), "{}", taken.stderr);
    let last = taken.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("spillRootPath of feed") && last.contains("in use by pid"), "{last}");
    drop(first);

    fs::DirBuilder::new().mode(0o700).create(directory.path("home")).expect("it is ours");
    directory.write("home/thesis.txt", "all of it");
    let foreign = run(&["serve", "-c", &directory.write("two.yaml", &spilling("home", ""))]);
    assert_eq!(foreign.code, Some(4), "{}", foreign.stderr);
    assert!(foreign.stderr.contains("thesis.txt"), "{}", foreign.stderr);
    assert!(Path::new(&directory.path("home/thesis.txt")).exists(), "nothing of others is touched");
}

#[test]
fn a_reload_that_needs_a_directory_opens_it_or_is_refused() {
    let directory = Directory::new();
    let plain = spilling("root", "").replace("SPILL_TO_DISK", "REJECT_NEW");
    let file = directory.write("one.yaml", &plain);
    let mut running = serve(&file);
    assert!(!Path::new(&directory.path("root")).exists(), "nothing spills");
    let mut reload = |text: &str, code: &str, wanted: &str| {
        directory.write("one.yaml", text);
        let before = running.lines().len();
        running.signal("HUP");
        running.until(code, |running| {
            let lines = running.lines();
            let since = lines.iter().skip(before).filter(|line| line["code"] == code);
            since.into_iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains(wanted)))
        });
    };
    directory.write("in-the-way", "a file");
    reload(&spilling("in-the-way", ""), "reload_refused", "spillRootPath of feed");
    reload(&spilling("root", ""), "spill_opened", "");
    reload(&spilling("elsewhere", ""), "needs_restart", "spillRootPath of server feed");
    assert!(Path::new(&directory.path("root")).exists() && !Path::new(&directory.path("elsewhere")).exists());
    assert_eq!(running.interrupt("TERM").code, Some(0));
}

#[test]
fn what_is_no_directory_of_ours_cannot_be_looked_at() {
    let directory = Directory::new();
    let missing = run(&["spill", "inspect", &directory.path("missing")]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(1), ""));
    assert!(missing.stderr.contains("missing"), "{}", missing.stderr);
    directory.write("thesis.txt", "all of it");
    let foreign = run(&["spill", "inspect", &directory.path("."), "--json"]);
    assert_eq!((foreign.code, foreign.stdout.as_str()), (Some(1), ""));
    assert!(foreign.stderr.contains("is no spill directory"), "{}", foreign.stderr);
    assert_eq!(run(&["spill", "inspect"]).code, Some(2));
}

//! Names and links that would lead out of the directory that lanes spill to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::process::{Directory, Running, post, run};
use crate::scene::Scene;
use crate::socket::Socket;

/// A client that never acks has one message in flight and one that waits; all others of its topic go to disk.
const DISK: &str = "
      - {path: /disk, topics: ['room/*'], deliveryMode: AT_LEAST_ONCE, overflowAction: SPILL_TO_DISK, maxRetries: 9,
         ackTimeoutMs: 60000, maxInFlight: 1, maxQueuedMessagesPerClient: 1}
";

#[test]
fn what_a_topic_is_called_is_nothing_on_disk() {
    let mut scene = Scene::start_with_namespace(DISK);
    let names =
        ["..", ".", "../../../../tmp/out", "a/b", "a_b", "CON", "%2e%2e%2f", "\u{202e}ü\u{0}", "~", "/etc/passwd"];
    let long = "x".repeat(200);
    let mut socket = Socket::join(&scene.address, "/disk");
    let mut spilling = 0;
    for name in names.into_iter().chain([long.as_str()]) {
        let topic = format!("room/{name}");
        socket.say(&format!("42/disk,1{}", json!(["subscribe", {"topic": topic}])));
        if socket.hear("43/disk,1[").contains(r#""ok":false"#) {
            continue;
        }
        spilling += 1;
        for number in 0..20 {
            let message = json!({"namespace": "/disk", "topic": topic, "payload": number});
            let (status, report) = post(&scene.admin, "/v1/publish", &message);
            assert_eq!(status, 202, "{topic:?}: {report}");
        }
    }
    assert!(spilling > 5, "{spilling} of these are names");
    scene.counts("streamfence_spilled_lanes{namespace=\"/disk\",topic=\"room/*\"}", f64::from(spilling));
    let folder = scene.folder();
    let mut found = entries(&folder);
    found.retain(|name| name != "feed.yaml");
    assert_eq!(found, [".streamfence-spill"], "nothing lies beside it");
    let root = folder.join(".streamfence-spill");
    let inside = entries(&root);
    assert!(inside.iter().any(|name| is_segment(name)), "{inside:?}");
    for name in inside {
        let file = fs::symlink_metadata(root.join(&name)).expect("it is there");
        assert!(
            file.is_file() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)),
            "{name}"
        );
    }
    drop(socket);
    scene.settles();
}

#[test]
fn links_in_the_way_are_not_followed() {
    let directory = Directory::new();
    let config = |root: &str| {
        let server = "servers: {feed: {host: 127.0.0.1, port: 0, spillRootPath: ROOT, namespaces:
          [{path: /feed, topics: [t], overflowAction: SPILL_TO_DISK}]}}\nadmin: {port: 0}\n";
        server.replace("ROOT", root)
    };
    // What they point to is somebody's, and is as it was in the end.
    let victim = directory.write("victim.txt", "all of it");
    let home = directory.path("home");
    fs::create_dir(&home).expect("it is ours");
    directory.write("home/thesis.txt", "all of it");

    symlink(&home, directory.path("linked")).expect("it can be made");
    let refused = run(&["serve", "-c", &directory.write("linked.yaml", &config("linked"))]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("linked"), "{}", refused.stderr);

    let file = directory.write("feed.yaml", &config("root"));
    for _ in 0..2 {
        let mut running = Running::start(&["serve", "--log-format", "json", "-c", &file]);
        running.address("feed");
        assert_eq!(running.interrupt("TERM").code, Some(0));
        for (number, target) in [&victim, &home].into_iter().enumerate() {
            let _there_already = symlink(target, directory.path(&format!("root/s-{number:016x}.seg")));
        }
    }
    assert_eq!(fs::read_to_string(&victim).expect("it is there"), "all of it");
    assert_eq!(entries(Path::new(&home)), ["thesis.txt"]);
}

fn is_segment(name: &str) -> bool {
    name.starts_with("s-") && name.ends_with(".seg")
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it can be read");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

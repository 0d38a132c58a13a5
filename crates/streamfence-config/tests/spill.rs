//! What a file says of spilling to disk: how much of a topic, where, and who shares that.

#![expect(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use streamfence_config::{Format, Settings, SpillSettings, load, load_beside, parse};
use streamfence_core::{Delivery, LosslessOverflow, Overflow, SpillFull, SpillRules, StoreId};

fn read(text: &str) -> Result<Settings, String> {
    let nothing = |_: streamfence_config::Reference<'_>| Err("no references here".to_owned());
    parse(text, Format::Yaml, "f.yaml", &nothing).map_err(|errors| errors.to_string())
}

/// What an operator sees of a file: its errors, or its warnings.
fn check(text: &str, seen: Expect) {
    let lines = match read(text) {
        Ok(settings) => settings.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect(),
        Err(errors) => format!("{errors}\n"),
    };
    seen.assert_eq(&lines);
}

/// A file with servers `a`, `b`, .. that have these keys each, with a topic that spills.
fn servers<const N: usize>(keys: [&str; N]) -> String {
    let names = ["a", "b", "c", "d"].into_iter().zip(keys);
    let servers = names.map(|(name, keys)| {
        let topic = format!("{{path: /{name}, topics: [t], overflowAction: SPILL_TO_DISK}}");
        format!("  {name}:\n    {{port: 0, {keys}\n    namespaces: [{topic}]}}\n")
    });
    format!("servers:\n{}", servers.collect::<String>())
}

/// The stores of some settings: number, root and servers.
fn stores(settings: &Settings) -> Vec<(u16, String, String)> {
    let row = |store: &SpillSettings| (store.store.0, store.root.display().to_string(), store.servers.join(","));
    settings.spill_stores.iter().map(row).collect()
}

/// Which store the topic of a server's namespace spills to.
fn store_of(settings: &Settings, server: &str) -> StoreId {
    let namespace = settings.catalog.namespace(&format!("/{server}")).unwrap();
    settings.catalog.class(settings.catalog.topic(namespace, "t").unwrap()).spill.store
}

#[test]
fn both_modes_spill_and_a_topic_has_its_namespaces_room_but_for_what_it_says_itself() {
    let text = "
servers:
  s:
    namespaces:
      - path: /n
        overflowAction: SPILL_TO_DISK
        spill: {maxBytesPerClient: 1000, maxBytesPerTopic: 3000, onFull: disconnect}
        topics:
          - plain
          - {name: acked, deliveryMode: AT_LEAST_ONCE, maxRetries: 1, spill: {max_bytes_per_client: 7}}
          - {name: hot, overflowAction: DROP_OLDEST}
";
    let settings = read(text).unwrap();
    let namespace = settings.catalog.namespace("/n").unwrap();
    let class = |name| settings.catalog.class(settings.catalog.topic(namespace, name).unwrap());
    let spills = |name| match class(name).policy.delivery {
        Delivery::BestEffort { overflow, .. } => overflow == Overflow::Spill,
        Delivery::AtLeastOnce { overflow, .. } => overflow == LosslessOverflow::Spill,
    };
    assert_eq!(["plain", "acked", "hot"].map(spills), [true, true, false]);
    let bytes = std::num::NonZeroU64::new;
    let whole = SpillRules {
        store: StoreId(0),
        max_bytes_per_client: bytes(1000),
        max_bytes_per_topic: bytes(3000),
        on_full: SpillFull::Disconnect,
    };
    assert_eq!(class("plain").spill, whole);
    let own = SpillRules { max_bytes_per_client: bytes(7), ..SpillRules::default() };
    assert_eq!(class("acked").spill, own, "a block of its own counts as a whole");
    assert_eq!(stores(&settings), [(0, ".streamfence-spill".into(), "s".into())]);
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn what_is_to_be_replaced_or_held_back_does_not_spill() {
    let file = |keys: &str| {
        let head = "servers:\n  s:\n    namespaces:\n      - path: /n\n        topics: [a]\n";
        format!("{head}        overflowAction: SPILL_TO_DISK\n        {keys}\n")
    };
    check(
        &file("coalesce: true"),
        expect![[r#"
            f.yaml:7:19: coalesce is true; wanted false, because SPILL_TO_DISK keeps every message, and in order (servers.s.namespaces[0] /n a)
        "#]],
    );
    check(
        &file("maxFrequency: 2.5"),
        expect![[r#"
            f.yaml:7:23: maxFrequency is 2.5; wanted 0, because SPILL_TO_DISK keeps every message, and in order (servers.s.namespaces[0] /n a)
        "#]],
    );
    check(
        &file("deliveryMode: AT_LEAST_ONCE\n        maxRetries: 1\n        coalesce: true"),
        expect![[r#"
            f.yaml:9:19: coalesce is true; AT_LEAST_ONCE wants false (servers.s.namespaces[0] /n a)
        "#]],
    );
    check(
        &file("spill: {onFull: drop, maxBytesPerClient: 0}"),
        expect![[r#"
            f.yaml:7:25: onFull is "drop"; wanted reject or disconnect (servers.s.namespaces[0] /n.spill)
            f.yaml:7:50: maxBytesPerClient is 0; wanted a whole number from 1 to 1125899906842624 (servers.s.namespaces[0] /n.spill)
        "#]],
    );
}

#[test]
fn room_on_disk_is_warned_of_where_nothing_spills() {
    check(
        "
servers:
  s:
    spillRootPath: /var/spill
    spillMaxBytes: 100000000
    spillMinFreeBytes: 0
    namespaces:
      - {path: /n, topics: [{name: a, spill: {onFull: disconnect}}, b]}
      - {path: /m, topics: [a], spill: {onFull: disconnect}}
",
        expect![[r#"
            warning: f.yaml:4:20: spillRootPath has no effect: no topic of the server has overflowAction SPILL_TO_DISK (servers.s)
            warning: f.yaml:5:20: spillMaxBytes has no effect: no topic of the server has overflowAction SPILL_TO_DISK (servers.s)
            warning: f.yaml:6:24: spillMinFreeBytes has no effect: no topic of the server has overflowAction SPILL_TO_DISK (servers.s)
            warning: f.yaml:8:46: spill has no effect: the topic's overflowAction is not SPILL_TO_DISK (servers.s.namespaces[0] /n a)
            warning: f.yaml:9:40: spill has no effect: no topic of the namespace has overflowAction SPILL_TO_DISK (servers.s.namespaces[1] /m)
        "#]],
    );
    // The ancestors' files have it everywhere with its default.
    check("servers: {s: {spillRootPath: .streamfence-spill, namespaces: [{path: /n, topics: [a]}]}}", expect![""]);
}

#[test]
fn servers_that_name_the_same_root_share_one_store_and_agree_on_it() {
    let text =
        servers(["spillRootPath: one,", "spillRootPath: ./one/, spillMaxBytes: 70000000,", "spillRootPath: two,", ""]);
    let settings = read(&text).unwrap();
    let (one, two) = ((0, "one".into(), "a,b".into()), (1, "two".into(), "c".into()));
    assert_eq!(stores(&settings), [one, two, (2, ".streamfence-spill".into(), "d".into())]);
    assert_eq!(["a", "b", "c", "d"].map(|server| store_of(&settings, server).0), [0, 0, 1, 2]);
    assert_eq!(settings.spill_stores[0].max_bytes, 70_000_000, "said once, it holds for all");
    assert_eq!(settings.spill_stores[1].max_bytes, 4 << 30);
    assert_eq!(settings.spill_stores[1].min_free_bytes, 512 << 20);
    assert_eq!(stores(&settings.select(&["b"]).unwrap()), [(0, "one".into(), "b".into())]);

    check(
        &servers([
            "spillMaxBytes: 70000000,",
            "spillMinFreeBytes: 5,",
            "spillMinFreeBytes: 6, spillMaxBytes: 80000000,",
        ]),
        expect![[r#"
            f.yaml:9:34: spillMinFreeBytes is 6; wanted 5, as servers.b says at 6:34 of the same spillRootPath (servers.c)
            f.yaml:9:52: spillMaxBytes is 80000000; wanted 70000000, as servers.a says at 3:30 of the same spillRootPath (servers.c)
        "#]],
    );
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("streamfence-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, text: &str) -> PathBuf {
        let file = self.0.join("f.yaml");
        fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn roots_are_relative_to_the_file() {
    let directory = Directory::new("relative");
    let settings = load(directory.write(&servers(["spillRootPath: one,", "spillRootPath: /abs/two,"]))).unwrap();
    let roots: Vec<_> = settings.spill_stores.iter().map(|store| store.root.clone()).collect();
    assert_eq!(roots, [directory.0.join("one"), Path::new("/abs/two").to_owned()]);
    assert_eq!(settings.server("a").unwrap().spill_root, directory.0.join("one"));
}

#[test]
fn whoever_spills_stays_where_it_does_and_what_is_new_gets_a_number_of_its_own() {
    let directory = Directory::new("beside");
    let before = load(directory.write(&servers(["spillRootPath: one, spillMaxBytes: 70000000,"]))).unwrap();
    let open = before.spill_stores;
    let text =
        servers(["spillRootPath: moved, spillMaxBytes: 90000000,", "spillRootPath: one,", "spillRootPath: three,"]);
    let after = load_beside(directory.write(&text), &open).unwrap();
    let path = |name: &str| directory.0.join(name).display().to_string();
    assert_eq!(stores(&after), [(0, path("one"), "a,b".into()), (1, path("three"), "c".into())]);
    assert_eq!(after.spill_stores[0].max_bytes, open[0].max_bytes, "it is open with what was said before");
    assert_eq!(after.server("a").unwrap().spill_root, directory.0.join("moved"), "for whoever asks what has changed");
    assert_eq!(["a", "b", "c"].map(|server| store_of(&after, server).0), [0, 0, 1]);
    let limits = format!("`spillMaxBytes` or `spillMinFreeBytes` of `{}`", path("one"));
    assert_eq!(after.spill_pending, ["`spillRootPath` of server `a`".to_owned(), limits]);
    let same = servers(["spillRootPath: one, spillMaxBytes: 70000000,"]);
    let again = load_beside(directory.write(&same), &open).unwrap();
    assert_eq!((again.spill_stores, again.spill_pending), (open, Vec::new()));
}

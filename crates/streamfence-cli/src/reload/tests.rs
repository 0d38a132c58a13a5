//! A file that is edited a thousand times, well and badly, under a fence that is published to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser as _;
use streamfence_metrics::Metrics;
use streamfence_runtime::Payload;
use streamfence_socketio::ServerOptions;

use super::*;
use crate::args::{Args, Command};

/// A configuration in a directory that goes with it.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("streamfence-reload-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary directory is writable");
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.join("streamfence.yaml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).expect("the directory is writable");
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A file in which everything that can change says the same number.
fn generation(number: u32) -> String {
    let server = |name: &str| {
        format!(
            "  {name}:
    host: 127.0.0.1
    port: 0
    maxConnections: {0}
    shutdownDrainMs: {0}
    allowedOrigins: [\"https://{0}.example\"]
    maxSubscriptionsPerClient: {0}
    namespaces:
      - {{path: /{name}, topics: [tick, {{name: tock, ttlMs: {0}}}], maxQueuedMessagesPerClient: {0}}}
      - {{path: /{name}{1}, topics: [tick]}}
",
            number,
            number % 3,
        )
    };
    let keys = format!("{{of-{number}: {{keys: a-key-of-generation-{number}, scopes: [read]}}}}");
    let head = format!("log: {{level: error}}\nadmin: {{port: 0, keys: {keys}}}\n");
    format!("{head}servers:\n{}{}", server("one"), server("two"))
}

/// The same, spoilt in one of several ways, each as late in the file as it can be.
fn spoilt(number: u32, how: u64) -> String {
    let text = generation(number);
    match how % 7 {
        0 => text[..text.len() - 20].to_owned(),
        1 => text + "      - {path: /one, topics: [tick]}\n",
        2 => text + "    unheardOf: 1\n",
        3 => {
            text + "      - {path: /three, topics: [a], overflowAction: SPILL_TO_DISK}\n    spillRootPath: streamfence.yaml\n"
        }
        4 => text + "      - {path: /three, topics: [a], deliveryMode: AT_LEAST_ONCE}\n",
        5 => {
            text + "    transport: WSS\n    tls: {certChainPemPath: none.pem, privateKeyPemPath: none.pem, clientAuth: required}\n"
        }
        _ => String::new(),
    }
}

/// Which generation a server's options are of; panics where they are of several.
fn options_of(options: &ServerOptions) -> u32 {
    let number = options.max_connections;
    let wanted = ServerOptions {
        max_connections: number,
        max_subscriptions_per_client: number,
        shutdown_drain: std::time::Duration::from_millis(number.into()),
        allowed_origins: vec![format!("https://{number}.example")],
        ..options.clone()
    };
    assert_eq!(options, &wanted);
    number
}

/// Which generation the catalog is of; panics where it is of several.
fn catalog_of(fence: &Fence) -> u32 {
    let catalog = fence.catalog();
    let class = |path, name| {
        let namespace = catalog.namespace(path).expect("it is in all of them");
        catalog.class(catalog.topic(namespace, name).expect("it is in all of them"))
    };
    let [one, two] = ["/one", "/two"].map(|path| class(path, "tock"));
    let number = one.policy.limits.messages.get();
    for class in [one, two] {
        assert_eq!(class.policy.limits.messages.get(), number);
        assert_eq!(class.ttl.map(|ttl| ttl.as_millis()), Some(number.into()));
    }
    for last in 0..3 {
        for name in ["one", "two"] {
            let is_there = catalog.namespace(&format!("/{name}{last}")).is_some();
            assert_eq!(is_there, number % 3 == last, "/{name}{last} in generation {number}");
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_edits_well_and_badly_made_never_mix_and_a_bad_one_changes_nothing() {
    let file = File::new("thousand");
    file.write(&generation(1));
    let path = file.path();
    let Ok(Args { command: Command::Serve(args) }) =
        Args::try_parse_from(["streamfence", "serve", "-c", path.to_str().expect("it is text")])
    else {
        panic!("it is a command line")
    };
    let mut held = settings(&args, &[], &mut Vec::new()).unwrap_or_else(|why| panic!("{}", why.why()));
    let metrics = Metrics::new(&held.catalog);
    let mut validators = Validators::new(&held.servers).unwrap_or_else(|why| panic!("{}", why.why()));
    let mut stores = Stores::open(&[], &metrics).unwrap_or_else(|why| panic!("{}", why.why()));
    let fence = Fence::from_catalog(held.catalog.clone()).observer(Arc::new(metrics.clone())).shards(2);
    let fence = fence.build().expect("the catalog is valid");
    let keys = api_keys::keys(&held.admin.keys).unwrap_or_else(|why| panic!("{}", why.why()));
    let api = streamfence_http::Api::new(fence.clone(), String::new).keys(keys.clone());
    let admin = AdminAddress::serve(api, keys.clone(), &held.admin.listen).await;
    let admin = admin.unwrap_or_else(|why| panic!("{}", why.why()));
    let mut servers = Vec::new();
    for server in &held.servers {
        let starting = Server::builder(fence.clone()).options(options(server)).namespaces(server.namespaces.clone());
        servers.push(starting.start().await.expect("it starts"));
    }
    let servers = Arc::new(servers);

    let is_over = Arc::new(AtomicBool::new(false));
    let onlooker = tokio::spawn({
        let (fence, servers, is_over) = (fence.clone(), Arc::clone(&servers), Arc::clone(&is_over));
        async move {
            let mut looks = 0_u32;
            let mut last = 0;
            // Often, and not all the time: the edits want the CPU, too.
            let mut often = tokio::time::interval(std::time::Duration::from_millis(1));
            often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !is_over.load(Ordering::SeqCst) {
                often.tick().await;
                let json = Payload::raw_json("1".to_owned()).expect("it is JSON");
                fence.publish("/one", "tick", json).await.expect("the topic is in all of them");
                let catalog = catalog_of(&fence);
                for server in servers.iter() {
                    // Of the catalog and the servers, each is changed at once; the catalog comes last.
                    let options = options_of(&server.options());
                    assert!(options >= catalog, "options of {options} under a catalog of {catalog}");
                }
                assert!(catalog >= last, "back from {last} to {catalog}");
                last = catalog;
                looks += 1;
            }
            looks
        }
    });

    let mut random = 42_u64;
    let (mut number, mut applied, mut refused) = (1, 0_u32, 0_u32);
    for _ in 0..1000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let luck = random >> 33;
        let is_good = luck.is_multiple_of(2);
        file.write(&if is_good { generation(number + 1) } else { spoilt(number + 1, luck >> 1) });
        let level = Level::fixed();
        let (stores, validators) = (&mut stores, &mut validators);
        let mut reload =
            Reload { args: &args, fence: &fence, servers: &servers, stores, validators, admin: &admin, level: &level };
        let seen = reload.look(&held).await.map_err(|why| why.why().to_owned());
        assert_eq!(catalog_of(&fence), number, "a look changes nothing");
        let (now, outcome) = reload.run(held).await;
        held = now;
        // Directories to spill to are only opened when they are to be used.
        let is_seen = is_good || (luck >> 1) % 7 == 3;
        assert_eq!(seen.is_ok(), is_seen);
        assert_eq!(outcome.is_ok(), is_good);
        if is_good {
            assert_eq!(seen.ok(), outcome.ok(), "what was seen has come");
        }
        if is_good {
            (number, applied) = (number + 1, applied + 1);
        } else {
            refused += 1;
        }
        assert_eq!(catalog_of(&fence), number);
        assert_eq!(format!("{keys:?}"), format!("Keys {{ holders: [\"of-{number}\"] }}"));
        for (server, settings) in servers.iter().zip(&held.servers) {
            assert_eq!(options_of(&server.options()), number);
            assert_eq!(settings.max_connections, number);
        }
    }
    is_over.store(true, Ordering::SeqCst);
    let looks = onlooker.await.expect("nothing was mixed");
    assert!(applied > 300 && refused > 300 && looks > 10, "{applied} applied, {refused} refused, {looks} looks");
    let page = metrics.encode();
    for wanted in [
        format!("streamfence_config_reloads_total{{outcome=\"applied\"}} {applied}"),
        format!("streamfence_config_reloads_total{{outcome=\"refused\"}} {refused}"),
        format!("streamfence_config_generation {number}"),
    ] {
        assert!(page.contains(&wanted), "{wanted}");
    }
}

//! Who may know whom: the layering table.
//!
//! A crate may be added to a row when the reason in that row still holds afterwards.

/// One crate: what it may be built from, and why nothing else.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    because: &'static str,
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "streamfence-core",
        may_use: &["bytes", "slab", "thiserror"],
        because: "it must run a year of traffic in a second, anywhere: no tokio, no files, no clock, no serde",
    },
    Layer {
        name: "streamfence-spill",
        may_use: &["streamfence-core", "bytes", "crc32c", "rustix", "thiserror"],
        because: "blocking disk code is simplest when it is honest about blocking: no tokio, no sockets",
    },
    Layer {
        name: "streamfence-auth",
        may_use: &[
            "arc-swap",
            "bytes",
            "http",
            "http-body-util",
            // The hook is a client of whoever decides, and of nobody else.
            "hyper-rustls",
            "hyper-util",
            "jsonwebtoken",
            "ring",
            "rustls-native-certs",
            "serde",
            "serde_json",
            "sha2",
            "subtle",
            "thiserror",
            "tokio",
            "tokio-rustls",
        ],
        because: "who may do what is decided without a client's connection and without a configuration",
    },
    Layer {
        name: "streamfence-metrics",
        may_use: &["streamfence-core", "prometheus-client"],
        because: "anything that can observe can be observed: no adapter",
    },
    Layer {
        name: "streamfence-config",
        may_use: &[
            "streamfence-core",
            "ipnet",
            "serde",
            "serde-saphyr",
            // What is called JSON is JSON, and no YAML that looks like it.
            "serde_json",
            "schemars",
            "notify",
            "thiserror",
        ],
        because: "it turns text into settings and nothing else: no sockets, no metrics",
    },
    Layer {
        name: "streamfence-runtime",
        may_use: &[
            "streamfence-core",
            "arc-swap",
            "bytes",
            "futures-util",
            // Epochs are random, so that message ids stay unique over restarts; the core takes a seed instead.
            "getrandom",
            "serde",
            "serde_json",
            "slab",
            "thiserror",
            "tokio",
            "tracing",
        ],
        because: "it takes an Outlet, a SpillBackend and an Observer: no sockets, no protocols, no prometheus",
    },
    Layer {
        name: "streamfence-socketio",
        may_use: &[
            "streamfence-auth",
            "streamfence-core",
            "streamfence-runtime",
            "arc-swap",
            "bytes",
            "engineioxide",
            "futures-util",
            "getrandom",
            "http",
            "http-body",
            "http-body-util",
            "hyper",
            "hyper-util",
            "ipnet",
            // Networks of proxies that are trusted.
            "ipnet",
            // Keys under a password; rustls reads all others.
            "pkcs8",
            "serde",
            "serde_json",
            "slab",
            "smallvec",
            "socket2",
            "socketioxide",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tower",
            "tower-http",
            "tracing",
            "tungstenite",
        ],
        because: "it is one transport of several: no spill, no metrics, no configuration file",
    },
    Layer {
        name: "streamfence-http",
        may_use: &[
            // Whose key it is, found in constant time.
            "streamfence-auth",
            "streamfence-core",
            "streamfence-runtime",
            "arc-swap",
            "axum",
            "base64",
            "bytes",
            "futures-util",
            "schemars",
            "serde",
            "serde_json",
            // What somebody meant who names what is not there.
            "strsim",
            "thiserror",
            "tokio",
            "tower",
            "tracing",
        ],
        because: "it mounts what it is handed: no socketioxide, no prometheus",
    },
    Layer {
        name: "streamfence-otel",
        may_use: &[
            "streamfence-core",
            "streamfence-runtime",
            // The client of the house is to be one of the exporter's.
            "async-trait",
            "bytes",
            "http",
            "http-body-util",
            "hyper-rustls",
            "hyper-util",
            "opentelemetry",
            "opentelemetry-http",
            "opentelemetry-otlp",
            "opentelemetry_sdk",
            "rustls-native-certs",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tracing",
        ],
        because: "it is one tracer of several, and nothing but a binary may use it: no transport, no configuration file",
    },
    Layer {
        name: "streamfence-client",
        may_use: &[
            "bytes",
            "futures-util",
            "http",
            "http-body-util",
            "hyper",
            "hyper-util",
            "percent-encoding",
            "rustls-native-certs",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tokio-tungstenite",
        ],
        because: "it is the other end of the wire: what it shared with the server it could not contradict",
    },
    Layer {
        name: "streamfence-cli",
        may_use: &[
            "streamfence-auth",
            "streamfence-core",
            "streamfence-spill",
            "streamfence-metrics",
            "streamfence-config",
            "streamfence-runtime",
            "streamfence-socketio",
            "streamfence-http",
            "streamfence-otel",
            // The commands that talk to a server that runs.
            "streamfence-client",
            "anyhow",
            "axum",
            "base64",
            "clap",
            "clap_complete",
            "clap_mangen",
            "hdrhistogram",
            // The admin address has limits of its own, and speaks HTTP/1.1 alone.
            "hyper",
            "hyper-util",
            "ratatui",
            // How many descriptors there may be, and how long a tick of the processor's time is.
            "rustix",
            // The few words that systemd waits for.
            "sd-notify",
            "serde",
            "serde_json",
            "tokio",
            "tokio-io-timeout",
            "tracing",
            "tracing-subscriber",
        ],
        because: "it parses, wires and drains: what deserves a unit test lives elsewhere",
    },
    Layer {
        name: "streamfence-bench",
        may_use: &[
            "streamfence-core",
            "streamfence-runtime",
            "streamfence-socketio",
            "streamfence-spill",
            "anyhow",
            "axum",
            "clap",
            "futures-util",
            // Certificates of one run, and clients that trust them.
            "rcgen",
            "rustix",
            "serde",
            "serde_json",
            "socketioxide",
            "tokio",
            "tokio-rustls",
        ],
        because: "it stands on top and compares: nothing may use it",
    },
    Layer {
        name: "streamfence-sim",
        may_use: &["streamfence-core", "bytes", "clap"],
        because: "it plays the core's world and is its only driver: no tokio, no sockets, and nothing may use it",
    },
    Layer {
        name: "streamfence-netsim",
        may_use: &[
            "streamfence-core",
            "streamfence-runtime",
            "streamfence-socketio",
            "clap",
            // Whatever is asked of the system at random comes from the seed.
            "mad-turmoil",
            "rand",
            "serde_json",
            "tokio",
            "turmoil",
        ],
        because: "it plays the network around the server as an embedder builds it: nothing may use it",
    },
    Layer {
        name: "xtask",
        may_use: &["anyhow", "cargo_metadata", "clap", "serde_json", "xshell"],
        because: "it must build when our crates do not",
    },
];

/// Says what this crate is built from and should not be.
pub(super) fn check(name: &str, dependencies: &[&str]) -> Vec<String> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        return vec![format!("{name}: not in the layering table of xtask/src/tidy/layers.rs")];
    };
    let foreign = dependencies.iter().filter(|dependency| !layer.may_use.contains(dependency));
    foreign
        .map(|dependency| {
            format!("{name}: uses `{dependency}`, may use {} ({})", layer.may_use.join(", "), layer.because)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_the_table_allows_is_silent() {
        assert_eq!(check("streamfence-core", &["bytes", "slab"]), Vec::<String>::new());
    }

    #[test]
    fn a_foreign_dependency_is_named_with_what_is_allowed_and_why() {
        let findings = check("streamfence-metrics", &["streamfence-core", "tokio"]);
        assert_eq!(
            findings,
            ["streamfence-metrics: uses `tokio`, may use streamfence-core, prometheus-client (anything that can \
              observe can be observed: no adapter)"]
        );
    }

    #[test]
    fn an_arrow_never_points_up() {
        assert_eq!(check("streamfence-core", &["streamfence-runtime"]).len(), 1);
        assert_eq!(check("streamfence-runtime", &["streamfence-socketio"]).len(), 1);
        assert_eq!(check("xtask", &["streamfence-core"]).len(), 1);
    }

    #[test]
    fn a_new_crate_must_be_entered() {
        assert_eq!(check("streamfence-nats", &[]).len(), 1);
    }
}

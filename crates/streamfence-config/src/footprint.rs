//! The most a configuration lets messages take: in memory, lane by lane, and on disk.
//!
//! Upper bounds from the file alone. What really is taken is less, because clients share a message, and because the
//! memory budget holds all lanes together.

use std::path::PathBuf;

use streamfence_core::{ENTRY_BYTES, MESSAGE_BYTES, NamespaceId};

use crate::settings::{ServerSettings, Settings};

/// What a whole file comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Server by server, in the order of the file.
    pub servers: Vec<ServerFootprint>,
    /// Directory by directory; empty where nothing spills.
    pub stores: Vec<StoreFootprint>,
}

/// What one server comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFootprint {
    /// Its name.
    pub name: String,
    /// How many clients it may have at once.
    pub max_connections: u32,
    /// The largest message a client may be in the middle of sending, in bytes. Beside the memory budget.
    pub message_bytes: u64,
    /// What connections may still take that ended before they joined a namespace, in bytes, until the time they had for
    /// that is over. Beside the memory budget.
    pub departed_bytes: u64,
    /// Its namespaces, in the order of the file.
    pub namespaces: Vec<NamespaceFootprint>,
}

/// What one namespace comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFootprint {
    /// Its path.
    pub path: String,
    /// How many lanes one client may have in it.
    pub lanes_per_client: u64,
    /// What the lanes of one client may hold, in bytes.
    pub bytes_per_client: u64,
    /// What the lanes of all clients may hold, in bytes.
    pub bytes: u64,
    /// Its topics, in the order of the file.
    pub topics: Vec<TopicFootprint>,
}

/// What one topic comes to, or all topics of a pattern together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFootprint {
    /// Its name.
    pub name: String,
    /// How many lanes of it one client may have: more than one of a pattern.
    pub lanes_per_client: u64,
    /// How many messages a lane holds.
    pub lane_messages: u32,
    /// What a lane may hold, in bytes: of packets, and of what the server keeps around each message.
    pub lane_bytes: u64,
    /// What the lanes of all clients may hold, in bytes.
    pub bytes: u64,
    /// What may lie on disk, where its lanes spill.
    pub spill: Option<SpillFootprint>,
}

/// What of a topic may lie on disk, in bytes of packets; `None` is as much as its directory may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpillFootprint {
    /// Of one client.
    pub bytes_per_client: Option<u64>,
    /// Of the topic.
    pub bytes: Option<u64>,
}

/// What may lie in a directory that lanes spill to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFootprint {
    /// The directory.
    pub root: PathBuf,
    /// The most bytes its files may take.
    pub max_bytes: u64,
    /// How many bytes of the disk it leaves free.
    pub min_free_bytes: u64,
    /// The servers that spill to it.
    pub servers: Vec<String>,
}

impl Footprint {
    /// What the lanes of all clients of all servers may hold, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.servers.iter().map(ServerFootprint::bytes).fold(0, u64::saturating_add)
    }

    /// What connections of all servers may still take that ended before they joined a namespace, in bytes.
    #[must_use]
    pub fn departed_bytes(&self) -> u64 {
        self.servers.iter().map(|server| server.departed_bytes).fold(0, u64::saturating_add)
    }
}

/// What a connection takes that ended before it joined a namespace: as was measured, with something to spare.
const DEPARTED_BYTES: u64 = 12 * 1024;

impl ServerFootprint {
    /// What the lanes of all its clients may hold, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.namespaces.iter().map(|namespace| namespace.bytes).fold(0, u64::saturating_add)
    }
}

impl Settings {
    /// The most that messages may take by this file.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        let stores = self.spill_stores.iter().map(|store| StoreFootprint {
            root: store.root.clone(),
            max_bytes: store.max_bytes,
            min_free_bytes: store.min_free_bytes,
            servers: store.servers.clone(),
        });
        Footprint {
            servers: self.servers.iter().map(|server| self.server_footprint(server)).collect(),
            stores: stores.collect(),
        }
    }

    fn server_footprint(&self, server: &ServerSettings) -> ServerFootprint {
        let ids = server.namespaces.iter().filter_map(|path| self.catalog.namespace(path));
        ServerFootprint {
            name: server.name.clone(),
            max_connections: server.max_connections,
            message_bytes: server.max_payload_bytes * 2 + 4096,
            departed_bytes: u64::from(server.max_connections) * DEPARTED_BYTES,
            namespaces: ids.map(|id| self.namespace_footprint(server, id)).collect(),
        }
    }

    fn namespace_footprint(&self, server: &ServerSettings, id: NamespaceId) -> NamespaceFootprint {
        let clients = u64::from(server.max_connections);
        let most_lanes = u64::from(server.max_subscriptions_per_client);
        let entry = self.catalog.namespace_entry(id);
        let classes = entry.topics().iter().map(|topic| self.catalog.class(*topic));
        let topics: Vec<_> = classes
            .map(|class| {
                let lanes_per_client =
                    if class.prefix().is_some() { u64::from(class.max_topics).min(most_lanes) } else { 1 };
                let limits = class.policy.limits;
                let around = u64::from(limits.messages.get()).saturating_mul(ENTRY_BYTES + MESSAGE_BYTES);
                let lane_bytes = limits.bytes.get().saturating_add(around);
                TopicFootprint {
                    name: class.name.to_string(),
                    lanes_per_client,
                    lane_messages: limits.messages.get(),
                    lane_bytes,
                    bytes: lane_bytes.saturating_mul(lanes_per_client).saturating_mul(clients),
                    spill: class.policy.spills().then(|| SpillFootprint {
                        bytes_per_client: class.spill.max_bytes_per_client.map(Into::into),
                        bytes: class.spill.max_bytes_per_topic.map(Into::into),
                    }),
                }
            })
            .collect();
        let (lanes_per_client, bytes_per_client) = largest(&topics, most_lanes);
        let bytes = bytes_per_client.saturating_mul(clients);
        NamespaceFootprint { path: entry.path.to_string(), lanes_per_client, bytes_per_client, bytes, topics }
    }
}

/// How many lanes a client may have at once, and what those that hold the most hold.
fn largest(topics: &[TopicFootprint], most_lanes: u64) -> (u64, u64) {
    let mut by_size: Vec<_> = topics.iter().map(|topic| (topic.lane_bytes, topic.lanes_per_client)).collect();
    by_size.sort_unstable_by(|one, other| other.cmp(one));
    by_size.into_iter().fold((0, 0), |(lanes, bytes): (u64, u64), (lane_bytes, count)| {
        let taken = count.min(most_lanes - lanes);
        (lanes + taken, bytes.saturating_add(lane_bytes.saturating_mul(taken)))
    })
}

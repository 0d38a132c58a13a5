//! `streamfence check --explain`: the most memory and disk that messages may take by a file.

use std::fmt::Write as _;

use serde_json::{Value, json};
use streamfence_config::Settings;
use streamfence_config::footprint::{Footprint, NamespaceFootprint, SpillFootprint};

use crate::memory::{self, Budget};

/// For people.
pub(crate) fn as_text(settings: &Settings) -> String {
    let (footprint, budget) = (settings.footprint(), memory::budget(settings.memory_budget_bytes()));
    let mut text = String::new();
    for server in &footprint.servers {
        let (name, clients) = (&server.name, server.max_connections);
        let message = bytes(server.message_bytes);
        let _ =
            writeln!(text, "server {name}: {clients} clients at most, each with a message of {message} on its way in");
        for namespace in &server.namespaces {
            write_namespace(namespace, clients, &mut text);
        }
    }
    write_memory(&footprint, &budget, &mut text);
    let _ = writeln!(
        text,
        "memory: beside that up to {} of connections that ended before they joined a namespace, until connectTimeoutMs is over",
        bytes(footprint.departed_bytes())
    );
    for store in &footprint.stores {
        let (root, most, free) = (store.root.display(), bytes(store.max_bytes), bytes(store.min_free_bytes));
        let servers = store.servers.join(", ");
        let _ = writeln!(text, "disk: {root} takes {most} at most and leaves {free} free, for {servers}");
    }
    if footprint.stores.is_empty() {
        text.push_str("disk: nothing, because no topic spills\n");
    }
    text
}

fn write_namespace(namespace: &NamespaceFootprint, clients: u32, text: &mut String) {
    let NamespaceFootprint { path, lanes_per_client, bytes_per_client, bytes: all, .. } = namespace;
    let (each, all) = (bytes(*bytes_per_client), bytes(*all));
    let lanes = if *lanes_per_client == 1 { "1 lane".to_owned() } else { format!("{lanes_per_client} lanes") };
    let _ = writeln!(text, "  {path}: {lanes} and {each} a client, {all} for {clients}");
    for topic in &namespace.topics {
        let (name, lanes, messages) = (&topic.name, topic.lanes_per_client, topic.lane_messages);
        let (lane, all) = (bytes(topic.lane_bytes), bytes(topic.bytes));
        let lanes = if lanes == 1 { String::new() } else { format!(", {lanes} of them a client") };
        let _ = write!(text, "    {name}: {messages} messages and {lane} a lane{lanes}, {all} for {clients}");
        if let Some(SpillFootprint { bytes_per_client, bytes: of_topic }) = topic.spill {
            let most = |of: Option<u64>| of.map_or_else(|| "what its directory takes".to_owned(), bytes);
            let _ = write!(text, "; on disk {} a client, {} in all", most(bytes_per_client), most(of_topic));
        }
        text.push('\n');
    }
}

fn write_memory(footprint: &Footprint, budget: &Budget, text: &mut String) {
    let (lanes, most) = (bytes(footprint.bytes()), bytes(budget.bytes));
    let because = budget.because;
    let _ = writeln!(text, "memory: full lanes of all clients would hold {lanes} if no two held the same message");
    let _ = match footprint.bytes() <= budget.bytes {
        true => writeln!(text, "memory: the budget of {most} ({because}) has room for that"),
        false => writeln!(
            text,
            "memory: the budget holds them to {most} ({because}); beyond it older messages give way and new ones are refused"
        ),
    };
}

/// For programs.
pub(crate) fn as_json(settings: &Settings) -> Value {
    let (footprint, budget) = (settings.footprint(), memory::budget(settings.memory_budget_bytes()));
    let servers: Vec<_> = footprint
        .servers
        .iter()
        .map(|server| {
            json!({
                "name": server.name,
                "maxConnections": server.max_connections,
                "messageBytes": server.message_bytes,
                "bytes": server.bytes(),
                "departedBytes": server.departed_bytes,
                "namespaces": server.namespaces.iter().map(namespace_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    let stores: Vec<_> = footprint
        .stores
        .iter()
        .map(|store| {
            let root = store.root.display().to_string();
            json!({"root": root, "maxBytes": store.max_bytes, "minFreeBytes": store.min_free_bytes, "servers": store.servers})
        })
        .collect();
    json!({
        "servers": servers,
        "memory": {"lanesBytes": footprint.bytes(), "departedBytes": footprint.departed_bytes(), "budgetBytes": budget.bytes, "because": budget.because},
        "disk": stores,
    })
}

fn namespace_json(namespace: &NamespaceFootprint) -> Value {
    let topics: Vec<_> = namespace
        .topics
        .iter()
        .map(|topic| {
            json!({
                "name": topic.name,
                "lanesPerClient": topic.lanes_per_client,
                "laneMessages": topic.lane_messages,
                "laneBytes": topic.lane_bytes,
                "bytes": topic.bytes,
                "spill": topic.spill.map(|spill| json!({"bytesPerClient": spill.bytes_per_client, "bytes": spill.bytes})),
            })
        })
        .collect();
    json!({
        "path": namespace.path,
        "lanesPerClient": namespace.lanes_per_client,
        "bytesPerClient": namespace.bytes_per_client,
        "bytes": namespace.bytes,
        "topics": topics,
    })
}

/// `512 B`, `1.5 KiB`, `4.0 GiB`.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut unit = 0;
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    format!("{number:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_short() {
        let shown = [0, 1023, 1024, 1536, 4 << 30, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "4.0 GiB", "16.0 EiB"]);
    }
}

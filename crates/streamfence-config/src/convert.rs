//! From the ancestors' flat layout and old keys to ours: `streamfence config convert`.
//!
//! Nothing is dropped silently. What has another name here gets it, what means nothing here is noted, and a key that
//! neither knows is an error. Never a check: what comes out is a text, and the parser says whether it is a configuration.

use std::sync::Arc;

use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::keys::{self, Section};
use crate::raw::{self, Node, Place, Sited, Value, shown};
use crate::tree::Tree;

/// What a file has become.
#[derive(Clone, Debug)]
pub struct Converted {
    /// It in our layout, as YAML.
    pub yaml: String,
    /// The same as JSON.
    pub json: String,
    /// What means something else here or nothing, each with its place in the old file.
    pub notes: Vec<ConfigError>,
}

/// Converts a text; `file_name` is what notes and errors call it.
///
/// # Errors
/// Every key that is not known, and every value that is no such value, with its place.
pub fn convert(text: &str, file_name: &str) -> Result<Converted, ConfigErrors> {
    let file: Arc<str> = file_name.into();
    let mut work = Work { file: file.clone(), notes: Vec::new(), errors: Vec::new() };
    let root = raw::read(text).map_err(|(place, problem)| {
        ConfigErrors::new(vec![ConfigError { file: file.clone(), place, part: String::new(), problem }])
    })?;
    let tree = work.file(root);
    if !work.errors.is_empty() {
        return Err(ConfigErrors::new(work.errors));
    }
    work.notes.sort_by_key(|note| note.place);
    Ok(Converted { yaml: tree.to_yaml(), json: tree.to_json(), notes: work.notes })
}

/// The one server that a flat file describes.
const SERVER: &str = "main";

struct Work {
    file: Arc<str>,
    notes: Vec<ConfigError>,
    errors: Vec<ConfigError>,
}

/// A block being taken apart.
struct Old {
    at: Place,
    part: String,
    keys: Vec<(Sited<String>, Node)>,
}

impl Old {
    fn take(&mut self, name: &str) -> Option<Node> {
        let index = self.place_of(name)?;
        Some(self.keys.remove(index).1)
    }

    fn has(&self, name: &str) -> bool {
        self.place_of(name).is_some()
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        let snake = keys::snake_case(name);
        self.keys.iter().position(|(key, _)| key.value == name || key.value == snake)
    }
}

/// A block being put together, in the order of its making.
#[derive(Default)]
struct New(Vec<(String, Tree)>);

impl New {
    fn set(&mut self, name: &str, value: Tree) {
        self.0.push((name.to_owned(), value));
    }
}

impl Work {
    fn file(&mut self, root: Node) -> Tree {
        let Some(mut old) = self.block(root, "") else { return Tree::Nothing };
        let mut new = New::default();
        let Some(servers) = old.take("servers") else {
            let mut admin = None;
            let server = escaped(self.server(old, true, &mut admin));
            new.set("servers", Tree::block([(SERVER, server)]));
            if let Some(admin) = admin {
                new.set("admin", admin);
            }
            return Tree::Block(new.0);
        };
        let mut converted = New::default();
        let mut admin = old.take("admin").map(|node| Tree::of(&node));
        if let Some(named) = self.block(servers, "servers") {
            for (name, node) in named.keys {
                if let Some(old) = self.block(node, &format!("servers.{}", name.value)) {
                    let server = self.server(old, false, &mut admin);
                    converted.set(&name.value, server);
                }
            }
        }
        new.set("servers", Tree::Block(converted.0));
        if let Some(admin) = admin {
            new.set("admin", admin);
        }
        self.rest(old, &[Section::File], &mut new);
        Tree::Block(new.0)
    }

    /// One server; a `flat` one is all of an old file, whose clients hear what the old server said.
    fn server(&mut self, mut old: Old, flat: bool, admin: &mut Option<Tree>) -> Tree {
        let mut new = New::default();
        for name in ["host", "port"] {
            self.keep(&mut old, name, name, &mut new);
        }
        self.keep(&mut old, "transportMode", "transport", &mut new);
        if let Some(tls) = old.take("tls") {
            let tls = self.tls(tls, &format!("{}tls", prefix(&old.part)));
            new.set("tls", tls);
        }
        let has_tokens = self.auth(&mut old, &mut new);
        self.sizes(&mut old, &mut new);
        self.cors(&mut old, &mut new);
        if let Some(node) = old.take("compressionEnabled")
            && matches!(node.value, Value::Flag(true))
        {
            self.note(
                &old.part,
                node.at,
                "compressionEnabled",
                "nothing is compressed here, so that no message can be a bomb",
            );
        }
        if let Some(node) = old.take("senderThreads") {
            self.note(&old.part, node.at, "senderThreads", "each core has one thread, which sends");
        }
        self.management(&mut old, admin);
        if let Some(node) = old.take("shutdownDrainMs") {
            // The ancestor took its default for zero and less; here zero is no time at all.
            match node.value {
                Value::Whole(..=0) => {
                    self.note(&old.part, node.at, "shutdownDrainMs", "not above 0, so the default holds");
                }
                _ => new.set("shutdownDrainMs", Tree::of(&node)),
            }
        }
        if has_tokens && flat {
            self.note(
                &old.part,
                old.at,
                "tokenQuery",
                "tokens in the query are no longer taken; `tokenQuery: true` would",
            );
        }
        let namespaces = old.take("namespaces");
        let policies = old.take("topicPolicies");
        let namespaces = match (namespaces, policies) {
            (Some(Node { value: Value::Block(named), .. }), policies) => Some(self.namespaces(&old, named, policies)),
            (Some(list), None) => Some(Tree::of(&list)),
            (_, Some(policies)) => {
                let wanted = "a block of the namespaces that topicPolicies speaks of".to_owned();
                self.error(&old.part, policies.at, Problem::Missing { key: "namespaces".to_owned(), wanted });
                None
            }
            (None, None) => None,
        };
        self.rest(old, &[Section::Server], &mut new);
        if let Some(namespaces) = namespaces {
            new.set("namespaces", namespaces);
        }
        Tree::Block(new.0)
    }

    fn tls(&mut self, node: Node, part: &str) -> Tree {
        let Some(mut old) = self.block(node, part) else { return Tree::Nothing };
        let mut new = New::default();
        // Given and empty means none in the old file.
        old.keys.retain(|(key, node)| key.value != "privateKeyPassword" || !is_empty(node));
        if let Some(node) = old.take("keyStorePassword")
            && !is_empty(&node)
        {
            self.note(
                part,
                node.at,
                "keyStorePassword",
                "there is no key store: certificate and key are read as they are",
            );
        }
        if let Some(node) = old.take("protocol") {
            match &node.value {
                Value::Text(text) if text.value == "TLS" => new.set("protocol", Tree::text("TLSv1.2")),
                _ => new.set("protocol", Tree::of(&node)),
            }
        }
        self.rest(old, &[Section::Tls], &mut new);
        Tree::Block(new.0)
    }

    /// Whether clients have tokens.
    fn auth(&mut self, old: &mut Old, new: &mut New) -> bool {
        let mode = old.take("authMode").or_else(|| old.take("auth"));
        let is_token =
            mode.as_ref().is_some_and(|mode| matches!(&mode.value, Value::Text(text) if text.value == "TOKEN"));
        if let Some(mode) = &mode {
            new.set("auth", Tree::of(mode));
        }
        let window = old.take("authRejectWindowMs");
        let most = old.take("authRejectMaxPerWindow");
        let limits = [("max", most, "authRejectMaxPerWindow"), ("windowMs", window, "authRejectWindowMs")];
        let mut failures = New::default();
        for (name, node, old_name) in limits {
            match node {
                Some(node) if is_token => failures.set(name, Tree::of(&node)),
                Some(node) => self.note(&old.part, node.at, old_name, "it had no effect where authMode is NONE"),
                None => {}
            }
        }
        if !failures.0.is_empty() {
            new.set("authFailures", Tree::Block(failures.0));
        }
        match old.take("staticTokens") {
            Some(node) if is_token => {
                let why = "tokens stand in the file; `${file:path}` or `sha256:` digests keep them out of it";
                self.note(&old.part, node.at, "staticTokens", why);
                new.set("staticTokens", Tree::of(&node));
            }
            Some(node) if !is_empty(&node) => {
                self.note(&old.part, node.at, "staticTokens", "they had no effect where authMode is NONE");
            }
            _ => {}
        }
        is_token
    }

    /// The old server had a limit for websockets and one for polling; here one holds for both.
    fn sizes(&mut self, old: &mut Old, new: &mut New) {
        let limits = ["maxFramePayloadLength", "maxHttpContentLength"].map(|name| (name, old.take(name)));
        let mut most = None;
        for (name, node) in limits.iter().filter_map(|(name, node)| Some((*name, node.as_ref()?))) {
            match node.value {
                Value::Whole(bytes) => most = most.max(Some(bytes)),
                _ => self.wrong(&old.part, name, node, "a whole number"),
            }
        }
        let Some(most) = most else { return };
        new.set("maxPayloadBytes", Tree::number(most));
        for (name, node) in limits.iter().filter_map(|(name, node)| Some((*name, node.as_ref()?))) {
            if !matches!(node.value, Value::Whole(bytes) if bytes == most) {
                self.note(&old.part, node.at, name, "one limit holds for websockets and polling: the larger one");
            }
        }
    }

    fn cors(&mut self, old: &mut Old, new: &mut New) {
        let is_on = matches!(old.take("enableCors"), Some(Node { value: Value::Flag(true), .. }));
        match old.take("origin") {
            Some(node) if is_empty(&node) => {}
            Some(node) if is_on => {
                let why = "it is allowedOrigins here, and websockets are held to it too";
                self.note(&old.part, node.at, "origin", why);
                new.set("allowedOrigins", Tree::List(vec![Tree::of(&node)]));
            }
            Some(node) => self.note(&old.part, node.at, "origin", "it had no effect where enableCors is false"),
            None => {}
        }
    }

    /// The old server's metrics have a place beside the admin API, which asks for no key and is not for the network.
    fn management(&mut self, old: &mut Old, admin: &mut Option<Tree>) {
        let host = old.take("managementHost");
        let port = old.take("managementPort");
        let is_off = |port: &Node| matches!(port.value, Value::Whole(..=0));
        match &port {
            Some(node) if is_off(node) => {
                self.note(
                    &old.part,
                    node.at,
                    "managementPort",
                    "metrics cannot be turned off; they are at `admin`, 127.0.0.1:9093",
                );
            }
            Some(node) if admin.is_some() => {
                self.note(
                    &old.part,
                    node.at,
                    "managementPort",
                    "the servers of a file share one `admin`, which the first has set",
                );
            }
            Some(node) => *admin = Some(Tree::block([("port", Tree::of(node))])),
            None => {}
        }
        let is_loopback = |node: &Node| {
            let Value::Text(host) = &node.value else { return false };
            host.value == "localhost" || host.value.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        };
        if let Some(node) = host
            && !is_loopback(&node)
        {
            self.note(
                &old.part,
                node.at,
                "managementHost",
                "`admin` listens on 127.0.0.1 unless it is told another loopback address",
            );
        }
    }

    /// The namespaces of a flat file: who must prove who they are in one place, what their topics do in another.
    fn namespaces(&mut self, old: &Old, named: Vec<(Sited<String>, Node)>, policies: Option<Node>) -> Tree {
        let mut topics: Vec<Topics> = Vec::new();
        match policies {
            Some(Node { value: Value::List(list), .. }) => {
                for (index, node) in list.into_iter().enumerate() {
                    let part = format!("{}topicPolicies[{index}]", prefix(&old.part));
                    topics.extend(self.block(node, &part).and_then(|policy| self.policy(policy)));
                }
            }
            Some(node) => self.wrong(&old.part, "topicPolicies", &node, "a list"),
            None => {}
        }
        let mut list = Vec::new();
        for (path, node) in named {
            let part = format!("{}namespaces.{}", prefix(&old.part), path.value);
            let Some(mut rest) = self.block(node, &part) else { continue };
            let required = rest.take("authRequired").is_some_and(|node| matches!(node.value, Value::Flag(true)));
            self.unknown(rest, &[]);
            let of_it = |topics: &Topics| topics.namespace == path.value;
            let mine: Vec<Topics> = topics.extract_if(.., |topics| of_it(topics)).collect();
            if mine.is_empty() {
                let wanted = format!("at least one entry with `namespace: {}`", path.value);
                self.error(&part, path.at, Problem::Missing { key: "topicPolicies".to_owned(), wanted });
                continue;
            }
            let any_required = required || mine.iter().any(|topics| topics.is_auth_required);
            if any_required && !(required && mine.iter().all(|topics| topics.is_auth_required)) {
                let why = "said in one place and not in another; now it holds for the whole namespace";
                self.note(&part, path.at, "authRequired", why);
            }
            list.push(namespace(&path.value, any_required, mine));
        }
        for left in topics {
            let wanted = "the path of one of namespaces".to_owned();
            let problem = Problem::WrongValue { key: "namespace".to_owned(), found: shown(&left.namespace), wanted };
            self.error(&left.part, left.at, problem);
        }
        Tree::List(list)
    }

    /// An entry of `topicPolicies`.
    fn policy(&mut self, mut old: Old) -> Option<Topics> {
        let text = |node: Option<Node>| match node {
            Some(Node { value: Value::Text(text), .. }) => Some(text.value),
            _ => None,
        };
        let Some(namespace) = text(old.take("namespace")) else {
            let problem = Problem::Missing { key: "namespace".to_owned(), wanted: "a path".to_owned() };
            self.error(&old.part, old.at, problem);
            return None;
        };
        let names = match (old.take("topic"), old.take("topics")) {
            (Some(one), None) => vec![Tree::of(&one)],
            (None, Some(Node { value: Value::List(list), .. })) if !list.is_empty() => {
                list.iter().map(Tree::of).collect()
            }
            _ => {
                let problem = Problem::Missing { key: "topic".to_owned(), wanted: "either topic or topics".to_owned() };
                self.error(&old.part, old.at, problem);
                return None;
            }
        };
        let is_auth_required = matches!(old.take("authRequired"), Some(Node { value: Value::Flag(true), .. }));
        let mut new = New::default();
        // Not given was `false` there and is `true` here.
        if !old.has("allowPolling") {
            new.set("allowPolling", Tree::Flag(false));
        }
        if let Some(node) = old.take("maxInFlight") {
            match node.value {
                // Taken for 1 there.
                Value::Whole(..=0) => {}
                _ => new.set("maxInFlight", Tree::of(&node)),
            }
        }
        let (part, at) = (old.part.clone(), old.at);
        self.rest(old, &[Section::Policy], &mut new);
        new.0.sort_by_key(|(name, _)| keys::KEYS.iter().position(|key| key.name == name));
        Some(Topics { part, at, namespace, names, is_auth_required, policy: new.0 })
    }

    /// What is left of a block: keys that are ours already stay, and any other is an error.
    fn rest(&mut self, old: Old, sections: &'static [Section], new: &mut New) {
        let mut left = Old { keys: Vec::new(), ..old };
        for (name, node) in old.keys {
            match keys::find(sections, &name.value) {
                Some(key) => new.set(key.name, Tree::of(&node)),
                None => left.keys.push((name, node)),
            }
        }
        self.unknown(left, sections);
    }

    fn unknown(&mut self, left: Old, sections: &'static [Section]) {
        for (name, _) in left.keys {
            let hint = match sections {
                [] => "; wanted authRequired".to_owned(),
                // As where a configuration is read: nobody reads the thousandth guess.
                _ if self.errors.len() >= ConfigErrors::MOST_TOLD => String::new(),
                _ => keys::hint(sections, &name.value),
            };
            self.error(&left.part, name.at, Problem::UnknownKey { key: shown(&name.value), hint });
        }
    }

    /// A key that has another name here, or the same.
    fn keep(&mut self, old: &mut Old, from: &str, to: &str, new: &mut New) {
        if let Some(node) = old.take(from) {
            new.set(to, Tree::of(&node));
        }
    }

    fn block(&mut self, node: Node, part: &str) -> Option<Old> {
        match node.value {
            Value::Block(keys) => Some(Old { at: node.at, part: part.to_owned(), keys }),
            // A key with nothing behind it is an empty block.
            Value::Nothing => Some(Old { at: node.at, part: part.to_owned(), keys: Vec::new() }),
            _ => {
                let key = if part.is_empty() { "the file" } else { part };
                self.wrong("", key, &node, "a block of keys");
                None
            }
        }
    }

    fn wrong(&mut self, part: &str, key: &str, found: &Node, wanted: &str) {
        let (key, found_value) = (key.to_owned(), found.value.shown());
        self.error(part, found.at, Problem::WrongValue { key, found: found_value, wanted: wanted.to_owned() });
    }

    fn error(&mut self, part: &str, at: Place, problem: Problem) {
        let (file, part) = (self.file.clone(), part.to_owned());
        self.errors.push(ConfigError { file, place: Some(at), part, problem });
    }

    fn note(&mut self, part: &str, at: Place, key: &'static str, why: &'static str) {
        let (file, part) = (self.file.clone(), part.to_owned());
        self.notes.push(ConfigError { file, place: Some(at), part, problem: Problem::Converted { key, why } });
    }
}

/// The topics of one entry of `topicPolicies`.
struct Topics {
    part: String,
    at: Place,
    namespace: String,
    names: Vec<Tree>,
    is_auth_required: bool,
    policy: Vec<(String, Tree)>,
}

/// What topics have in common is the namespace's; where they differ, each has its own.
fn namespace(path: &str, is_auth_required: bool, mut topics: Vec<Topics>) -> Tree {
    let is_common = |key: &(String, Tree)| topics.iter().all(|topics| topics.policy.contains(key));
    let common: Vec<_> = topics[0].policy.iter().filter(|key| is_common(key)).cloned().collect();
    let mut names = Vec::new();
    for Topics { names: of_it, policy, .. } in &mut topics {
        policy.retain(|key| !common.contains(key));
        for name in of_it.drain(..) {
            names.push(match policy.is_empty() {
                true => name,
                false => {
                    let mut own = vec![("name".to_owned(), name)];
                    own.extend(policy.iter().cloned());
                    Tree::Block(own)
                }
            });
        }
    }
    let mut new = New::default();
    new.set("path", Tree::text(path));
    if is_auth_required {
        new.set("authRequired", Tree::Flag(true));
    }
    new.set("topics", Tree::List(names));
    // What the old server did without being told: one event for all topics, and any client may publish.
    new.set("wire", Tree::text("envelope"));
    new.set("clientPublish", Tree::text("relay"));
    new.0.extend(common);
    Tree::Block(new.0)
}

/// What looks like a reference was none in a flat file.
fn escaped(tree: Tree) -> Tree {
    match tree {
        Tree::Text(text) => Tree::Text(text.replace("${", "$${")),
        Tree::Block(block) => Tree::Block(block.into_iter().map(|(key, value)| (key, escaped(value))).collect()),
        Tree::List(list) => Tree::List(list.into_iter().map(escaped).collect()),
        other => other,
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Nothing => true,
        Value::Text(text) => text.value.trim().is_empty(),
        Value::Block(block) => block.is_empty(),
        Value::List(list) => list.is_empty(),
        _ => false,
    }
}

fn prefix(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!("{part}.") }
}

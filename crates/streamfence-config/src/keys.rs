//! Every key a file may hold: what it means, what it takes, what holds without it.
//!
//! The one source of truth: files are checked against this table, nearest keys are found in it and the reference
//! page is written from it.

use std::fmt::Write as _;

use Kind::{
    Block, Choice, Decimal, Flag, List, Number, Optional, Path, Secret, SecretTexts, Secrets, Text, Texts, Word,
};
use Section::{
    Admin, AdminKey, AuthFailures, AuthHook, Backoff, File, Jwt, Log, Namespace, Policy, Server, SlowClient, Spill,
    Tls, Topic, Tracing,
};
use Section::{EventRate, HandshakeRate, InboundEvents, InboundRate, PrincipalRate};

/// One key of the file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands.
    pub section: Section,
    /// Its canonical spelling, in camelCase; snake_case is taken too.
    pub name: &'static str,
    /// What it takes, and what holds without it.
    pub kind: Kind,
    /// What it means, in one line.
    pub meaning: &'static str,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Section {
    /// At the top of the file.
    File,
    /// Under `servers.<name>`.
    Server,
    /// Under `handshakesPerIp`.
    HandshakeRate,
    /// Under `inboundRate`.
    InboundRate,
    /// Under `inboundRate.events`.
    InboundEvents,
    /// Under one of them.
    EventRate,
    /// In an entry of `inboundRate.principals`.
    PrincipalRate,
    /// Under `tls`.
    Tls,
    /// Under `jwt`.
    Jwt,
    /// Under `authHook`.
    AuthHook,
    /// Under `authFailures`.
    AuthFailures,
    /// In an entry of `namespaces`.
    Namespace,
    /// In an entry of `namespaces`, for all its topics, or in an entry of `topics`, for that one.
    Policy,
    /// Under `slowClient`.
    SlowClient,
    /// Under `retryBackoff`.
    Backoff,
    /// Under `spill`.
    Spill,
    /// In an entry of `topics`.
    Topic,
    /// Under `admin`.
    Admin,
    /// Under `admin.keys.<name>`.
    AdminKey,
    /// Under `log`.
    Log,
    /// Under `tracing`.
    Tracing,
}

impl Section {
    const ALL: [Self; 21] = [
        File,
        Server,
        HandshakeRate,
        InboundRate,
        InboundEvents,
        EventRate,
        PrincipalRate,
        Tls,
        Jwt,
        AuthHook,
        AuthFailures,
        Namespace,
        SlowClient,
        Policy,
        Backoff,
        Spill,
        Topic,
        Admin,
        AdminKey,
        Log,
        Tracing,
    ];

    fn place(self) -> &'static str {
        match self {
            File => "at the top of the file",
            Server => "under `servers.<name>`",
            HandshakeRate => "under `handshakesPerIp`",
            InboundRate => "under `inboundRate`",
            InboundEvents => "under `inboundRate.events`",
            EventRate => "under an event of `inboundRate.events`",
            PrincipalRate => "in an entry of `inboundRate.principals`",
            Tls => "under `tls`",
            Jwt => "under `jwt`",
            AuthHook => "under `authHook`",
            AuthFailures => "under `authFailures`",
            Namespace => "in an entry of `namespaces`",
            Policy => "in an entry of `namespaces` or of `topics`",
            SlowClient => "under `slowClient`",
            Backoff => "under `retryBackoff`",
            Spill => "under `spill`",
            Topic => "in an entry of `topics`",
            Admin => "under `admin`",
            AdminKey => "under `admin.keys.<name>`",
            Log => "under `log`",
            Tracing => "under `tracing`",
        }
    }
}

/// What a key takes, and what holds without it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A whole number.
    Number {
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
        /// What holds without it.
        default: u64,
    },
    /// A whole number without which something else holds than another number.
    Optional {
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
        /// What holds without it.
        without: &'static str,
    },
    /// A number that need not be whole.
    Decimal {
        /// The least it may be.
        min: f64,
        /// The most it may be.
        max: f64,
        /// What holds without it.
        default: f64,
    },
    /// `true` or `false`.
    Flag {
        /// What holds without it.
        default: bool,
    },
    /// One of several words, the first of which holds without it.
    Choice {
        /// The words.
        of: &'static [&'static str],
        /// What the contract knows beside them and this build does not.
        later: &'static [&'static str],
    },
    /// One of several words, or none of them.
    Word {
        /// The words.
        of: &'static [&'static str],
    },
    /// A text.
    Text {
        /// What holds without it; `None` where it must be given.
        default: Option<&'static str>,
    },
    /// A text that is never shown, or none.
    Secret,
    /// Names, each with a text that is never shown.
    Secrets,
    /// A text that is never shown, or a list of them.
    SecretTexts,
    /// The path of a file, or none.
    Path,
    /// A text, or a list of texts that count together.
    Texts {
        /// What holds without it; empty where that is none.
        default: &'static str,
    },
    /// A list, described by the text.
    List(&'static str),
    /// A block of keys of its own.
    Block,
}

/// The longest time a key may ask for, so that no deadline leaves the clock: a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const U16: u64 = u16::MAX as u64;
const U32: u64 = u32::MAX as u64;
/// The most bytes one message may have, so that twice as many still count in 32 bits.
const MAX_PAYLOAD: u64 = 256 * 1024 * 1024;
/// The most bytes one lane or buffer may have.
const TIB: u64 = 1 << 40;
/// The most bytes that may lie on disk.
const PIB: u64 = 1 << 50;
/// The least a directory to spill to may hold: two segments for one topic, and two for another.
const LEAST_STORE: u64 = 64 << 20;

/// The most dead letters of one topic.
const DEAD_LETTERS: u64 = 100_000;

const fn key(section: Section, name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { section, name, kind, meaning }
}

const fn number(min: u64, max: u64, default: u64) -> Kind {
    Number { min, max, default }
}

/// A limit that holds only where it is given.
const fn limit(max: u64) -> Kind {
    Optional { min: 1, max, without: "none" }
}

/// A number of a rate that must be given.
const fn needed() -> Kind {
    Optional { min: 1, max: U32, without: "must be given" }
}

const fn burst(without: &'static str) -> Kind {
    Optional { min: 1, max: U32, without }
}

const fn choice(of: &'static [&'static str]) -> Kind {
    Choice { of, later: &[] }
}

/// Every key there is, section by section, in the order in which a file is best written.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key(File, "servers", Block, "The servers, each under a name of its own; at least one."),
    key(File, "admin", Block, "The address of publish API, metrics and health."),
    key(File, "log", Block, "What is logged, and how."),
    key(File, "tracing", Block, "Where the ways of messages are told as OpenTelemetry traces. Without it there are none; `tracing: {}` is enough to have them."),
    key(File, "watch", Flag { default: true }, "Whether this file, the files it refers to and those of `tls` and `jwt` are watched, and taken up when they change; without it they are read again on `SIGHUP` alone."),

    key(Server, "host", Text { default: Some("0.0.0.0") }, "The address to listen on; `unix:/path` is a Unix socket and takes no port."),
    key(Server, "port", number(0, U16, 3000), "The port to listen on; 0 lets the system choose."),
    key(Server, "path", Text { default: Some("/socket.io") }, "The HTTP path Socket.IO is served under."),
    key(Server, "transport", choice(&["WS", "WSS"]), "Plain, or TLS as `tls` says."),
    key(Server, "tls", Block, "Certificate and key; must be given where `transport` is WSS."),
    key(Server, "engineIoTransport", choice(&["WEBSOCKET_OR_POLLING", "WEBSOCKET_ONLY"]), "Which Engine.IO transports a client may use."),
    key(Server, "auth", choice(&["NONE", "TOKEN"]), "How clients prove who they are: not at all, or by a token that one of `staticTokens`, `jwt` and `authHook` accepts, asked in this order."),
    key(Server, "staticTokens", Secrets, "Tokens of one principal each, as `name: token` or `name: sha256:<64 hexadecimal digits>`; better `${ENV}` or a digest than the token itself."),
    key(Server, "jwt", Block, "Tokens signed by someone else (JSON Web Tokens)."),
    key(Server, "authHook", Block, "Someone to ask about a token, over HTTP."),
    key(Server, "tokenQuery", Flag { default: false }, "Whether a token may stand in the query of the handshake, as `?token=`."),
    key(Server, "authTimeoutMs", number(1, DAY_MS, 10_000), "How long a client may stay without a token where one is required, and how long the check of one may take."),
    key(Server, "authFailures", Block, "How many wrong tokens an address may offer before its next ones are refused unchecked."),
    key(Server, "allowedOrigins", List("origins, such as `https://example.org`, or `*`"), "The origins browsers may connect from, also sent as CORS headers to polling clients; without it origins are not checked."),
    key(Server, "maxConnections", number(1, U32, 10_000), "How many connections may be open at once; more are answered 503, and with TLS closed before the handshake."),
    key(Server, "maxPayloadBytes", number(1, MAX_PAYLOAD, 65_536), "The largest payload a client may publish; more is answered `PAYLOAD_TOO_LARGE`."),
    key(Server, "maxSubscriptionsPerClient", number(1, U32, 64), "How many topics of a namespace one client may subscribe to."),
    key(Server, "pingIntervalMs", number(1, DAY_MS, 25_000), "How long after a pong the next ping is sent."),
    key(Server, "pingTimeoutMs", number(1, DAY_MS, 20_000), "How long a client may take to answer a ping."),
    key(Server, "connectTimeoutMs", number(1, DAY_MS, 10_000), "How long a connection may stay without joining a namespace."),
    key(Server, "headerTimeoutMs", number(1, DAY_MS, 10_000), "How long the headers of a request may take to arrive."),
    key(Server, "bodyTimeoutMs", number(1, DAY_MS, 10_000), "How long the body of a request may take to arrive."),
    key(Server, "stallTimeoutMs", number(1, DAY_MS, 30_000), "How long a client may accept no byte of what waits for it before it is cut off."),
    key(Server, "splice", Flag { default: true }, "Whether messages are written below the websocket, encoded once for all their receivers and many with one call. Without it, and always for clients that poll and for native acks, the Socket.IO library emits each."),
    key(Server, "windowFrames", number(1, U16, 32), "How many frames may lie between a client's lanes and the kernel where the Socket.IO library emits them."),
    key(Server, "notSentLowatBytes", number(1, U32, 16_384), "How many unsent bytes the kernel may hold for a connection (TCP_NOTSENT_LOWAT)."),
    key(Server, "blockedReadBudgetBytes", number(1, TIB, 262_144), "How much is read from a client while writing to it is blocked."),
    key(Server, "shutdownDrainMs", number(0, DAY_MS, 10_000), "How long lanes may take to empty when the server stops."),
    key(Server, "memoryBudgetBytes", Optional { min: 1 << 20, max: TIB, without: "half of the memory there is" }, "How much memory messages may take over all clients, connections not counted. The servers of a file have one budget: the sum of what they give."),
    key(Server, "spillRootPath", Text { default: Some(".streamfence-spill") }, "The directory where lanes overflow to disk (`overflowAction: SPILL_TO_DISK`), for this process alone; relative to the configuration. Servers that name the same one share it. It is made where a topic spills, and emptied when the server starts."),
    key(Server, "spillMaxBytes", number(LEAST_STORE, PIB, 4 << 30), "How much disk that directory may take, in files of 16 MiB. Said by one server, it holds for all that share it."),
    key(Server, "spillMinFreeBytes", number(0, PIB, 512 << 20), "How much of the disk it leaves free, whoever takes the rest. Said by one server, it holds for all that share the directory."),
    key(Server, "namespaces", List("namespaces"), "The namespaces it serves; at least one."),
    key(Server, "trustedProxies", List("addresses, networks such as `10.0.0.0/8`, or `unix` for whoever connects over a Unix socket"), "Who is believed when it says where a client is (`X-Forwarded-For`); without it, a client is where its connection comes from."),
    key(Server, "proxyProtocol", Flag { default: false }, "Whether those proxies begin each connection with a header of the PROXY protocol, version 1 or 2; one that does not is closed."),
    key(Server, "bindSidToIp", Flag { default: false }, "Whether all requests of a session must come from the address that opened it (IPv6 by its first 64 bits); others are answered 403. Clients that change networks, or come by several proxies that are not named in `trustedProxies`, lose their sessions."),
    key(Server, "maxConnectionsPerIp", limit(U32), "How many connections one address (IPv6: one /64) may have; more are answered 429."),
    key(Server, "handshakesPerIp", Block, "How many connections one address may open in a while, and a third of how many handshakes of TLS it may begin; more are answered 429, or closed."),
    key(Server, "maxPendingConnections", limit(U32), "How many connections there may be that have joined no namespace yet; more are answered 503."),
    key(Server, "maxPendingPerIp", limit(U32), "How many connections one address may have that have joined no namespace yet, or ended so within `connectTimeoutMs`; more are answered 429."),
    key(Server, "inboundRate", Block, "How often a client may subscribe, unsubscribe and publish; more is answered `RATE_LIMITED`. Acks are never counted."),

    key(HandshakeRate, "count", needed(), "How many connections, over time."),
    key(HandshakeRate, "perMs", number(1, DAY_MS, 1000), "In how much time."),
    key(HandshakeRate, "burst", burst("as many as `count`"), "How many at once, after a time of silence."),

    key(InboundRate, "messages", needed(), "How many wishes of one connection, over time."),
    key(InboundRate, "perMs", number(1, DAY_MS, 1000), "In how much time."),
    key(InboundRate, "burst", burst("as many as `messages`"), "How many at once, after a time of silence."),
    key(InboundRate, "events", Block, "Events that are counted on their own, each with a rate of its own."),
    key(InboundRate, "principals", List("`{name, messages, perMs, burst}`"), "Clients that have another rate, for everything they want."),
    key(InboundRate, "maxRefusedPerMinute", limit(U32), "How many wishes may be refused within a minute before that costs the connection."),

    key(InboundEvents, "subscribe", Block, "The rate of `subscribe`; one for several topics counts once."),
    key(InboundEvents, "unsubscribe", Block, "The rate of `unsubscribe`."),
    key(InboundEvents, "publish", Block, "The rate of `publish`."),

    key(EventRate, "messages", needed(), "How many, over time."),
    key(EventRate, "perMs", number(1, DAY_MS, 1000), "In how much time."),
    key(EventRate, "burst", burst("as many as `messages`"), "How many at once, after a time of silence."),

    key(PrincipalRate, "name", Text { default: None }, "Who it is for, as its token or the application says."),
    key(PrincipalRate, "messages", needed(), "How many wishes of one connection, over time."),
    key(PrincipalRate, "perMs", number(1, DAY_MS, 1000), "In how much time."),
    key(PrincipalRate, "burst", burst("as many as `messages`"), "How many at once, after a time of silence."),

    key(Tls, "certChainPemPath", Text { default: None }, "The file with the certificates in PEM, the server's own first; relative to the configuration."),
    key(Tls, "privateKeyPemPath", Text { default: None }, "The file with the key of the first certificate in PEM, readable by the server alone; relative to the configuration."),
    key(Tls, "privateKeyPassword", Secret, "What decrypts the key, where it is encrypted (PKCS#8 by PBES2 with AES, as `openssl pkcs8 -topk8 -v2 aes-256-cbc` writes it); best as `${file:..}` or `${NAME}`."),
    key(Tls, "protocol", choice(&["TLSv1.3", "TLSv1.2"]), "The oldest version clients may speak; newer ones are spoken too."),
    key(Tls, "clientAuth", choice(&["none", "optional", "required"]), "Whether clients show a certificate: `optional` lets in who has none, and `required` does not. Who shows one that is not good is refused."),
    key(Tls, "clientCaPemPath", Path, "The file with the certificates in PEM of those who sign for clients; relative to the configuration. Must be given where `clientAuth` asks for certificates."),
    key(Tls, "clientCrlPemPath", Path, "The file with lists in PEM of what they have revoked; relative to the configuration. Without it nothing is."),
    key(Tls, "handshakeTimeoutMs", number(1, DAY_MS, 10_000), "How long a handshake may take."),
    key(Tls, "maxHandshakes", number(1, U16, 256), "How many handshakes may go on at once; more connections wait, and the oldest handshake gives way to them after a second."),

    key(Jwt, "algorithm", Word { of: &["HS256", "RS256", "ES256", "EdDSA"] }, "How tokens are signed; must be given. A token that says otherwise is refused."),
    key(Jwt, "keyPath", Path, "The file with the one key: a public key in PEM, or with HS256 the secret, a newline at its end not counted. Relative to the configuration. It, `jwksPath` or `secret` must be given."),
    key(Jwt, "jwksPath", Path, "The file with a set of keys in JSON (JWKS), from which a token chooses by its `kid`."),
    key(Jwt, "secret", Secret, "The secret of HS256, of 32 bytes or more."),
    key(Jwt, "issuer", Texts { default: "" }, "The issuers (`iss`) that are believed; without it any, and none."),
    key(Jwt, "audience", Texts { default: "" }, "The audiences (`aud`) of which a token must name one; without it a token that names any is refused."),
    key(Jwt, "leewayMs", number(0, 600_000, 5000), "How far the clocks of issuer and server may lie apart, for `exp` and `nbf`; counted in whole seconds."),
    key(Jwt, "requireExpiry", Flag { default: true }, "Whether a token without `exp` is refused."),
    key(Jwt, "principalClaim", Text { default: Some("sub") }, "The claim that names the principal."),
    key(Jwt, "rulesClaim", Text { default: Some("streamfence") }, "The claim that lists what its holder may do."),
    key(Jwt, "withoutRules", choice(&["allow", "deny"]), "What a token without that claim may do: everything, or nothing."),

    key(AuthHook, "url", Text { default: None }, "Where each question is posted to, such as `http://127.0.0.1:8080/authorize`; `https://` too."),
    key(AuthHook, "caCertsPemPath", Path, "The file with the certificates in PEM that vouch for an `https` URL, without it those that the system trusts; relative to the configuration."),
    key(AuthHook, "recheckMs", number(0, 86_400_000, 60_000), "How long who was let in stays before the hook is asked again about it and about its subscriptions; 0 waits for its next wish."),
    key(AuthHook, "timeoutMs", number(1, 60_000, 2000), "How long an answer may take; then the token is refused."),
    key(AuthHook, "maxConcurrent", number(1, 4096, 64), "How many questions may be open at once. Sixteen times as many wait for their turn, within the same time; what comes beyond is refused."),
    key(AuthHook, "cacheMs", number(0, 3_600_000, 2000), "How long an answer holds for the same token and wish; a refusal for a fifth of it. 0 asks every time."),

    key(AuthFailures, "max", number(0, U16, 20), "How many; 0 is any number."),
    key(AuthFailures, "windowMs", number(1, DAY_MS / 24, 60_000), "Within how long. An address that offers more is refused for as long, and each time again for twice as long, up to 15 minutes."),
    key(AuthFailures, "alarmPerMinute", number(0, U32, 300), "How many wrong tokens within a minute, from all addresses together, are told of (`auth_alarm`, once a minute at most); 0 is never."),

    key(Namespace, "path", Text { default: None }, "Its path, such as `/feed`; once in the file."),
    key(Namespace, "topics", List("names, or `{name: .., <policy keys>}`"), "Its topics; at least one."),
    key(Namespace, "sessionRetentionMs", number(0, DAY_MS, 30_000), "How long a lost session waits for its client, where the client asked for that; 0 is not at all."),
    key(Namespace, "slowClient", Block, "What happens to a client that stays behind, over all its topics of the namespace."),

    key(SlowClient, "softMessages", limit(TIB), "A client for which more messages than this wait, queued and in flight, counts as slow after `forMs`."),
    key(SlowClient, "softBytes", limit(TIB), "The same in bytes of encoded packets."),
    key(SlowClient, "forMs", number(1, DAY_MS, 10_000), "How long a client may stay above a limit; above a hard one, how long without progress: nothing sent for the first time, nothing acked or confirmed."),
    key(SlowClient, "hard", Word { of: &["unsubscribe", "disconnect"] }, "What happens to a client above a hard limit that makes no progress: its fullest topic ends, or its connection."),
    key(SlowClient, "hardMessages", limit(TIB), "How many messages are too many, where `hard` says what happens then; at least `softMessages`."),
    key(SlowClient, "hardBytes", limit(TIB), "The same in bytes of encoded packets; at least `softBytes`."),

    key(Policy, "deliveryMode", choice(&["BEST_EFFORT", "AT_LEAST_ONCE"]), "Whether messages wait for the client's ack."),
    key(Policy, "overflowAction", choice(&["REJECT_NEW", "DROP_OLDEST", "COALESCE", "SNAPSHOT_ONLY", "SPILL_TO_DISK"]), "What gives way when a client's lane is full; AT_LEAST_ONCE takes REJECT_NEW or SPILL_TO_DISK. With SPILL_TO_DISK nothing does while there is room on disk: the message goes there, and so does every later one until the client has caught up."),
    key(Policy, "maxQueuedMessagesPerClient", number(1, U32, 64), "How many messages a client's lane holds, queued and in flight together."),
    key(Policy, "maxTopics", number(1, U32, 10_000), "How many topics may be made at once from one whose name is a pattern."),
    key(Policy, "maxQueuedBytesPerClient", number(1, TIB, 524_288), "How many bytes of encoded packets a client's lane holds."),
    key(Policy, "ackTimeoutMs", number(1, DAY_MS, 1000), "How long a client may take to ack before a message is sent again."),
    key(Policy, "maxRetries", number(0, U32, 0), "How often a message is sent again; AT_LEAST_ONCE needs at least 1."),
    key(Policy, "retryBackoff", Block, "How the ack timeout grows from attempt to attempt."),
    key(Policy, "maxInFlight", number(1, U16, 1), "How many messages may be sent and not yet acked; at most `maxQueuedMessagesPerClient`."),
    key(Policy, "coalesce", Flag { default: false }, "Whether a message first replaces the queued one of the same key, in its place."),
    key(Policy, "coalesceKey", Texts { default: "topic" }, "What makes two messages versions of one value, unless their publisher gives a key: `topic`, or a JSON pointer into the payload such as `/symbol`, or a list of them such as `[/symbol, /venue]`."),
    key(Policy, "coalesceFallback", choice(&["reject", "dropOldest"]), "What gives way when a COALESCE lane is full of other keys: the new message, or the oldest."),
    key(Policy, "allowPolling", Flag { default: true }, "Whether clients that poll may subscribe."),
    key(Policy, "authRequired", Flag { default: false }, "Whether a client must prove who it is: in an entry of `namespaces` to stay there for longer than `authTimeoutMs`, and to subscribe or publish to its topics; in an entry of `topics` for that one. Needs `auth: TOKEN`."),
    key(Policy, "inboundAckPolicy", choice(&["ACK_ON_RECEIPT", "ACK_AFTER_HANDLER_SUCCESS"]), "When a client's publish is answered."),
    key(Policy, "clientPublish", choice(&["deny", "relay", "handler"]), "What becomes of a message a client publishes."),
    key(Policy, "echo", Flag { default: true }, "Whether a relayed message also reaches its sender."),
    key(Policy, "wire", choice(&["topicEvent", "envelope"]), "The shape of a message on the wire."),
    key(Policy, "metadata", choice(&["whenAcked", "always", "full"]), "Which messages carry metadata, and how much."),
    key(Policy, "ack", choice(&["event", "native"]), "How a client acks: by the `ack` event, or also by the callback that Socket.IO gives it with the message."),
    key(Policy, "onSubscribe", choice(&["none", "last"]), "What a new subscriber gets at once: nothing, or the newest message, of each key where the topic coalesces (by `coalesce`, COALESCE or `maxFrequency`); of at most 10000 keys, those published last."),
    key(Policy, "ttlMs", number(0, DAY_MS, 0), "How long a message is worth sending, unless its publisher says otherwise; 0 is for ever."),
    key(Policy, "gapNotices", Flag { default: false }, "Whether a client is told, in order, of what it missed."),
    key(Policy, "maxFrequency", Decimal { min: 0.0, max: 1000.0, default: 0.0 }, "How many values of one key a client gets in a second at most, always the newest; 0 is as many as there are. BEST_EFFORT only; a client may ask for fewer."),
    key(Policy, "onRetryExhausted", choice(&["deadLetter", "disconnect"]), "What the client pays when the last retry of a message is not acked: nothing, or its connection. The message is a dead letter either way."),
    key(Policy, "deadLetterCapacity", number(0, DEAD_LETTERS, 128), "How many messages that were given up are kept for a topic, or for all topics of a pattern together; the oldest gives way, and 0 keeps none."),
    key(Policy, "receiptWindow", number(0, U16, 0), "How many messages of a BEST_EFFORT topic may be sent and not yet confirmed by the client, so that a slow handler is felt; 0 is any number."),
    key(Policy, "spill", Block, "How much may overflow to disk, where `overflowAction` is SPILL_TO_DISK."),

    key(Backoff, "multiplier", Decimal { min: 1.0, max: 100.0, default: 1.0 }, "How many times as long as the one before it an attempt has."),
    key(Backoff, "maxMs", number(0, DAY_MS, 60_000), "The longest an attempt has, unless `ackTimeoutMs` is longer."),
    key(Backoff, "jitter", Decimal { min: 0.0, max: 1.0, default: 0.0 }, "By which share a timeout may be shortened, so that clients do not all retry at once."),

    key(Spill, "maxBytesPerClient", limit(PIB), "How many bytes of encoded packets one client may have on disk, of one topic."),
    key(Spill, "maxBytesPerTopic", limit(PIB), "How many bytes of encoded packets one topic may have on disk, each message counted once; each shard has an equal part of it."),
    key(Spill, "onFull", choice(&["reject", "disconnect"]), "What becomes of a client that has used up `maxBytesPerClient`: new messages for it are refused until half of what lies there is read, or its connection ends. Where the topic or the disk has no more room, messages are refused."),

    key(Topic, "name", Text { default: None }, "Its name; once in its namespace. One that ends in `*` is a pattern: every name that begins so is a topic, made when somebody subscribes or publishes to it and gone with its last subscriber."),

    key(Admin, "host", Text { default: Some("127.0.0.1") }, "The address to listen on: a loopback address, or `unix:/path`, which takes no port; any other only where there are `keys`."),
    key(Admin, "port", number(0, U16, 9093), "The port to listen on; 0 lets the system choose."),
    key(Admin, "keys", Block, "Who may do what, each under a name of its own that stands in the log. Without any, nobody is asked for a key. With them every request needs one, from this machine too."),

    key(AdminKey, "keys", SecretTexts, "The key itself, sent as `Authorization: Bearer KEY`, or `sha256:` and the 64 hexadecimal digits of its digest; better `${ENV}` or a digest than the key. Several while one takes the place of another."),
    key(AdminKey, "scopes", Texts { default: "" }, "What its holder may do: `publish` (the routes of `/v1`), `read` (`/metrics` and what `/admin/v1` shows), `admin` (what `/admin/v1` changes, and all of `read`). At least one."),
    key(AdminKey, "topics", Texts { default: "" }, "Where its holder may publish: patterns of a namespace and topic such as `/feed/*` or `/chat/room-7`, in which `*` stands for any characters. Without it, everywhere."),

    key(Log, "level", choice(&["info", "error", "warn", "debug", "trace"]), "The least important line that is logged."),
    key(Log, "format", choice(&["text", "json"]), "The shape of a line."),

    key(Tracing, "endpoint", Text { default: Some("http://localhost:4318") }, "The collector that takes OTLP over HTTP: `http://` or `https://`; `/v1/traces` is added where there is no path. Without it that of `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`, if there is one."),
    key(Tracing, "headers", Secrets, "Headers of each request to it, as `name: value`; better `${ENV}` than a token itself."),
    key(Tracing, "protocol", choice(&["http/protobuf", "http/json"]), "How spans are written."),
    key(Tracing, "sampleRatio", Decimal { min: 0.0, max: 1.0, default: 0.0 }, "Of which share of the publishes that say nothing of a trace there is one. What says of itself that it is sampled is told always, and what says it is not never."),
    key(Tracing, "timeoutMs", number(1, 60_000, 10_000), "How long the collector may take for up to 512 spans; then they are dropped, and counted."),
    key(Tracing, "serviceName", Text { default: Some("streamfence") }, "What the collector calls this service. Without it the name that `OTEL_SERVICE_NAME` says, if there is one."),
];

/// The key of one of these sections that is spelled so, in camelCase or snake_case.
pub(crate) fn find(sections: &[Section], spelling: &str) -> Option<&'static Key> {
    KEYS.iter()
        .filter(|key| sections.contains(&key.section))
        .find(|key| key.name == spelling || snake_case(key.name) == spelling)
}

/// What the writer of an unknown key may have meant: the nearest key here, or the same key elsewhere.
pub(crate) fn hint(sections: &[Section], spelling: &str) -> String {
    let here = || KEYS.iter().filter(|key| sections.contains(&key.section));
    // A third of the letters wrong is a typo, more is another word.
    let near = |key: &&Key| distance(key.name, spelling).min(distance(&snake_case(key.name), spelling));
    let nearest = here().min_by_key(near).filter(|key| near(key) <= 1 + spelling.chars().count() / 3);
    let elsewhere = Section::ALL.into_iter().find(|section| find(&[*section], spelling).is_some());
    match (elsewhere, nearest) {
        (Some(section), _) => format!("; it stands {}", section.place()),
        (None, Some(key)) => format!("; the nearest is `{}`", key.name),
        (None, None) => {
            let built = here().map(|key| key.name);
            format!("; wanted one of {}", built.collect::<Vec<_>>().join(", "))
        }
    }
}

pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// How many letters must be added, removed or exchanged to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    // Every key is shorter, and a file may hold a key as long as itself.
    const LONGEST: usize = 64;
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(!a.eq_ignore_ascii_case(b));
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

/// The table of all keys in Markdown, as `docs/configuration.md` shows it.
#[must_use]
pub fn reference() -> String {
    let mut page = String::new();
    for section in Section::ALL {
        let _ =
            write!(page, "### Keys {}\n\n| key | takes | default | meaning |\n|---|---|---|---|\n", section.place());
        for key in KEYS.iter().filter(|key| key.section == section) {
            let (takes, default) = key.kind.described();
            let _ = writeln!(page, "| `{}` | {takes} | {default} | {} |", key.name, key.meaning);
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

impl Kind {
    /// What it takes and what holds without it, in Markdown.
    fn described(&self) -> (String, String) {
        let coded = |word: &str| format!("`{word}`");
        match self {
            Number { min, max, default } => (format!("{min} to {max}"), coded(&default.to_string())),
            Optional { min, max, without } => (format!("{min} to {max}"), (*without).to_owned()),
            Decimal { min, max, default } => (format!("{min} to {max}"), coded(&default.to_string())),
            Flag { default } => ("`true` or `false`".to_owned(), coded(&default.to_string())),
            Choice { of, later } => {
                let mut takes = of.iter().map(|word| coded(word)).collect::<Vec<_>>().join(", ");
                if !later.is_empty() {
                    let _ = write!(takes, "; not in this build: {}", later.join(", "));
                }
                (takes, coded(of[0]))
            }
            Word { of } => (of.iter().map(|word| coded(word)).collect::<Vec<_>>().join(", "), "none".to_owned()),
            Text { default: Some(default) } => ("a text".to_owned(), coded(default)),
            Texts { default: "" } => ("a text, or a list of texts".to_owned(), "none".to_owned()),
            Texts { default } => ("a text, or a list of texts".to_owned(), coded(default)),
            Text { default: None } => ("a text".to_owned(), "must be given".to_owned()),
            Secret | Path => ("a text".to_owned(), "none".to_owned()),
            Secrets => ("names, each with a text".to_owned(), "none".to_owned()),
            SecretTexts => ("a text, or a list of texts".to_owned(), "must be given".to_owned()),
            List(of) => (format!("a list of {of}"), String::new()),
            Block => ("a block of keys".to_owned(), String::new()),
        }
    }
}

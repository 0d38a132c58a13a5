// The documented client code, over websocket, over polling and through the upgrade; two servers from one file.
import assert from "node:assert/strict";
import test from "node:test";

import { defer } from "./lib/defer.mjs";
import { collect, connect, next, offsetOf, open, subscribe } from "./lib/client.mjs";
import { startServer, TIER } from "./lib/server.mjs";
import { total } from "./lib/metrics.mjs";
import { until } from "./lib/wait.mjs";

const CONFIG = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 1000
    namespaces:
      - path: /feed
        topics: [snapshot, delta]
        overflowAction: DROP_OLDEST
      - path: /described
        topics: [delta]
        metadata: always
      - path: /java
        topics: [delta]
        wire: envelope
        metadata: always
      - path: /relay
        topics: [chat]
        clientPublish: relay
      - path: /deny
        topics: [chat]
        clientPublish: deny
      - path: /socketOnly
        topics: [delta]
        allowPolling: false
  alerts:
    host: 127.0.0.1
    port: 0
    # A polling client that leaves as the server ends may leave an ack behind; no test here is about that.
    shutdownDrainMs: 1000
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 3
        ackTimeoutMs: 30000
`;

const start = (t) => startServer(t, CONFIG, { servers: ["feed", "alerts"] });

const TRANSPORTS = {
  websocket: ["websocket"],
  polling: ["polling"],
  "the upgrade": ["polling", "websocket"],
};

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  test(`the documented client works over ${name}`, async (t) => {
    const server = await start(t);
    const socket = await connect(t, server.url(), "/feed", { transports });
    if (transports.length === 2) {
      await until("the upgrade", () => socket.io.engine.transport.name === "websocket");
    }
    const deltas = collect(socket, "delta");
    const snapshots = collect(socket, "snapshot");

    const subscribed = await subscribe(socket, "delta");
    assert.equal(subscribed.topic, "delta");
    assert.match(subscribed.clientId, /^[\w-]{16}$/);
    assert.notEqual(subscribed.clientId, socket.io.engine.id, "the engine's id is a secret");
    assert.match(subscribed.epoch, /^[0-9A-HJKMNP-TV-Z]{13}$/);
    assert.equal(subscribed.offset, 0);

    const payload = { price: 101.5, text: "äöü €🦀", nested: [1, null, { a: true }] };
    const report = await server.publish("/feed", "delta", payload);
    assert.equal(report.matched, 1);
    assert.equal(report.admitted, 1);
    assert.equal(report.rejected, 0);
    await server.publish("/feed", "snapshot", "not subscribed");
    await server.publish("/feed", "delta", "last");

    await deltas.count(2);
    assert.deepEqual(deltas.items, [[payload], ["last"]], "a best-effort message is its payload and nothing else");
    assert.equal(snapshots.length, 0, "a topic that was not asked for");
  });

  test(`bytes arrive as bytes over ${name}`, async (t) => {
    const server = await start(t);
    const socket = await connect(t, server.url(), "/feed", { transports });
    const deltas = collect(socket, "delta");
    await subscribe(socket, "delta");
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256));
    await server.publish("/feed", "delta", "before");
    await server.publishBytes("/feed", "delta", bytes);
    await server.publish("/feed", "delta", "after");
    await deltas.count(3);
    assert.equal(deltas.payloads[0], "before");
    assert.deepEqual(Buffer.from(deltas.payloads[1]), bytes);
    assert.equal(deltas.payloads[2], "after", "an attachment does not change places with a message");
  });

  test(`order is kept over ${name}`, async (t) => {
    const server = await start(t);
    const socket = await connect(t, server.url(), "/feed", { transports });
    const deltas = collect(socket, "delta");
    await subscribe(socket, "delta");
    for (let seq = 0; seq < 300; seq++) await server.publish("/feed", "delta", { seq });
    await deltas.satisfies("the last message", (items) => items.at(-1)?.[0].seq === 299);
    assert.deepEqual(deltas.payloads.map((p) => p.seq), Array.from({ length: 300 }, (_, i) => i));
  });

  test(`an at-least-once message is acked over ${name}`, async (t) => {
    const server = await start(t);
    const socket = await connect(t, server.url("alerts"), "/alerts", { transports });
    const alerts = collect(socket, "alert");
    socket.on("alert", (_payload, meta) => socket.emit("ack", { topic: meta.topic, messageId: meta.messageId }));
    await subscribe(socket, "alert");
    // The window is 1: the second message proves that the first was acked.
    await server.publish("/alerts", "alert", { n: 1 });
    await server.publish("/alerts", "alert", { n: 2 });
    await alerts.count(2);
    const [[first, meta], [second]] = alerts.items;
    assert.deepEqual([first, second], [{ n: 1 }, { n: 2 }]);
    assert.deepEqual(Object.keys(meta).sort(), ["ackRequired", "messageId", "namespace", "topic"]);
    assert.equal(meta.namespace, "/alerts");
    assert.equal(meta.topic, "alert");
    assert.equal(meta.ackRequired, true);
    assert.match(meta.messageId, /^[0-9A-HJKMNP-TV-Z]{13}:1$/);
  });
}

test("the upgrade loses nothing and keeps order while messages arrive", async (t) => {
  const server = await start(t);
  const socket = open(t, server.url(), "/feed", { transports: ["polling", "websocket"] });
  const deltas = collect(socket, "delta");
  await next(socket, "connect");
  await subscribe(socket, "delta");
  for (let seq = 0; ; seq++) {
    await server.publish("/feed", "delta", { seq });
    // Some more once the upgrade is through, so that both sides of it are seen.
    if (socket.io.engine.transport.name === "websocket" && seq >= 100) {
      await deltas.satisfies("the last message", (items) => items.at(-1)?.[0].seq === seq);
      assert.deepEqual(deltas.payloads.map((p) => p.seq), Array.from({ length: seq + 1 }, (_, i) => i));
      break;
    }
    assert.ok(seq < 5_000, "the upgrade never came");
  }
});

test("metadata: always describes best-effort messages", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/described");
  const deltas = collect(socket, "delta");
  const { epoch } = await subscribe(socket, "delta");
  const { id } = await server.publish("/described", "delta", 1);
  await deltas.count(1);
  const [payload, metadata] = deltas.items[0];
  assert.equal(payload, 1);
  assert.deepEqual(metadata, { namespace: "/described", topic: "delta", messageId: `${epoch}:1`, ackRequired: false });
  assert.equal(offsetOf(metadata), 1);
  assert.equal(id, metadata.messageId, "the publisher learns the id that clients see");
});

test("wire: envelope has the Java shape", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/java");
  const messages = collect(socket, "topic-message");
  const plain = collect(socket, "delta");
  await subscribe(socket, "delta");
  await server.publish("/java", "delta", { a: 1 });
  await messages.count(1);
  const [envelope, ...more] = messages.items[0];
  assert.deepEqual(more, []);
  assert.deepEqual(envelope.payload, { a: 1 });
  assert.equal(envelope.metadata.topic, "delta");
  assert.equal(plain.length, 0);
});

test("several topics are subscribed at once, each with its answer", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const answers = collect(socket, "subscribed");
  const errors = collect(socket, "error");
  const ack = await socket.timeout(5_000).emitWithAck("subscribe", { topics: ["delta", "snapshot", "nonsense"] });
  await answers.count(2);
  await errors.count(1);
  assert.deepEqual(answers.payloads.map((a) => a.topic).sort(), ["delta", "snapshot"]);
  assert.equal(errors.payloads[0].code, "UNKNOWN_TOPIC");
  assert.equal(ack.results.length, 3);
});

test("a subscribe with a Socket.IO acknowledgement is answered there too", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const yes = await socket.timeout(5_000).emitWithAck("subscribe", { topic: "delta", token: "secret" });
  assert.equal(yes.ok, true);
  assert.equal(yes.topic, "delta");
  assert.ok(!JSON.stringify(yes).includes("secret"), "a token is never echoed");
  const no = await socket.timeout(5_000).emitWithAck("subscribe", { topic: "nonsense" });
  assert.equal(no.ok, false);
  assert.equal(no.code, "UNKNOWN_TOPIC");
});

test("after unsubscribe nothing more arrives", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const deltas = collect(socket, "delta");
  const snapshots = collect(socket, "snapshot");
  await subscribe(socket, "delta");
  await subscribe(socket, "snapshot");
  const answer = next(socket, "unsubscribed");
  socket.emit("unsubscribe", { topic: "delta" });
  assert.deepEqual(await answer, [{ topic: "delta", reason: "client" }]);
  const report = await server.publish("/feed", "delta", "nobody");
  assert.equal(report.matched, 0);
  // What comes later on the same connection proves that nothing came before it.
  await server.publish("/feed", "snapshot", "later");
  await snapshots.count(1);
  assert.equal(deltas.length, 0);
});

test("two servers of one file share a fence and no namespace", async (t) => {
  const server = await start(t);
  assert.notEqual(server.url("feed"), server.url("alerts"));
  const feed = await connect(t, server.url("feed"), "/feed");
  const alerts = await connect(t, server.url("alerts"), "/alerts");
  const deltas = collect(feed, "delta");
  const alarms = collect(alerts, "alert");
  await subscribe(feed, "delta");
  await subscribe(alerts, "alert");
  await server.publish("/feed", "delta", 1);
  await server.publish("/alerts", "alert", 2);
  await Promise.all([deltas.count(1), alarms.count(1)]);
  assert.equal(deltas.payloads[0], 1);
  assert.equal(alarms.payloads[0], 2);
  await assert.rejects(connect(t, server.url("feed"), "/alerts"), "a namespace belongs to its server");
});

test("one connection carries several namespaces", async (t) => {
  const server = await start(t);
  const feed = await connect(t, server.url(), "/feed");
  const described = feed.io.socket("/described");
  defer(t, () => described.disconnect());
  await next(described, "connect");
  const inboxes = [collect(feed, "delta"), collect(described, "delta")];
  const { clientId: one } = await subscribe(feed, "delta");
  const { clientId: other } = await subscribe(described, "delta");
  assert.notEqual(one, other, "a client id is one client in one namespace");
  await server.publish("/feed", "delta", "feed");
  await server.publish("/described", "delta", "described");
  await Promise.all(inboxes.map((inbox) => inbox.count(1)));
  assert.deepEqual(inboxes.map((inbox) => inbox.payloads), [["feed"], ["described"]]);
});

test("a relayed publish reaches everyone, with its bytes", async (t) => {
  const server = await start(t);
  const [a, b] = await Promise.all([connect(t, server.url(), "/relay"), connect(t, server.url(), "/relay")]);
  const inboxes = [collect(a, "chat"), collect(b, "chat")];
  await subscribe(a, "chat");
  await subscribe(b, "chat");
  a.emit("publish", { topic: "chat", payload: { text: "hello" } });
  a.emit("publish", { topic: "chat", payload: { file: Buffer.from([0, 1, 255]) } });
  await Promise.all(inboxes.map((inbox) => inbox.count(2)));
  for (const inbox of inboxes) {
    assert.deepEqual(inbox.payloads[0], { text: "hello" });
    assert.deepEqual([...Buffer.from(inbox.payloads[1].file)], [0, 1, 255]);
  }
});

test("a publish where clients may not is refused and reaches nobody", async (t) => {
  const server = await start(t);
  const [a, b] = await Promise.all([connect(t, server.url(), "/deny"), connect(t, server.url(), "/deny")]);
  const inbox = collect(b, "chat");
  await subscribe(b, "chat");
  const answer = await a.timeout(5_000).emitWithAck("publish", { topic: "chat", payload: "psst" });
  assert.equal(answer.ok, false);
  assert.equal(answer.code, "PUBLISH_REJECTED");
  await server.publish("/deny", "chat", "official");
  await inbox.count(1);
  assert.deepEqual(inbox.payloads, ["official"]);
});

test("a polling client may not subscribe where polling is not allowed", async (t) => {
  const server = await start(t);
  const polling = await connect(t, server.url(), "/socketOnly", { transports: ["polling"] });
  await assert.rejects(subscribe(polling, "delta"), { code: "TRANSPORT_REJECTED" });
  const websocket = await connect(t, server.url(), "/socketOnly");
  await subscribe(websocket, "delta");
});

test("health is told on every port, numbers on the admin port alone", async (t) => {
  const server = await start(t);
  for (const name of ["feed", "alerts", "admin"]) {
    assert.equal((await server.get(name, "/healthz")).status, 200, name);
    assert.equal((await server.get(name, "/readyz")).status, 200, name);
  }
  assert.notEqual((await server.get("feed", "/metrics")).status, 200);
  assert.notEqual((await server.get("feed", "/v1/publish")).status, 202);
  await connect(t, server.url(), "/feed");
  await server.metricIs("streamfence_connections_active", { namespace: "/feed" }, 1);
  assert.equal(await server.metric("streamfence_connections_total", { namespace: "/feed" }), 1);
});

test("the tier shows as a gauge, and polling is always emitted", async (t) => {
  const server = await start(t);
  const links = async () => {
    const samples = await server.metrics();
    return ["emit", "splice"].map((tier) => total(samples, "streamfence_links", { tier }));
  };
  const socket = await connect(t, server.url(), "/feed", { transports: ["websocket"] });
  await subscribe(socket, "delta");
  const poller = await connect(t, server.url(), "/feed", { transports: ["polling"] });
  await subscribe(poller, "delta");
  const wanted = TIER === "splice" ? "1,1" : "2,0";
  await until(`links ${wanted}`, async () => (await links()).join() === wanted);
});

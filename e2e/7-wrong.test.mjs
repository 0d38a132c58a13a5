// Wrong things: each is answered or ends the connection that did it, and costs nobody else anything.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, next, subscribe } from "./lib/client.mjs";
import { connectRaw, RawClient } from "./lib/raw.mjs";
import { startServer } from "./lib/server.mjs";
import { until, within } from "./lib/wait.mjs";

const MAX_PAYLOAD = 4096;
const ALERT = { namespace: "/alerts", topic: "alert" };

const CONFIG = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    maxPayloadBytes: ${MAX_PAYLOAD}
    maxSubscriptionsPerClient: 2
    namespaces:
      - path: /feed
        topics: [one, two, three]
        clientPublish: relay
      - path: /alerts
        topics: [alert, sentinel]
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 4
        ackTimeoutMs: 60000
        maxRetries: 1
`;

const start = (t) => startServer(t, CONFIG);

test("an unknown topic and an unknown namespace are refused by name", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  await assert.rejects(subscribe(socket, "nonsense"), { code: "UNKNOWN_TOPIC" });
  await assert.rejects(connect(t, server.url(), "/nowhere"));
  assert.ok(socket.connected);
  await subscribe(socket, "one");
});

test("a publisher's mistakes have real status codes", async (t) => {
  const server = await start(t);
  const wrong = [
    [404, { namespace: "/feed", topic: "nonsense", payload: 1 }],
    [404, { namespace: "/nowhere", topic: "one", payload: 1 }],
    [400, { namespace: "/feed", payload: 1 }],
    [400, { namespace: "/feed", topic: "one", payload: 1, payloadBase64: "AA==" }],
    [400, { namespace: "/feed", topic: "one", payloadBase64: "not base64!" }],
    [400, { namespace: "/feed", topic: "one", payload: 1, nonsense: true }],
    [400, "{"],
    [400, "[]"],
  ];
  for (const [status, body] of wrong) {
    const answer = await server.post("/v1/publish", body);
    assert.equal(answer.status, status, `${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
  }
  assert.equal((await server.publish("/feed", "one", null)).matched, 0, "null is a payload like any other");
});

test("an event with a wrong payload is answered BAD_REQUEST and changes nothing", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const answers = collect(socket, "subscribed");
  const wrong = [
    ["subscribe"],
    ["subscribe", null],
    ["subscribe", 7],
    ["subscribe", "one"],
    ["subscribe", []],
    ["subscribe", {}],
    ["subscribe", { topic: 7 }],
    ["subscribe", { topics: "one" }],
    ["unsubscribe", { topic: {} }],
    ["publish", { payload: 1 }],
    ["publish", "one"],
    ["ack", { topic: "one" }],
    ["ack", { topic: "one", messageId: 7 }],
  ];
  for (const args of wrong) {
    const error = next(socket, "error").catch(() => assert.fail(`no answer to ${JSON.stringify(args)}`));
    socket.emit(...args);
    const [{ code }] = await error;
    assert.equal(code, "BAD_REQUEST", JSON.stringify(args));
  }
  assert.equal(answers.length, 0);
  assert.ok(socket.connected);
  await subscribe(socket, "one");
  assert.equal((await server.publish("/feed", "one", 1)).matched, 1);
});

test("a packet that is not Socket.IO ends its own connection and no other", async (t) => {
  const server = await start(t);
  const bystander = await connect(t, server.url(), "/feed");
  const ones = collect(bystander, "one");
  await subscribe(bystander, "one");
  for (const packet of ["42/feed,{", "42/feed,[]", "42/feed,[7]", "49/feed,", "4", "x"]) {
    const client = await connectRaw(t, server.url(), "/feed");
    client.send(packet);
    await within(`the end of the connection after ${packet}`, client.closed);
  }
  await server.publish("/feed", "one", "still here");
  await ones.count(1);
  await server.metricIs("streamfence_connections_active", { namespace: "/feed" }, 1);
});

test("a client may ack only its own messages, once", async (t) => {
  const server = await start(t);
  const [owner, stranger] = await Promise.all([connect(t, server.url(), "/alerts"), connect(t, server.url(), "/alerts")]);
  const alerts = collect(owner, "alert");
  await subscribe(owner, "alert");
  await subscribe(stranger, "sentinel");
  const strangers = collect(stranger, "error");
  const sentinels = collect(stranger, "sentinel");

  // The window is 4: what arrives beyond it says what was taken for an ack.
  for (let n = 1; n <= 12; n++) await server.publish("/alerts", "alert", n);
  await alerts.count(4);
  const ids = alerts.items.map(([, meta]) => meta.messageId);
  const ack = (socket, messageId) => socket.emit("ack", { topic: "alert", messageId });

  // Foreign: the stranger knows the ids and acks them all. Its own message, sent after, shows they were handled.
  ids.forEach((id) => ack(stranger, id));
  await stranger.timeout(5_000).emitWithAck("subscribe", { topic: "sentinel" });
  // Unknown: an offset never sent, and one that waits in the lane.
  const epoch = ids[0].split(":")[0];
  ack(owner, `${epoch}:999`);
  ack(owner, `${epoch}:6`);
  ack(owner, "nonsense");
  // Its own, twice: one place in the window.
  ack(owner, ids[0]);
  ack(owner, ids[0]);
  await alerts.count(5);
  await owner.timeout(5_000).emitWithAck("subscribe", { topic: "alert" });
  assert.deepEqual(alerts.payloads, [1, 2, 3, 4, 5]);
  assert.equal(sentinels.length + strangers.length, 0);

  await server.metricIs("streamfence_acks_total", ALERT, (acks) => acks >= 1);
  for (const [, meta] of alerts.items.slice(1)) ack(owner, meta.messageId);
  await alerts.count(9);
  assert.deepEqual(alerts.payloads, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a thousand random topics make no new metric series", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  await subscribe(socket, "one");
  await server.publish("/feed", "one", 1);
  await server.metricIs("streamfence_messages_published_total", { topic: "one" }, 1);
  const series = async () => (await server.metrics()).map(({ name, labels }) => `${name}${JSON.stringify(labels)}`).sort();
  const before = await series();

  const errors = collect(socket, "error");
  for (let i = 0; i < 1000; i++) socket.emit("subscribe", { topic: `random-${i}` });
  for (let i = 0; i < 1000; i++) socket.emit("publish", { topic: `random-${i}`, payload: i });
  await errors.count(2000);
  assert.ok(errors.payloads.every(({ code }) => code === "UNKNOWN_TOPIC"));
  for (let i = 0; i < 1000; i++) {
    const { status } = await server.post("/v1/publish", { namespace: "/feed", topic: `random-${i}`, payload: i });
    assert.equal(status, 404);
  }
  assert.deepEqual(await series(), before);
});

test("subscriptions are limited, and asking twice is not two", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const ones = collect(socket, "one");
  await subscribe(socket, "one");
  await subscribe(socket, "one");
  await subscribe(socket, "two");
  await assert.rejects(subscribe(socket, "three"), { code: "LIMIT_EXCEEDED" });
  assert.equal((await server.publish("/feed", "one", "a")).matched, 1);
  await server.publish("/feed", "one", "b");
  await ones.satisfies("the second message", (items) => items.at(-1)?.[0] === "b");
  assert.deepEqual(ones.payloads, ["a", "b"]);
});

test("an oversized payload is answered, a monstrous one ends the connection", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const bystander = await connect(t, server.url(), "/feed");
  const ones = collect(bystander, "one");
  await subscribe(bystander, "one");

  const refused = next(socket, "error");
  socket.emit("publish", { topic: "one", payload: "x".repeat(MAX_PAYLOAD + 1) });
  const [{ code }] = await refused;
  assert.equal(code, "PAYLOAD_TOO_LARGE");
  assert.ok(socket.connected);

  const gone = next(socket, "disconnect");
  socket.emit("publish", { topic: "one", payload: "x".repeat(2 * MAX_PAYLOAD + 4096 + 1) });
  await gone;

  // Just over the limit, so that it is on its way before the server can hang up on it.
  const { status } = await server.post("/v1/publish", { namespace: "/feed", topic: "one", payload: "x".repeat(1024 * 1024) });
  assert.equal(status, 413);
  await server.publish("/feed", "one", "fine");
  await ones.count(1);
  assert.deepEqual(ones.payloads, ["fine"]);
});

test("a message larger than its lane is rejected and counted", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/feed");
  const ones = collect(socket, "one");
  await subscribe(socket, "one");
  // The lane holds 524,288 bytes.
  const { status, body } = await server.post("/v1/publish", { namespace: "/feed", topic: "one", payload: "x".repeat(600_000) });
  if (status === 202) assert.deepEqual([body.matched, body.admitted, body.rejected], [1, 0, 1]);
  else assert.equal(status, 413);
  await server.publish("/feed", "one", "small");
  await ones.count(1);
  assert.deepEqual(ones.payloads, ["small"]);
});

test("websockets that never become clients leave nothing behind", async (t) => {
  const server = await start(t);
  const healthy = await connect(t, server.url(), "/feed");
  const sockets = server.sockets();
  const silent = Array.from({ length: 50 }, () => new RawClient(server.url()));
  await Promise.all(silent.map((client) => client.next((packet) => packet.startsWith("0"))));
  silent.forEach((client) => client.socket.terminate());
  await Promise.all(silent.map((client) => client.closed));
  await server.metricIs("streamfence_connections_active", { namespace: "/feed" }, 1);
  // The connection that asks for metrics is one of the server's sockets too.
  await until("their sockets closed", () => server.sockets() <= sockets + 1);
  assert.ok(healthy.connected);
});

// At-least-once: acks stop retries, silence is retried and then given up, windows keep order.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, offsetOf, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { quiet } from "./lib/wait.mjs";

const ACK_TIMEOUT_MS = 300;
const MAX_RETRIES = 2;

const start = (t, { window = 1, ackTimeoutMs = ACK_TIMEOUT_MS } = {}) =>
  startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        overflowAction: REJECT_NEW
        maxQueuedMessagesPerClient: 256
        maxInFlight: ${window}
        ackTimeoutMs: ${ackTimeoutMs}
        maxRetries: ${MAX_RETRIES}
`,
  );

const LABELS = { namespace: "/alerts", topic: "alert" };
const ack = (socket, ...metas) => metas.forEach((m) => socket.emit("ack", { topic: m.topic, messageId: m.messageId }));

test("an ack stops the retries", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  socket.on("alert", (_payload, meta) => ack(socket, meta));
  await subscribe(socket, "alert");
  await server.publish("/alerts", "alert", "once");
  await alerts.count(1);
  await quiet(ACK_TIMEOUT_MS * (MAX_RETRIES + 2));
  assert.equal(alerts.length, 1);
  assert.equal(await server.metric("streamfence_retries_total", LABELS), 0);
  assert.equal(await server.metric("streamfence_retries_exhausted_total", LABELS), 0);
});

test("a client that never acks gets 1 + maxRetries sends of one id, then the next message flows", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  await subscribe(socket, "alert");
  await server.publish("/alerts", "alert", "a");
  await server.publish("/alerts", "alert", "b");

  const sends = 1 + MAX_RETRIES;
  await alerts.count(2 * sends);
  assert.deepEqual(alerts.payloads, [...Array(sends).fill("a"), ...Array(sends).fill("b")]);
  const ids = alerts.items.map(([, meta]) => meta.messageId);
  assert.equal(new Set(ids.slice(0, sends)).size, 1, "every attempt has the same id");
  assert.equal(new Set(ids.slice(sends)).size, 1);
  assert.notEqual(ids[0], ids[sends]);

  await server.metricIs("streamfence_retries_exhausted_total", LABELS, 2);
  assert.equal(await server.metric("streamfence_retries_total", LABELS), 2 * MAX_RETRIES);
  await quiet(2 * ACK_TIMEOUT_MS);
  assert.equal(alerts.length, 2 * sends, "what was given up is not sent again");
  assert.ok(socket.connected);
});

test("an ack after the second attempt stops the third", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  await subscribe(socket, "alert");
  await server.publish("/alerts", "alert", "a");
  await alerts.count(2);
  ack(socket, alerts.items[1][1]);
  await quiet(ACK_TIMEOUT_MS * (MAX_RETRIES + 1));
  assert.equal(alerts.length, 2);
  assert.equal(await server.metric("streamfence_retries_exhausted_total", LABELS), 0);
});

test("nothing beyond the window is sent before an ack", async (t) => {
  const server = await start(t, { window: 4 });
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  await subscribe(socket, "alert");
  await Promise.all(Array.from({ length: 10 }, (_, i) => server.publish("/alerts", "alert", i)));
  await alerts.count(4);
  await quiet(ACK_TIMEOUT_MS / 3);
  assert.equal(alerts.length, 4);
  // An ack in the middle of the window makes room for exactly one.
  ack(socket, alerts.items[1][1]);
  await alerts.count(5);
  assert.equal(offsetOf(alerts.items[4][1]), 5);
});

for (const window of [1, 32]) {
  test(`a window of ${window} keeps order and delivers each message once`, async (t) => {
    // Nothing is retried because the machine was busy: a duplicate would be the server's.
    const server = await startServer(
      t,
      `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxQueuedMessagesPerClient: 1000
        maxQueuedBytesPerClient: 8388608
        maxInFlight: ${window}
        ackTimeoutMs: 20000
        maxRetries: 1
`,
    );
    const sockets = await Promise.all(Array.from({ length: 3 }, () => connect(t, server.url(), "/alerts")));
    const inboxes = sockets.map((socket) => collect(socket, "alert"));
    sockets.forEach((socket) => socket.on("alert", (_payload, meta) => ack(socket, meta)));
    for (const socket of sockets) await subscribe(socket, "alert");

    const reports = await server.burst("/alerts", "alert", 1000, (seq) => ({ seq }));
    assert.equal(reports.reduce((sum, r) => sum + r.rejected, 0), 0);
    await Promise.all(inboxes.map((inbox) => inbox.count(1000)));
    for (const inbox of inboxes) {
      const offsets = inbox.items.map(([, meta]) => offsetOf(meta));
      assert.deepEqual(offsets, Array.from({ length: 1000 }, (_, i) => i + 1));
    }
    assert.equal(await server.metric("streamfence_retries_total", LABELS), 0);
    await server.metricIs("streamfence_acks_total", LABELS, (acks) => acks >= 3000);
  });
}

test("a full lane rejects and says so to the publisher; nothing accepted is lost", async (t) => {
  const server = await start(t, { ackTimeoutMs: 20_000 });
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  await subscribe(socket, "alert");
  const admitted = [];
  for (let i = 0; i < 300; i++) {
    const report = await server.publish("/alerts", "alert", i);
    assert.equal(report.matched, report.admitted + report.rejected);
    admitted.push(report.admitted);
  }
  // The limit covers what is queued and what is in flight together.
  assert.deepEqual(admitted, [...Array(256).fill(1), ...Array(44).fill(0)]);
  assert.equal(alerts.length, 1);

  socket.on("alert", (_payload, meta) => ack(socket, meta));
  ack(socket, alerts.items[0][1]);
  await alerts.count(256);
  assert.deepEqual(alerts.payloads, Array.from({ length: 256 }, (_, i) => i));
  const { admitted: again } = await server.publish("/alerts", "alert", "room again");
  assert.equal(again, 1);
  await alerts.satisfies("the message after them", (items) => items.at(-1)[0] === "room again");
  assert.equal(alerts.length, 257);
});

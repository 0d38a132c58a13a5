// What a client can say of a message beyond one ack, how long a message is worth sending, and what was missed.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, next, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { quiet } from "./lib/wait.mjs";

const LANE = 4;

const start = (t) =>
  startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /alerts
        topics:
          - alert
          - { name: brief, ttlMs: 200, gapNotices: true, maxInFlight: 1 }
          - { name: full, gapNotices: true, maxInFlight: 1, maxQueuedMessagesPerClient: ${LANE} }
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 8
        maxQueuedMessagesPerClient: 64
        ackTimeoutMs: 60000
        maxRetries: 2
        metadata: full
`,
  );

const labels = (topic) => ({ namespace: "/alerts", topic });
const publish = (server, topic, from, to) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i).reduce(
    (before, n) => before.then(() => server.publish("/alerts", topic, n)),
    Promise.resolve(),
  );

test("a cumulative ack releases everything up to its message and opens the window", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  await subscribe(socket, "alert");
  await publish(server, "alert", 1, 20);
  await alerts.count(8);
  socket.emit("ack", { topic: "alert", upTo: alerts.items[7][1].messageId });
  await alerts.count(16);
  await quiet(100);
  assert.equal(alerts.length, 16, "the window is eight");
  assert.equal(await server.metric("streamfence_acks_total", { ...labels("alert"), outcome: "released" }), 8);
  const answer = await socket.emitWithAck("ack", { topic: "alert", upTo: alerts.items[7][1].messageId });
  assert.deepEqual(answer, { ok: true });
  assert.equal(await server.metric("streamfence_acks_total", { ...labels("alert"), outcome: "late" }), 1);
});

test("a message that is nacked comes again after its delay, as one more attempt", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  await subscribe(socket, "alert");
  await server.publish("/alerts", "alert", "handle me");
  await alerts.count(1);
  const { messageId } = alerts.items[0][1];
  const nacked = performance.now();
  socket.emit("nack", { topic: "alert", messageId, delayMs: 300 });
  await alerts.count(2);
  assert.ok(performance.now() - nacked >= 290, "not before its delay");
  assert.deepEqual([alerts.items[1][1].messageId, alerts.items[1][1].attempt], [messageId, 2]);
  socket.emit("nack", { topic: "alert", messageId });
  await alerts.count(3);
  // The third send was the last: one more nack gives it up.
  socket.emit("nack", { topic: "alert", messageId });
  await server.metricIs("streamfence_retries_exhausted_total", labels("alert"), 1);
  assert.equal(await server.metric("streamfence_acks_total", { ...labels("alert"), outcome: "nacked" }), 3);
});

test("what has expired is not sent, is counted, and the client is told of it in order", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const said = [];
  socket.on("brief", (payload, meta) => said.push([payload, meta.offset]));
  socket.on("gap", (gap) => said.push(gap));
  await subscribe(socket, "brief");
  const first = next(socket, "brief");
  await publish(server, "brief", 1, 3);
  const [, meta] = await first;
  await server.metricIs("streamfence_messages_expired_total", labels("brief"), 2);
  await server.publish("/alerts", "brief", 4, { ttlMs: 60_000 });
  socket.emit("ack", { topic: "brief", messageId: meta.messageId });
  await next(socket, "brief");
  assert.deepEqual(said, [[1, 1], { topic: "brief", from: 2, to: 3, count: 2, reason: "expired" }, [4, 4]]);
});

test("a client is told of what its full lane refused", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const gaps = collect(socket, "gap");
  const got = collect(socket, "full");
  await subscribe(socket, "full");
  await publish(server, "full", 1, LANE + 3);
  for (let n = 1; n <= LANE; n++) {
    await got.count(n);
    socket.emit("ack", { topic: "full", messageId: got.items[n - 1][1].messageId });
  }
  await server.metricIs("streamfence_messages_delivered_total", labels("full"), LANE);
  assert.equal(gaps.length, 0, "a gap comes with the next message");
  await server.publish("/alerts", "full", "after");
  await got.count(LANE + 1);
  const [from, to] = [LANE + 1, LANE + 3];
  assert.deepEqual(gaps.payloads, [{ topic: "full", from, to, count: 3, reason: "rejected" }]);
});

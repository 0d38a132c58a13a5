// A client that never acks: its messages become dead letters, and where the topic says so it is cut.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, next, open, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const start = (t, keys = "") =>
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
        ackTimeoutMs: 100
        maxRetries: 2
        ${keys}
`,
  );

const LABELS = { namespace: "/alerts", topic: "alert" };
const logged = (server, code) =>
  until(`${code} in the log`, () => server.log.map((line) => JSON.parse(line)).find((line) => line.code === code));

test("a message nobody acks becomes a dead letter, and its client stays", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  const alerts = collect(socket, "alert");
  const { clientId } = await subscribe(socket, "alert");
  const { id } = await server.publish("/alerts", "alert", "lost");
  await server.metricIs("streamfence_dead_letters", LABELS, 1);
  const line = await logged(server, "dead_letter");
  assert.deepEqual([line.namespace, line.topic, line.client, line.id], ["/alerts", "alert", clientId, id]);
  assert.equal(line.reason, "exhausted");
  assert.equal(alerts.length, 3, "it was sent once and twice again");
  assert.ok(socket.connected);
});

test("a message refused to the last is one too, and the oldest gives way", async (t) => {
  const server = await start(t, "deadLetterCapacity: 1");
  const socket = await connect(t, server.url(), "/alerts");
  socket.on("alert", (_payload, meta) => socket.emit("nack", { topic: "alert", messageId: meta.messageId }));
  await subscribe(socket, "alert");
  await server.publish("/alerts", "alert", 1);
  await server.publish("/alerts", "alert", 2);
  await server.metricIs("streamfence_dead_letters_evicted_total", LABELS, 1);
  await server.metricIs("streamfence_dead_letters", LABELS, 1);
  assert.equal((await logged(server, "dead_letter")).reason, "nacked");
});

test("where that costs the connection the client is cut with a reason, and reads it again when it comes back", async (t) => {
  const server = await start(t, "onRetryExhausted: disconnect");
  const socket = open(t, server.url(), "/alerts", { auth: { session: true } });
  const [{ id, secret }] = await next(socket, "session");
  await subscribe(socket, "alert");
  const told = next(socket, "error");
  const cut = next(socket, "disconnect");
  await server.publish("/alerts", "alert", "lost");
  assert.equal((await told)[0].code, "RETRIES_EXHAUSTED");
  assert.equal((await cut)[0], "io server disconnect");
  await server.metricIs("streamfence_disconnections_total", { namespace: "/alerts", reason: "retries_exhausted" }, 1);
  await server.metricIs("streamfence_dead_letters", LABELS, 1);

  const back = open(t, server.url(), "/alerts", { auth: { session: { id, secret } } });
  const [why, session] = await Promise.all([next(back, "error"), next(back, "session")]);
  assert.equal(why[0].code, "RETRIES_EXHAUSTED");
  assert.equal(session[0].resumed, false);
});

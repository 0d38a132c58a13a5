// Native callbacks, receipt windows and the farewell of a server that stops.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, next, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { until } from "./lib/wait.mjs";

const ACK_TIMEOUT_MS = 300;
const native = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxQueuedMessagesPerClient: 256
        maxInFlight: 4
        ackTimeoutMs: ${ACK_TIMEOUT_MS}
        maxRetries: 5
        ack: native
`;
const LABELS = { namespace: "/alerts", topic: "alert" };

for (const transport of ["websocket", "polling"]) {
  test(`done() is an ack, over ${transport}`, async (t) => {
    const server = await startServer(t, native);
    const socket = await connect(t, server.url(), "/alerts", { transports: [transport] });
    const alerts = collect(socket, "alert");
    // Every other one by its callback, the rest by the event, and one not at the first time.
    let isRefused = false;
    socket.on("alert", (payload, meta, done) => {
      if (payload === 5 && !isRefused) return void (isRefused = true);
      if (payload % 2) done();
      else socket.emit("ack", { topic: meta.topic, messageId: meta.messageId });
    });
    await subscribe(socket, "alert");
    for (let i = 0; i < 20; i++) await server.publish("/alerts", "alert", i);
    await alerts.count(21);
    assert.deepEqual([...new Set(alerts.payloads)].sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
    const [first, again] = alerts.items.filter(([payload]) => payload === 5);
    assert.equal(first[1].messageId, again[1].messageId, "a retry is the same message");
    await server.metricIs("streamfence_acks_total", { ...LABELS, outcome: "released" }, 20);
    await server.metricIs("streamfence_messages_delivered_total", LABELS, 20);
    assert.equal(await server.metric("streamfence_retries_total", LABELS), 1);

    // The client's own questions are answered beside all this.
    const answer = await socket.timeout(5000).emitWithAck("unsubscribe", { topic: "alert" });
    assert.equal(answer.ok, true);
  });
}

const receipts = (window) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: SNAPSHOT_ONLY
        receiptWindow: ${window}
        ack: ${window ? "native" : "event"}
`;

/** A client whose handler takes its time, over a socket that does not; how far it was behind the newest, at most. */
async function lagOfSlowHandler(t, window) {
  const server = await startServer(t, receipts(window));
  const socket = await connect(t, server.url(), "/feed");
  const MESSAGES = 400;
  const waiting = [];
  let newest = 0;
  let arrivedBehind = 0;
  let deepest = 0;
  socket.on("tick", (seq, ...rest) => {
    waiting.push([seq, rest.at(-1)]);
    deepest = Math.max(deepest, waiting.length);
  });
  await subscribe(socket, "tick");
  for (newest = 1; newest <= MESSAGES; newest++) {
    await server.publish("/feed", "tick", newest);
    // The handler gets to one of forty.
    if (newest % 40 === 0 && waiting.length) {
      const [seq, done] = waiting.shift();
      arrivedBehind = Math.max(arrivedBehind, newest - seq);
      if (window) done();
    }
  }
  if (window) {
    // Whatever is left is handled, and the last of it is the newest there is.
    let last;
    await until("the newest has come", () => {
      while (waiting.length) {
        const [seq, done] = waiting.shift();
        last = seq;
        done();
      }
      return last === MESSAGES;
    });
  } else {
    await until("everything has come", () => deepest > MESSAGES - 40);
  }
  return { deepest, arrivedBehind };
}

test("with a receipt window a slow handler has no more waiting for it than that", async (t) => {
  const { deepest } = await lagOfSlowHandler(t, 4);
  assert.ok(deepest <= 4, `${deepest} waited for the handler`);
});

test("without one, hundreds wait before a slow handler", async (t) => {
  const { deepest, arrivedBehind } = await lagOfSlowHandler(t, 0);
  assert.ok(deepest > 300, `${deepest} waited for the handler`);
  assert.ok(arrivedBehind > 300, `the handler was ${arrivedBehind} behind`);
});

test("a server that stops tells each healthy client when to come back", { timeout: 60_000 }, async (t) => {
  const server = await startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    stallTimeoutMs: 60000
    shutdownDrainMs: 1500
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
`,
  );
  const stuck = await openSlow(t, server.address(), { count: 2, namespace: "/feed", topic: "tick" });
  const clients = [];
  for (let i = 0; i < 8; i++) clients.push(await connect(t, server.url(), "/feed", i ? {} : { auth: { session: true } }));
  await stuck.stopReading();
  for (let i = 0; i < 400; i++) await server.publish("/feed", "tick", "x".repeat(4000));
  assert.ok((await server.metric("streamfence_messages_dropped_total", {})) > 0, "they are stuck");

  const told = Promise.all(clients.map((socket) => next(socket, "error")));
  const left = Promise.all(clients.map((socket) => next(socket, "disconnect")));
  server.signal("SIGTERM");
  await until("it drains", async () => (await server.get("admin", "/readyz")).status === 503);
  const refused = await fetch(`${server.url()}/socket.io/?EIO=4&transport=polling`);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "5");

  const farewells = (await told).map(([farewell]) => farewell);
  await left;
  for (const { code, reconnectAfterMs } of farewells) {
    assert.equal(code, "SHUTTING_DOWN");
    assert.ok(reconnectAfterMs >= 500 && reconnectAfterMs <= 5000, `${reconnectAfterMs}`);
  }
  assert.ok(new Set(farewells.map((farewell) => farewell.reconnectAfterMs)).size > 1, "they do not come back at once");
  assert.match(farewells[0].message, /your session ends with it/);
  assert.doesNotMatch(farewells[1].message, /session/);
  const { code, signal } = await server.ended(5000);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

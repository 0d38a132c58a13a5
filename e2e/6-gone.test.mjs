// A client that stalls for good is gone in time, with all it held, and never keeps the server from ending.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { until } from "./lib/wait.mjs";

const STUCK = 5;
const STALL_MS = 3000;
const PAD = "x".repeat(4000);
const LABELS = { namespace: "/feed" };

const config = (server) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
${server.map((line) => `    ${line}`).join("\n")}
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 64
`;

/** A healthy client and some that have stopped reading, with more waiting for them than any kernel takes. */
async function stalled(t, server) {
  const healthy = await connect(t, server.url(), "/feed");
  const ticks = collect(healthy, "tick");
  await subscribe(healthy, "tick");
  // Asked once before, so that the connection that asks is among the sockets counted.
  await server.metricIs("streamfence_connections_active", LABELS, 1);
  const sockets = server.sockets();
  const stuck = await openSlow(t, server.address(), { count: STUCK, namespace: "/feed", topic: "tick" });
  await server.metricIs("streamfence_connections_active", LABELS, 1 + STUCK);
  await stuck.stopReading();
  let seq = 0;
  for (; seq < 400; seq++) await server.publish("/feed", "tick", { seq, pad: PAD });
  assert.ok((await server.metric("streamfence_messages_dropped_total", LABELS)) > 0, "they are stalled: their lanes overflow");
  return { healthy, ticks, stuck, sockets, seq };
}

/** Waits until nothing of the stuck clients is left, and says how long that took. */
async function untilGone(server, sockets, ms) {
  const started = performance.now();
  await server.metricIs("streamfence_connections_active", LABELS, 1, ms);
  await server.metricIs("streamfence_lanes", LABELS, 1, ms);
  await until("their sockets closed", () => server.sockets() <= sockets, ms);
  return performance.now() - started;
}

test("a stalled client is gone within stallTimeout + 2 s", { timeout: 60_000 }, async (t) => {
  const server = await startServer(t, config([`stallTimeoutMs: ${STALL_MS}`]));
  const { ticks, stuck, sockets, seq } = await stalled(t, server);
  const took = await untilGone(server, sockets, STALL_MS + 2000);
  t.diagnostic(`gone ${took.toFixed(0)} ms after the last publish`);

  const reports = await until("the clients feel it", async () => {
    const all = await stuck.report();
    return all.every((client) => client.closed) && all;
  });
  // A reset and not a goodbye: the kernel would keep megabytes for a goodbye nobody reads.
  assert.deepEqual(reports.map((client) => client.closed), Array(STUCK).fill("reset"));
  await server.metricIs("streamfence_disconnections_total", LABELS, STUCK);

  await ticks.count(seq);
  await server.publish("/feed", "tick", { seq });
  await ticks.count(seq + 1);
  assert.deepEqual(ticks.payloads.map((p) => p.seq), Array.from({ length: seq + 1 }, (_, i) => i), "the healthy client missed nothing");
});

test("the server can disconnect a client that is stalled", { timeout: 60_000 }, async (t) => {
  // It does not answer pings, and the stall timeout is far away: the heartbeat must reach it.
  const server = await startServer(t, config(["stallTimeoutMs: 60000", "pingIntervalMs: 1000", "pingTimeoutMs: 1000"]));
  const { healthy, stuck, sockets } = await stalled(t, server);
  await untilGone(server, sockets, 4000);
  await until("the clients feel it", async () => (await stuck.report()).every((client) => client.closed));
  assert.ok(healthy.connected);
});

test("serve ends within its drain time with stalled clients connected", { timeout: 60_000 }, async (t) => {
  const drainMs = 2000;
  const server = await startServer(t, config(["stallTimeoutMs: 60000", `shutdownDrainMs: ${drainMs}`]));
  const { ticks, seq } = await stalled(t, server);
  server.signal("SIGTERM");
  const { code, signal, tookMs } = await server.ended(drainMs + 2000);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  t.diagnostic(`ended after ${tookMs.toFixed(0)} ms`);
  assert.equal(ticks.length, seq, "the healthy client got everything before the end");
});

test("readyz says that it drains, and a second signal ends at once", { timeout: 60_000 }, async (t) => {
  const server = await startServer(t, config(["stallTimeoutMs: 60000", "shutdownDrainMs: 30000"]));
  await stalled(t, server);
  server.signal("SIGTERM");
  await until("readyz answers 503", async () => (await server.get("admin", "/readyz")).status === 503);
  const { status } = await server.post("/v1/publish", { namespace: "/feed", topic: "tick", payload: 1 });
  assert.equal(status, 503, "a draining server takes no publishes");
  server.signal("SIGTERM");
  const { tookMs } = await server.ended(3000);
  t.diagnostic(`ended after ${tookMs.toFixed(0)} ms`);
});

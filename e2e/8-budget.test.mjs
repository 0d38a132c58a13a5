// Memory for messages has a bound, whatever the lanes would hold: stuck clients reach it and nobody else pays.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { inParallel, until } from "./lib/wait.mjs";

const MIB = 1024 * 1024;
const BUDGET = 8 * MIB;
const MESSAGE = 16 * 1024;
const PAD = "x".repeat(MESSAGE);
const STUCK = 10;
const IN_FLIGHT = 16;
/** Eight times the budget. */
const FLOOD = (8 * BUDGET) / MESSAGE;
/** What may wait in memory to be written, a shard. */
const SPILLING_BYTES = 2 * 8 * MIB;
/** What else the process may need: requests on their way, buffers above and in the allocator. */
const SLACK_BYTES = 24e6;

const start = (t, overflowAction) =>
  startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    stallTimeoutMs: 120000
    memoryBudgetBytes: ${BUDGET - MIB}
    spillMinFreeBytes: 0
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: ${overflowAction}
        maxQueuedMessagesPerClient: 1000000
        maxQueuedBytesPerClient: 1000000000000
  other:
    host: 127.0.0.1
    port: 0
    memoryBudgetBytes: ${MIB}
    namespaces:
      - { path: /other, topics: [tick] }
`,
    { servers: ["feed", "other"] },
  );

/** Publishes while it watches how large the process becomes, and what it says of its memory. */
async function flood(server, count) {
  const before = server.rss();
  let [highest, used] = [before, 0];
  const watch = setInterval(() => (highest = Math.max(highest, server.rss())), 50);
  const reports = await inParallel(count, IN_FLIGHT, async (n) => {
    if (n % 100 === 0) used = Math.max(used, await server.metric("streamfence_memory_used_bytes"));
    return server.publish("/feed", "tick", { seq: n, pad: PAD });
  });
  clearInterval(watch);
  return { reports, grown: highest - before, used };
}

async function isReady(server, status, text) {
  for (const name of ["admin", "feed", "other"]) {
    const found = await server.get(name, "/readyz");
    assert.deepEqual([found.status, found.text], [status, text], name);
  }
}

test("what cannot give way is refused at the budget, and whoever reads goes on receiving", { timeout: 120_000 }, async (t) => {
  const server = await start(t, "REJECT_NEW");
  assert.ok(server.log.some((line) => line.includes("memory budget") && line.includes(String(BUDGET))), "it says so");
  assert.equal(await server.metric("streamfence_memory_budget_bytes"), BUDGET, "the servers of a file share the sum");
  await isReady(server, 200, "ready\n");
  const stuck = await openSlow(t, server.address(), { count: STUCK, namespace: "/feed", topic: "tick" });
  await stuck.stopReading();

  const { reports, grown, used } = await flood(server, FLOOD);
  t.diagnostic(`${FLOOD * MESSAGE} bytes published, RSS grew by ${grown}, at most ${used} bytes held`);
  assert.ok(grown < BUDGET + SLACK_BYTES, `RSS grew by ${grown} bytes`);
  // What is on its way counts too, and is not yet refused.
  assert.ok(used > 0.9 * BUDGET && used < BUDGET + 2 * IN_FLIGHT * MESSAGE, `${used} bytes used`);
  assert.ok(reports.every(({ matched, admitted, rejected }) => matched === STUCK && admitted + rejected === matched));
  const rejected = reports.reduce((sum, report) => sum + report.rejected, 0);
  assert.ok(rejected > 0.7 * STUCK * FLOOD, `${rejected} rejected`);
  await server.metricIs("streamfence_queue_overflow_total", { namespace: "/feed", reason: "budget" }, rejected);
  await isReady(server, 503, "over budget\n");
  assert.equal((await server.get("admin", "/healthz")).status, 200);

  // It comes when nothing is left, reads, and is sent everything.
  const healthy = await connect(t, server.url(), "/feed");
  const got = collect(healthy, "tick");
  await subscribe(healthy, "tick");
  for (let n = 0; n < 200; n++) {
    assert.ok((await server.publish("/feed", "tick", { seq: n, pad: PAD })).admitted >= 1, `message ${n}`);
    await got.count(n + 1);
  }
  assert.deepEqual(got.payloads.map(({ seq }) => seq), Array.from({ length: 200 }, (_, n) => n));
  await isReady(server, 503, "over budget\n");

  stuck.end();
  await server.metricIs("streamfence_connections_active", { namespace: "/feed" }, 1);
  await until("the memory is free", async () => (await server.get("admin", "/readyz")).status === 200);
  await isReady(server, 200, "ready\n");
  assert.ok((await server.metric("streamfence_memory_used_bytes")) < 0.1 * BUDGET);
});

test("older messages of the stuck give way at the budget, and nobody else misses any", { timeout: 120_000 }, async (t) => {
  const server = await start(t, "DROP_OLDEST");
  const stuck = await openSlow(t, server.address(), { count: STUCK, namespace: "/feed", topic: "tick" });
  const healthy = await connect(t, server.url(), "/feed");
  const got = collect(healthy, "tick");
  await subscribe(healthy, "tick");
  await stuck.stopReading();

  const { reports, grown, used } = await flood(server, FLOOD);
  t.diagnostic(`${FLOOD * MESSAGE} bytes published, RSS grew by ${grown}, at most ${used} bytes held`);
  assert.ok(grown < BUDGET + SLACK_BYTES, `RSS grew by ${grown} bytes`);
  assert.ok(used > 0.8 * BUDGET && used < BUDGET + 2 * IN_FLIGHT * MESSAGE, `${used} bytes used`);
  assert.ok(reports.every(({ admitted }) => admitted === STUCK + 1), "every one takes the place of an older one");
  await got.count(FLOOD);
  assert.equal(new Set(got.payloads.map(({ seq }) => seq)).size, FLOOD, "the healthy client missed nothing");
  const displaced = { namespace: "/feed", topic: "tick", reason: "displaced" };
  assert.ok((await server.metric("streamfence_queue_overflow_total", displaced)) > 0.5 * STUCK * FLOOD);

  const { seq } = got.payloads.at(-1);
  await stuck.resume();
  const last = await until("the stuck ones have read what was left", async () => {
    const all = await stuck.report();
    return all.every((client) => client.last === seq || client.closed) && all;
  });
  assert.ok(last.every((client) => client.closed === null && client.messages < FLOOD / 2), "they lost the oldest, and only those");
  assert.equal(await server.metric("streamfence_connections_active", { namespace: "/feed" }), STUCK + 1, "nobody was cut");
});

test("lanes that would take more memory than there is spill before they are full", { timeout: 120_000 }, async (t) => {
  const server = await start(t, "SPILL_TO_DISK");
  const stuck = await openSlow(t, server.address(), { count: 2, namespace: "/feed", topic: "tick" });
  await stuck.stopReading();

  const { reports, grown, used } = await flood(server, FLOOD);
  t.diagnostic(`${FLOOD * MESSAGE} bytes published, RSS grew by ${grown}, at most ${used} bytes held`);
  // There is room on disk for all; a disk that is behind for a moment, as any may be, refuses a message to both of them.
  const taken = reports.filter(({ admitted }) => admitted === 2);
  const others = reports.filter(({ admitted }) => admitted !== 2);
  const isBusy = ({ admitted, rejected, spillRefused }) => admitted === 0 && rejected === 2 && spillRefused === "disk_busy";
  assert.deepEqual(others.filter((report) => !isBusy(report)), [], "nothing else is refused");
  assert.ok(taken.length > 0.9 * FLOOD, `${others.length} of ${FLOOD} were refused`);
  assert.ok(grown < BUDGET + SPILLING_BYTES + SLACK_BYTES, `RSS grew by ${grown} bytes`);
  assert.ok(used < BUDGET + SPILLING_BYTES, `${used} bytes used`);
  assert.equal(await server.metric("streamfence_queue_overflow_total", { namespace: "/feed", reason: "budget" }), 0);
  assert.ok((await server.metric("streamfence_messages_spilled_total", { namespace: "/feed" })) > FLOOD, "most of it");

  await stuck.resume();
  const all = await until("everything", async () => {
    const report = await stuck.report({ seqs: true });
    return report.every(({ messages }) => messages === taken.length) && report;
  });
  const sent = reports.map(({ id, admitted }, n) => ({ id, n, admitted })).filter(({ admitted }) => admitted === 2);
  const order = sent.map(({ id, n }) => [Number(id.split(":")[1]), n]).sort(([a], [b]) => a - b).map(([, n]) => n);
  for (const { seqs } of all) assert.deepEqual(seqs, order, "each of them once, in the order of their offsets");
});

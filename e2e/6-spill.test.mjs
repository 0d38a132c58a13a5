// Lanes that overflow to disk: nothing is lost and nothing out of order, however far a client falls behind, and memory
// stays what it may be.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";

import { collect, connect, next, offsetOf, open, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { relay } from "./lib/relay.mjs";
import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { range, strictlyIncreasing } from "./lib/stats.mjs";
import { SOON_MS, until } from "./lib/wait.mjs";

const MIB = 1024 * 1024;
const BUDGET = 16 * MIB;
const LANE = 256;
const WINDOW = 32;
/** Messages of a kibibyte: twelve times what memory may hold of them. */
const FLOOD = 200_000;
const KIB = "x".repeat(1000);
/** What else the process may need: buffers of the publisher, of the disk, and in the allocator. */
const SLACK_BYTES = 48e6;
const LONG_MS = 60_000;

/** One server with one namespace, whose topic `event` spills. */
const config = ({ server = "", policy = "", root = "spill" } = {}) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    stallTimeoutMs: 120000
    memoryBudgetBytes: ${BUDGET}
    spillRootPath: ${root}
    spillMinFreeBytes: 0
${indented(server, 4)}
    namespaces:
      - path: /feed
        topics: [event]
        overflowAction: SPILL_TO_DISK
        metadata: always
        clientPublish: relay
        inboundAckPolicy: ACK_AFTER_HANDLER_SUCCESS
        maxQueuedMessagesPerClient: ${LANE}
        maxQueuedBytesPerClient: ${MIB}
${indented(policy, 8)}
`;

const indented = (text, by) => text.split("\n").filter(Boolean).map((line) => " ".repeat(by) + line.trim()).join("\n");

const AT_LEAST_ONCE = `
  deliveryMode: AT_LEAST_ONCE
  maxInFlight: ${WINDOW}
  ackTimeoutMs: 120000
  maxRetries: 3
`;

const TOPIC = { namespace: "/feed", topic: "event" };
const seq = (n) => `{"seq":${n},"pad":"${KIB}"}`;

/** A directory of its own, for tests that name it twice. */
function ownRoot(t) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "streamfence-spill-"));
  defer(t, () => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, "root");
}

/** A subscribed client that acks nothing until it is told to, and then everything. */
function withholding(socket) {
  const client = { seqs: [], offsets: [], due: [], isAcking: false };
  const flush = () => {
    if (client.due.length > 0) socket.emit("ack", { topic: "event", messageIds: client.due });
    client.due = [];
  };
  socket.on("event", (payload, meta) => {
    client.seqs.push(payload.seq);
    client.offsets.push(offsetOf(meta));
    if (client.due.push(meta.messageId) === 1 && client.isAcking) setImmediate(flush);
  });
  client.ack = () => {
    client.isAcking = true;
    flush();
  };
  return client;
}

/** Does something while it watches how large the process becomes. */
async function watched(server, task) {
  const before = server.rss();
  let highest = before;
  const watch = setInterval(() => (highest = Math.max(highest, server.rss())), 50);
  try {
    return { result: await task(), grown: highest - before };
  } finally {
    clearInterval(watch);
  }
}

/** How many bytes the files below a folder have on disk. */
function onDisk(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => statSync(path.join(folder, name)))
    .filter((entry) => entry.isFile())
    .reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

/** Nothing is lost, doubled or out of order of what was taken. */
function isWhole(client, count, taken = count) {
  assert.equal(client.seqs.length, taken);
  if (taken === count) assert.deepEqual(client.seqs, range(0, count));
  assert.ok(strictlyIncreasing(client.seqs) && strictlyIncreasing(client.offsets), "the order is kept");
}

/**
 * Publishes `count` messages as fast as they are answered, the first of them `from`, and returns how many a client that is
 * behind can expect: a disk that is busy for long enough has some refused, and says so.
 */
async function flood(t, server, count, { name = "feed", from = 0, lanes = 1 } = {}) {
  const labels = { namespace: `/${name}`, topic: "event" };
  const before = await server.metric("streamfence_spill_refused_total", labels);
  assert.deepEqual(await relay(t, server.url(name), `/${name}`, "event", count, (n) => seq(from + n)), {});
  const refused = await server.metric("streamfence_spill_refused_total", labels);
  assert.equal(refused, await server.metric("streamfence_spill_refused_total", { ...labels, reason: "disk_busy" }));
  assert.ok(refused - before < (lanes * count) / 5, `${refused - before} of ${count} were refused`);
  if (refused > before) t.diagnostic(`the disk was busy: ${refused - before} of ${count} were refused`);
  return count - (refused - before);
}

test(`a client that withholds its acks for ${FLOOD} messages gets each once and in order`, { timeout: 180_000 }, async (t) => {
  const server = await startServer(t, config({ policy: AT_LEAST_ONCE }));
  const socket = await connect(t, server.url(), "/feed");
  const client = withholding(socket);
  await subscribe(socket, "event");

  const { result: taken, grown } = await watched(server, () => flood(t, server, FLOOD));
  t.diagnostic(`${FLOOD} KiB published, RSS grew by ${grown}`);
  assert.ok(grown < BUDGET + SLACK_BYTES, `RSS grew by ${grown} bytes`);
  assert.equal(client.seqs.length, WINDOW, "the window is all it gets");
  await server.metricIs("streamfence_messages_spilled_total", TOPIC, (n) => n >= taken - LANE);
  await server.metricIs("streamfence_spilled_lanes", TOPIC, 1);
  assert.ok(onDisk(path.join(server.folder, "spill")) > (taken - 2 * LANE) * 1000, "it lies on disk");

  const began = performance.now();
  const recovery = await watched(server, async () => {
    client.ack();
    await until("all of it", () => client.seqs.length >= taken, LONG_MS);
  });
  t.diagnostic(`recovered ${Math.round(taken / ((performance.now() - began) / 1000))} a second, RSS grew by ${recovery.grown}`);
  assert.ok(recovery.grown < BUDGET + SLACK_BYTES, `RSS grew by ${recovery.grown} bytes`);
  isWhole(client, FLOOD, taken);
  await server.metricIs("streamfence_acks_total", { ...TOPIC, outcome: "released" }, taken);
  await server.metricIs("streamfence_spilled_lanes", TOPIC, 0);
  assert.equal(await server.metric("streamfence_retries_total", TOPIC), 0);
  assert.equal(await server.metric("streamfence_messages_dropped_total", TOPIC), FLOOD - taken);
  assert.equal(await server.metric("streamfence_spill_failures_total"), 0);
  await server.metricIs("streamfence_spill_bytes", {}, (bytes) => bytes <= 32 * MIB, LONG_MS);
  const codes = server.log.flatMap((line) => /"code":"(spill_\w+)"/.exec(line)?.[1] ?? []);
  assert.ok(codes.includes("spill_began") && codes.includes("spill_ended"), `the log says ${codes}`);
});

test("what is published while it recovers comes after all that went before", { timeout: 180_000 }, async (t) => {
  const server = await startServer(t, config({ policy: AT_LEAST_ONCE }));
  const socket = await connect(t, server.url(), "/feed");
  const client = withholding(socket);
  await subscribe(socket, "event");
  const half = FLOOD / 4;
  const first = await flood(t, server, half);
  client.ack();
  const { result: second, grown } = await watched(server, () => flood(t, server, half, { from: half }));
  assert.ok(grown < BUDGET + SLACK_BYTES, `RSS grew by ${grown} bytes`);
  await until("all of it", () => client.seqs.length >= first + second, LONG_MS);
  isWhole(client, 2 * half, first + second);
});

test("best-effort clients that stop reading and resume have missed nothing", { timeout: 120_000 }, async (t) => {
  const count = 20_000;
  const server = await startServer(t, config());
  const slow = await openSlow(t, server.address(), { count: 3, ...TOPIC });
  const socket = await connect(t, server.url(), "/feed");
  const healthy = withholding(socket);
  await subscribe(socket, "event");
  await slow.stopReading();
  const taken = await flood(t, server, count, { lanes: 3 });
  await server.metricIs("streamfence_spilled_lanes", TOPIC, (n) => n >= 3);

  await slow.resume();
  const all = () => slow.report({ seqs: true });
  await until("all of it", async () => {
    const had = (await all()).reduce((sum, { messages }) => sum + messages, healthy.seqs.length);
    return had === 4 * count - (count - taken);
  }, LONG_MS);
  for (const { seqs, closed } of await all()) {
    assert.deepEqual({ closed, inOrder: strictlyIncreasing(seqs) }, { closed: null, inOrder: true });
  }
  assert.ok(strictlyIncreasing(healthy.seqs));
  await server.metricIs("streamfence_spilled_lanes", TOPIC, 0);
});

test("a client that loses its connection while it has spilled gets all of it when it is back", { timeout: 120_000 }, async (t) => {
  const count = 10_000;
  const server = await startServer(t, config({ policy: AT_LEAST_ONCE }));
  const enter = async (session, listen) => {
    const socket = open(t, server.url(), "/feed", { auth: { session } });
    const client = listen(socket);
    const [ticket] = await next(socket, "session");
    return { socket, client, ticket };
  };
  const first = await enter(true, withholding);
  await subscribe(first.socket, "event");
  const before = await flood(t, server, count / 2);
  await server.metricIs("streamfence_spilled_lanes", TOPIC, 1);
  first.socket.io.engine.transport.ws.terminate();
  await server.metricIs("streamfence_sessions_total", { namespace: "/feed", outcome: "detached" }, 1);
  const taken = before + (await flood(t, server, count / 2, { from: count / 2 }));

  const back = await enter(first.ticket, withholding);
  assert.ok(back.ticket.resumed);
  back.client.ack();
  await until("all of it", () => back.client.seqs.length >= taken, LONG_MS);
  isWhole(back.client, count, taken);
  assert.equal(first.client.seqs.length, WINDOW, "the first connection got what was not acked, and that came again");
});

test("servers of one process share a directory, and another process has to keep out", { timeout: 60_000 }, async (t) => {
  const count = 5_000;
  const root = ownRoot(t);
  const yaml = config({ root, policy: AT_LEAST_ONCE });
  const other = yaml.slice(yaml.indexOf("  feed:")).replace("  feed:", "  other:").replaceAll("/feed", "/other");
  const server = await startServer(t, yaml + other, { servers: ["feed", "other"] });
  const clients = await Promise.all(
    ["feed", "other"].map(async (name) => {
      const socket = await connect(t, server.url(name), `/${name}`);
      const client = withholding(socket);
      await subscribe(socket, "event");
      return client;
    }),
  );
  const taken = await Promise.all(["feed", "other"].map((name) => flood(t, server, count, { name })));
  await server.metricIs("streamfence_spilled_lanes", {}, 2);
  const stores = (await server.metrics()).filter(({ name }) => name === "streamfence_spill_bytes");
  assert.deepEqual(stores.map(({ labels }) => labels), [{ store: root }]);

  const file = path.join(server.folder, "second.yaml");
  writeFileSync(file, config({ root }));
  const second = spawnSync(process.env.STREAMFENCE_BIN, ["serve", "-c", file, "--admin-listen", "127.0.0.1:0"], { timeout: SOON_MS });
  const said = second.stderr.toString().trim().split("\n").at(-1);
  assert.equal(second.status, 4, said);
  assert.ok(said.includes(`spillRootPath of feed: spill directory ${root}: in use by pid ${server.pid}`), said);

  const report = inspect(root);
  assert.equal(report.code, 0, report.stderr);
  assert.deepEqual(new Set(report.json.logs.map(({ namespace }) => namespace)), new Set(["/feed", "/other"]));

  for (const client of clients) client.ack();
  await until("all of it", () => clients.every(({ seqs }, i) => seqs.length >= taken[i]), LONG_MS);
  clients.forEach((client, i) => isWhole(client, count, taken[i]));
});

/** `streamfence spill inspect`. */
function inspect(root) {
  const { status, stdout, stderr } = spawnSync(process.env.STREAMFENCE_BIN, ["spill", "inspect", root, "--json"]);
  return { code: status, stderr: stderr.toString(), json: status === 0 && JSON.parse(stdout.toString()) };
}

test("what a killed process leaves is gone with the next start, and it spills again", { timeout: 60_000 }, async (t) => {
  const count = 5_000;
  const root = ownRoot(t);
  const killed = await startServer(t, config({ root, policy: AT_LEAST_ONCE }));
  const socket = await connect(t, killed.url(), "/feed");
  withholding(socket);
  await subscribe(socket, "event");
  await flood(t, killed, count);
  await until("it lies on disk", () => onDisk(root) > (count / 2) * 1000);
  killed.signal("SIGKILL");
  assert.equal((await killed.ended()).signal, "SIGKILL");
  assert.ok(onDisk(root) > 0, "nobody has cleaned up");
  assert.equal(inspect(root).code, 0, "and it can be looked at");

  const server = await startServer(t, config({ root, policy: AT_LEAST_ONCE }));
  assert.ok(onDisk(root) < MIB, "the next one has");
  const again = await connect(t, server.url(), "/feed");
  const client = withholding(again);
  await subscribe(again, "event");
  const taken = await flood(t, server, count);
  client.ack();
  await until("all of it", () => client.seqs.length >= taken, LONG_MS);
  isWhole(client, count, taken);
  await server.stop();
  assert.ok(onDisk(root) < MIB, "a server that ends well leaves nothing");
});

test("a client that has used up its part is refused further messages until it has read half of it", { timeout: 60_000 }, async (t) => {
  const policy = `${AT_LEAST_ONCE}spill: { maxBytesPerClient: 200000 }`;
  const server = await startServer(t, config({ policy }));
  const socket = await connect(t, server.url(), "/feed");
  const client = withholding(socket);
  await subscribe(socket, "event");
  const publish = (n) => server.publish("/feed", "event", { seq: n, pad: KIB });

  const reports = [];
  while (reports.at(-1)?.rejected !== 1) {
    reports.push(await publish(reports.length));
    assert.ok(reports.length < 1_000, "there is an end");
  }
  const { admitted, spilled, spillRefused } = reports.at(-1);
  assert.deepEqual({ admitted, spilled, spillRefused }, { admitted: 0, spilled: 0, spillRefused: "client_quota" });
  const taken = reports.length - 1;
  assert.ok(taken > LANE && taken < LANE + 250, `${taken} were taken`);
  assert.deepEqual(reports.slice(0, LANE).map((report) => report.spilled), Array(LANE).fill(0), "the lane comes first");
  assert.ok(reports.slice(LANE, taken).every((report) => report.admitted === 1 && report.spilled === 1));
  await server.metricIs("streamfence_spill_refused_total", { ...TOPIC, reason: "client_quota" }, 1);

  client.ack();
  await until("what was taken", () => client.seqs.length === taken);
  const { admitted: again, spilled: hot } = await publish(taken);
  assert.deepEqual({ again, hot }, { again: 1, hot: 0 });
  await until("what came after", () => client.seqs.length === taken + 1);
  isWhole(client, taken + 1);
});

test("onFull: disconnect ends the connection of a client that has used up its part, and says why", { timeout: 60_000 }, async (t) => {
  const policy = `${AT_LEAST_ONCE}spill: { maxBytesPerClient: 200000, onFull: disconnect }`;
  const server = await startServer(t, config({ policy }));
  const socket = await connect(t, server.url(), "/feed");
  withholding(socket);
  await subscribe(socket, "event");
  const said = collect(socket, "error");
  const gone = next(socket, "disconnect");
  await relay(t, server.url(), "/feed", "event", 1_000, seq);
  await gone;
  assert.deepEqual(said.items.map(([{ code }]) => code), ["SPILL_FULL"]);
  await server.metricIs("streamfence_disconnections_total", { namespace: "/feed", reason: "spill_full" }, 1);
  await server.metricIs("streamfence_spilled_lanes", TOPIC, 0);
});

test("a store that has all it may have refuses, and takes messages again when there is room", { timeout: 120_000 }, async (t) => {
  const pad = "x".repeat(50_000);
  const server = await startServer(
    t,
    config({ server: `spillMaxBytes: ${64 * MIB}`, policy: `${AT_LEAST_ONCE}maxRetries: 4`.replace("maxRetries: 3\n", "") }),
  );
  const socket = await connect(t, server.url(), "/feed");
  const client = withholding(socket);
  await subscribe(socket, "event");
  let refusal;
  let taken = 0;
  while (!refusal) {
    const report = await server.publish("/feed", "event", { seq: taken, pad });
    if (report.rejected > 0) refusal = report.spillRefused;
    else taken += 1;
    assert.ok(taken < 4_000, "there is an end");
  }
  assert.ok(["disk_full", "busy"].includes(refusal), refusal);
  await server.metricIs("streamfence_spill_refused_total", TOPIC, (n) => n > 0);
  assert.ok(onDisk(path.join(server.folder, "spill")) <= 65 * MIB);

  client.ack();
  await until("what was taken", () => client.seqs.length >= taken, LONG_MS);
  await until("there is room again", async () => (await server.publish("/feed", "event", { seq: taken, pad })).admitted === 1);
  await until("what came after", () => client.seqs.length > taken);
  isWhole(client, taken + 1);
});

test("a topic spills from the reload on that says so, in a directory that is opened then", { timeout: 60_000 }, async (t) => {
  const count = 2_000;
  const spilling = config({ policy: AT_LEAST_ONCE });
  const server = await startServer(t, spilling.replace("SPILL_TO_DISK", "REJECT_NEW"));
  const socket = await connect(t, server.url(), "/feed");
  const client = withholding(socket);
  await subscribe(socket, "event");
  assert.equal(await server.reload(spilling), "reloaded");
  const taken = await flood(t, server, count);
  await server.metricIs("streamfence_messages_spilled_total", TOPIC, (n) => n > 0);

  // What is open stays where it is, and what cannot be had changes nothing.
  assert.equal(await server.reload(spilling.replace("spillRootPath: spill", "spillRootPath: elsewhere")), "reloaded");
  assert.ok(server.log.some((line) => line.includes("needs_restart") && line.includes("spillRootPath")));
  client.ack();
  await until("all of it", () => client.seqs.length >= taken, LONG_MS);
  isWhole(client, count, taken);
});

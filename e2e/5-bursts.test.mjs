// Bursts to clients that read: within the lane's size nothing is lost, and beyond it nearly nothing.
import assert from "node:assert/strict";
import test from "node:test";

import { connect, offsetOf, subscribe } from "./lib/client.mjs";
import { connectRaw } from "./lib/raw.mjs";
import { startServer } from "./lib/server.mjs";
import { strictlyIncreasing } from "./lib/stats.mjs";
import { inParallel, until } from "./lib/wait.mjs";

const REAL = 10;
const RAW = 90;
const CLIENTS = REAL + RAW;

const config = (policy) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /feed
        topics: [tick]
        metadata: always
${policy.map((line) => `        ${line}`).join("\n")}
`;

const bestEffort = (overflow, lane) =>
  config([`overflowAction: ${overflow}`, `maxQueuedMessagesPerClient: ${lane}`, "maxQueuedBytesPerClient: 67108864"]);

const atLeastOnce = (lane) =>
  config([
    "deliveryMode: AT_LEAST_ONCE",
    `maxQueuedMessagesPerClient: ${lane}`,
    "maxQueuedBytesPerClient: 67108864",
    "maxInFlight: 32",
    // A retry would be a duplicate that a busy machine made, and not the server.
    "ackTimeoutMs: 60000",
    "maxRetries: 1",
  ]);

/** Opens the crowd; each reader's `offsets` and `seqs` grow with what arrives. */
async function crowd(t, server, { acking = false } = {}) {
  const readers = [];
  await inParallel(REAL, 10, async () => {
    const socket = await connect(t, server.url(), "/feed");
    await subscribe(socket, "tick");
    const reader = newReader(readers);
    socket.on("tick", (payload, meta) => {
      reader.take(payload, meta);
      if (acking) socket.emit("ack", { topic: meta.topic, messageId: meta.messageId });
    });
  });
  await inParallel(RAW, 10, async () => {
    const client = await connectRaw(t, server.url(), "/feed");
    await client.subscribe("tick");
    const reader = newReader(readers);
    let due = [];
    client.onTopic("tick", (payload, meta) => {
      reader.take(payload, meta);
      if (!acking) return;
      // Many acks in one packet: a hundred clients in one process must not be the bottleneck.
      if (due.push(meta.messageId) === 1) {
        setImmediate(() => {
          client.emit("ack", { topic: "tick", messageIds: due });
          due = [];
        });
      }
    });
  });
  return readers;
}

function newReader(readers) {
  const reader = {
    offsets: [],
    seqs: [],
    take(payload, meta) {
      this.offsets.push(offsetOf(meta));
      this.seqs.push(payload.seq);
    },
  };
  readers.push(reader);
  return reader;
}

const sum = (reports, key) => reports.reduce((total, report) => total + report[key], 0);

const KINDS = {
  REJECT_NEW: (lane) => bestEffort("REJECT_NEW", lane),
  DROP_OLDEST: (lane) => bestEffort("DROP_OLDEST", lane),
  "at-least-once": atLeastOnce,
};

for (const [kind, policy] of Object.entries(KINDS)) {
  for (const burst of [500, 5_000]) {
    test(`${kind}: a burst of ${burst} into a lane of that size arrives whole and in order`, { timeout: 90_000 }, async (t) => {
      const server = await startServer(t, policy(burst));
      const readers = await crowd(t, server, { acking: kind === "at-least-once" });
      const reports = await server.burst("/feed", "tick", burst, (seq) => ({ seq }));
      assert.equal(sum(reports, "admitted"), burst * CLIENTS);
      assert.equal(sum(reports, "rejected") + sum(reports, "displaced") + sum(reports, "coalesced"), 0);

      await until("all of it everywhere", () => readers.every((r) => r.offsets.length >= burst), 60_000);
      const wanted = Array.from({ length: burst }, (_, i) => i + 1);
      for (const reader of readers) assert.deepEqual(reader.offsets, wanted);
      assert.equal(await server.metric("streamfence_messages_dropped_total"), 0);
      assert.equal(await server.metric("streamfence_retries_total"), 0);
    });
  }
}

for (const overflow of ["REJECT_NEW", "DROP_OLDEST"]) {
  test(`${overflow}: clients that read get 99 % of a burst of 500 through a lane of 128`, { timeout: 60_000 }, async (t) => {
    const server = await startServer(t, bestEffort(overflow, 128));
    const readers = await crowd(t, server);
    const reports = await server.burst("/feed", "tick", 500, (seq) => ({ seq }));
    const lost = sum(reports, "rejected") + sum(reports, "displaced");

    const received = () => readers.reduce((total, reader) => total + reader.offsets.length, 0);
    await until("what was not given up", () => received() >= 500 * CLIENTS - lost, 20_000);
    assert.equal(received(), 500 * CLIENTS - lost, "each message was delivered or reported lost");
    t.diagnostic(`${lost} of ${500 * CLIENTS} were given up`);
    for (const reader of readers) {
      assert.ok(reader.offsets.length >= 495, `a client that reads got ${reader.offsets.length} of 500`);
      assert.ok(strictlyIncreasing(reader.offsets));
    }
  });
}

for (const overflow of ["COALESCE", "SNAPSHOT_ONLY"]) {
  test(`${overflow}: a burst ends with the newest value`, { timeout: 60_000 }, async (t) => {
    const server = await startServer(t, bestEffort(overflow, 16));
    const readers = await crowd(t, server);
    const reports = await server.burst("/feed", "tick", 500, (seq) => ({ seq }));
    assert.equal(sum(reports, "rejected"), 0, "there is always room for the newest value");

    await until("the newest value everywhere", () => readers.every((r) => r.offsets.at(-1) === 500), 20_000);
    for (const reader of readers) {
      assert.ok(strictlyIncreasing(reader.offsets), "an older value never follows a newer one");
      assert.equal(reader.seqs.at(-1), readers[0].seqs.at(-1), "the newest value is the same for all");
    }
  });
}

// The proof: clients that stop reading cost neither memory nor anybody else's messages.
//
// 200 clients, 20 of which stop reading (raw websocket, 4 KiB receive buffer) while 200 messages of 1 KiB a second
// run for 20 s. 30 of the others are real clients, 150 are reduced to packets: the machine is to be busy with
// the server and not with measuring it.
import assert from "node:assert/strict";
import test from "node:test";

import { connect, subscribe } from "./lib/client.mjs";
import { connectRaw } from "./lib/raw.mjs";
import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { quantile, strictlyIncreasing } from "./lib/stats.mjs";
import { inParallel, steadily, until } from "./lib/wait.mjs";

const STUCK = 20;
const REAL = 30;
const RAW = 150;
const LANE = 128;
const PER_SECOND = 200;
const BASELINE_S = 8;
const STUCK_S = 20;
const MIB = 1024 * 1024;
/** What may lie below a lane: frames above the kernel and the kernel's own buffers. */
const BELOW_LANE_BYTES = 256 * 1024;
const LABELS = { namespace: "/feed", topic: "tick" };
const PAD = "x".repeat(960);

const CONFIG = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    stallTimeoutMs: 60000
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: ${LANE}
`;

/** A client that reads: what it got is a count, a last number and the times it took. */
class Reader {
  received = 0;
  last = -1;
  disorder = 0;

  take(message, latencies) {
    latencies.push(performance.now() - message.at);
    if (message.seq <= this.last) this.disorder += 1;
    this.last = message.seq;
    this.received += 1;
  }
}

test("20 of 200 clients stop reading and nobody else notices", { timeout: 150_000 }, async (t) => {
  const server = await startServer(t, CONFIG);
  let latencies = [];
  const readers = [];
  const stuck = await openSlow(t, server.address(), { count: STUCK, namespace: "/feed", topic: "tick" });
  await inParallel(REAL, 10, async () => {
    const socket = await connect(t, server.url(), "/feed");
    const reader = new Reader();
    readers.push(reader);
    socket.on("tick", (message) => reader.take(message, latencies));
    await subscribe(socket, "tick");
  });
  await inParallel(RAW, 10, async () => {
    const client = await connectRaw(t, server.url(), "/feed");
    await client.subscribe("tick");
    const reader = new Reader();
    readers.push(reader);
    client.onTopic("tick", (message) => reader.take(message, latencies));
  });
  await server.metricIs("streamfence_connections_active", { namespace: "/feed" }, STUCK + REAL + RAW);

  let published = 0;
  const publish = async () => {
    const report = await server.publish("/feed", "tick", { seq: published++, at: performance.now(), pad: PAD });
    assert.equal(report.admitted, STUCK + REAL + RAW, "DROP_OLDEST admits everything");
  };
  const everybodyHasAll = () =>
    until("every reader has every message", () => readers.every((reader) => reader.last === published - 1), 20_000);

  // The same server, the same clients, all of them reading.
  await steadily(PER_SECOND, BASELINE_S, publish);
  await everybodyHasAll();
  await until("the slow ones have all too", async () => (await stuck.report()).every((c) => c.messages === published));
  assert.equal(await server.metric("streamfence_messages_dropped_total", LABELS), 0);
  const calm = quantile(latencies, 0.99);
  latencies = [];

  const before = published;
  await stuck.mark();
  await stuck.stopReading();
  const rssBefore = server.rss();
  let rssHighest = rssBefore;
  const watch = setInterval(() => (rssHighest = Math.max(rssHighest, server.rss())), 100);
  await steadily(PER_SECOND, STUCK_S, publish);
  clearInterval(watch);
  await everybodyHasAll();
  const disturbed = quantile(latencies, 0.99);
  const grown = rssHighest - rssBefore;
  t.diagnostic(`p99 ${calm.toFixed(1)} ms, with stuck clients ${disturbed.toFixed(1)} ms; RSS grew ${(grown / MIB).toFixed(1)} MiB`);

  // The healthy: nothing missed, nothing twice, nothing late.
  for (const reader of readers) {
    assert.equal(reader.received, published, "a reader missed messages or got some twice");
    assert.equal(reader.disorder, 0);
  }
  assert.ok(disturbed <= 3 * calm + 50, `p99 was ${calm} ms and is ${disturbed} ms`);
  // The process.
  assert.ok(grown < 20e6, `RSS grew by ${grown} bytes`);

  // The stuck: nobody was disconnected, and what they read now is recent.
  const queued = published - before;
  const frame = JSON.stringify(["tick", { seq: published, at: 12345678.123456, pad: PAD }]).length + 40;
  await stuck.resume();
  const reports = await until("the stuck clients catch up", async () => {
    const all = await stuck.report({ seqs: true });
    return all.every((client) => client.last === published - 1 || client.closed) && all;
  });
  let missed = 0;
  for (const client of reports) {
    assert.equal(client.closed, null, "a stuck client was disconnected");
    assert.equal(client.seqs.at(-1), published - 1, "the newest comes last");
    assert.ok(strictlyIncreasing(client.seqs), "order is kept and nothing comes twice");
    assert.ok(client.bytes <= LANE * frame + BELOW_LANE_BYTES, `${client.bytes} bytes were waiting for a stuck client`);
    // Its lane is the newest messages without a hole.
    assert.deepEqual(client.seqs.slice(-LANE), Array.from({ length: LANE }, (_, i) => published - LANE + i));
    missed += queued - client.messages;
  }
  // Every message was either received or counted, to the last one.
  await server.metricIs("streamfence_messages_dropped_total", LABELS, missed);
  assert.ok(missed > STUCK * (queued - LANE - 2 * BELOW_LANE_BYTES / 1024), `only ${missed} were dropped`);
});

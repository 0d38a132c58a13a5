// A client that reads 100 KB/s and answers pings lives, however much is published past it.
import assert from "node:assert/strict";
import test from "node:test";

import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { strictlyIncreasing } from "./lib/stats.mjs";
import { steadily, until } from "./lib/wait.mjs";

const SECONDS = 60;
const BPS = 100_000;
const CLIENTS = 3;
const PING_INTERVAL_MS = 2000;
const LABELS = { namespace: "/feed", topic: "tick" };
const PAD = "x".repeat(960);

const CONFIG = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    pingIntervalMs: ${PING_INTERVAL_MS}
    pingTimeoutMs: 8000
    stallTimeoutMs: 5000
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 128
`;

test("a slow reader is never disconnected in a minute of overload", { timeout: 120_000 }, async (t) => {
  const server = await startServer(t, CONFIG);
  const slow = await openSlow(t, server.address(), { count: CLIENTS, namespace: "/feed", topic: "tick" });
  await slow.readAt(BPS);

  // Four times what the clients read.
  let seq = 0;
  const began = performance.now();
  await steadily(400, SECONDS, () => server.publish("/feed", "tick", { seq: seq++, pad: PAD }));

  const during = await slow.report();
  const due = (BPS * (performance.now() - began)) / 1000;
  for (const client of during) {
    assert.equal(client.closed, null, `disconnected: ${client.closed}`);
    // One ping was sent every interval; none may have waited behind a queue for long.
    assert.ok(client.pings >= (SECONDS * 1000) / PING_INTERVAL_MS - 4, `${client.pings} pings were answered`);
    assert.ok(client.bytes > 0.5 * due, `it got only ${client.bytes} bytes`);
    assert.ok(client.bytes < 1.3 * due, `it read ${client.bytes} bytes: no overload`);
    assert.ok(client.last > seq - 128 - 512, `it is ${seq - client.last} messages behind`);
  }

  await slow.resume();
  const after = await until("the newest message", async () => {
    const all = await slow.report({ seqs: true });
    return all.every((client) => client.last === seq - 1) && all;
  });
  let missed = 0;
  for (const client of after) {
    assert.ok(strictlyIncreasing(client.seqs), "order is kept and nothing comes twice");
    missed += seq - client.messages;
  }
  await server.metricIs("streamfence_messages_dropped_total", LABELS, missed);
  assert.ok(missed > CLIENTS * seq * 0.5, "the clients were overloaded");
  assert.equal(await server.metric("streamfence_disconnections_total", { namespace: "/feed" }), 0);
});

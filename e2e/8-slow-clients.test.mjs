// Clients that stay behind: a stuck one is evicted, one that drains is not, however much waits for it.
import assert from "node:assert/strict";
import test from "node:test";

import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { inParallel, quiet, until } from "./lib/wait.mjs";

const FOR_MS = 4000;
const MESSAGES = 600;
const PAD = "x".repeat(960);
const BPS = 20_000;

const start = (t, hard) =>
  startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    stallTimeoutMs: 60000
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: REJECT_NEW
        maxQueuedMessagesPerClient: 1000
        maxQueuedBytesPerClient: 10000000
        slowClient: { softMessages: 50, forMs: ${FOR_MS}, hard: ${hard}, hardMessages: 100 }
`,
  );

const burst = (server) => inParallel(MESSAGES, 16, (seq) => server.publish("/feed", "tick", { seq, pad: PAD }));
const NAMESPACE = { namespace: "/feed" };
const slow = { count: 1, namespace: "/feed", topic: "tick" };
const logged = (server, code) => server.log.map((line) => JSON.parse(line)).filter((line) => line.code === code);

test("a stuck client is disconnected and a slow one that drains stays", { timeout: 60_000 }, async (t) => {
  const server = await start(t, "disconnect");
  const stuck = await openSlow(t, server.address(), slow);
  const draining = await openSlow(t, server.address(), slow);
  await stuck.stopReading();
  await draining.readAt(BPS);
  await burst(server);

  await server.metricIs("streamfence_slow_clients", NAMESPACE, (value) => value >= 1);
  await server.metricIs("streamfence_disconnections_total", { ...NAMESPACE, reason: "slow_client" }, 1);
  // A blocked connection cannot be told anything: it is reset.
  const [{ closed }] = await until("the end of the stuck client", async () => {
    const clients = await stuck.report();
    return clients[0].closed !== null && clients;
  });
  assert.equal(closed, "reset");

  // As much waited for the other, for longer than it may, and it stays.
  await quiet(2 * FOR_MS);
  const [client] = await draining.report();
  assert.equal(client.closed, null, "a client that drains was evicted");
  assert.ok(client.messages < MESSAGES - 100, `it is above the hard limit still: ${client.messages} have come`);
  assert.equal(await server.metric("streamfence_slow_clients", NAMESPACE), 1);
  assert.equal(logged(server, "slow_client_began").length, 2);

  await draining.resume();
  await until("everything", async () => (await draining.report())[0].messages === MESSAGES);
  await server.metricIs("streamfence_slow_clients", NAMESPACE, 0);
  const [, ended] = await until("both ends in the log", () => {
    const lines = logged(server, "slow_client_ended");
    return lines.length === 2 && lines;
  });
  assert.ok(ended.lasted_ms >= 2 * FOR_MS && ended.lost === 0, JSON.stringify(ended));
  assert.equal(await server.metric("streamfence_disconnections_total", NAMESPACE), 1);
});

test("a stuck client that is only unsubscribed reads why when it reads again", { timeout: 60_000 }, async (t) => {
  const server = await start(t, "unsubscribe");
  const stuck = await openSlow(t, server.address(), slow);
  await stuck.stopReading();
  await burst(server);
  const lanes = { ...NAMESPACE, topic: "tick" };
  await server.metricIs("streamfence_lanes", lanes, 0, 3 * FOR_MS);
  const abandoned = await server.metric("streamfence_messages_abandoned_total", lanes);
  assert.ok(abandoned > 100, `${abandoned} waited`);
  // No message waits any more, but the news does.
  await server.metricIs("streamfence_slow_clients", { ...NAMESPACE, reason: "blocked" }, 1);

  await stuck.resume();
  const [client] = await until("the reason", async () => {
    const clients = await stuck.report();
    return clients[0].said.length > 0 && clients;
  });
  assert.deepEqual(client.said, [["unsubscribed", { topic: "tick", reason: "slow_client" }]]);
  await server.metricIs("streamfence_slow_clients", NAMESPACE, 0);
  assert.equal(client.messages + abandoned, MESSAGES, "what it did not get is counted");
  assert.equal(client.closed, null);
  assert.equal(logged(server, "slow_client_unsubscribed").length, 1);
});

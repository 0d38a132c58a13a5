// Topics that are made from patterns, and a configuration that changes under connected clients.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, next, open, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { until } from "./lib/wait.mjs";

const yaml = (namespaces, server = "") => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
${server}    namespaces:
${namespaces}`;

const ORDERS = (more = "") => `
      - path: /shop
        topics: [{ name: "orders.*", maxTopics: 3 }]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        maxInFlight: 4
        ackTimeoutMs: 60000
        clientPublish: relay
${more}`;

const FEED = (limit, topics = "[tick]") => `
      - { path: /feed, topics: ${topics}, maxQueuedMessagesPerClient: ${limit}, overflowAction: DROP_OLDEST }`;

test("topics are made from a pattern when somebody wants them, and are gone with their last subscriber", async (t) => {
  const server = await startServer(t, yaml(ORDERS()));
  const [ann, bob] = await Promise.all([connect(t, server.url(), "/shop"), connect(t, server.url(), "/shop")]);
  const [anns, bobs] = [collect(ann, "orders.1"), collect(bob, "orders.2")];
  const { epoch } = await subscribe(ann, "orders.1");
  await subscribe(bob, "orders.2");
  await server.publish("/shop", "orders.1", "for ann");
  assert.deepEqual(await bob.emitWithAck("publish", { topic: "orders.1", payload: "from bob" }), { ok: true });
  await server.publish("/shop", "orders.2", "for bob");
  await Promise.all([anns.count(2), bobs.count(1)]);
  assert.deepEqual([anns.payloads, bobs.payloads], [["for ann", "from bob"], ["for bob"]]);
  assert.deepEqual([anns.items[0][1].topic, bobs.items[0][1].topic], ["orders.1", "orders.2"]);
  assert.notEqual(anns.items[0][1].messageId, bobs.items[0][1].messageId, "each has a log of its own");
  for (const [, { topic, messageId }] of anns.items) ann.emit("ack", { topic, messageId });
  // The numbers are those of the pattern: a client cannot make a series.
  const labels = { namespace: "/shop", topic: "orders.*" };
  await server.metricIs("streamfence_messages_delivered_total", labels, 2);
  await server.metricIs("streamfence_lanes", labels, 2);
  const topics = new Set((await server.metrics()).map((sample) => sample.labels?.topic));
  assert.ok(!topics.has("orders.1"), "no series of a topic that was made");

  await subscribe(bob, "orders.3");
  await assert.rejects(subscribe(bob, "orders.4"), { code: "LIMIT_EXCEEDED" });
  const refused = await server.post("/v1/publish", { namespace: "/shop", topic: "orders.4", payload: 1 });
  assert.equal(refused.status, 429, JSON.stringify(refused.body));
  await assert.rejects(subscribe(bob, "orders.*"), { code: "UNKNOWN_TOPIC" });
  await assert.rejects(subscribe(bob, "orders."), { code: "UNKNOWN_TOPIC" });
  ann.disconnect();
  const free = (topic) => until(`a place for ${topic}`, () => subscribe(bob, topic).catch(() => false));
  await free("orders.4");
  await bob.emitWithAck("unsubscribe", { topic: "orders.4" });
  const again = await free("orders.1");
  assert.ok(again.epoch !== epoch && again.offset === 0, "it is another topic under the old name");
});

test("a reload takes connected clients along", async (t) => {
  const old = "\n      - { path: /old, topics: [gone] }";
  // As many as it has before: the place of a topic that is gone is free again.
  const places = "    maxSubscriptionsPerClient: 2\n";
  const server = await startServer(t, yaml(FEED(4, "[tick, tock]") + old, places));
  const socket = await connect(t, server.url(), "/feed");
  const leaving = await connect(t, server.url(), "/old");
  const ticks = collect(socket, "tick");
  await subscribe(socket, "tick");
  await subscribe(socket, "tock");
  const ended = next(leaving, "disconnect");
  const removed = next(socket, "unsubscribed");
  const fresh = "\n      - { path: /new, topics: [here] }";
  assert.equal(await server.reload(yaml(FEED(4, "[tick, tack]") + fresh, places)), "reloaded");

  assert.deepEqual(await removed, [{ topic: "tock", reason: "removed" }]);
  assert.equal((await ended)[0], "io server disconnect");
  await assert.rejects(connect(t, server.url(), "/old"), /Invalid namespace/);
  assert.equal((await server.post("/v1/publish", { namespace: "/old", topic: "gone", payload: 1 })).status, 404);
  await assert.rejects(subscribe(socket, "tock"), { code: "UNKNOWN_TOPIC" });
  await server.publish("/feed", "tick", "still here");
  await ticks.count(1);
  const tacks = collect(socket, "tack");
  await subscribe(socket, "tack");
  await server.publish("/feed", "tack", 1);
  const new_ = await connect(t, server.url(), "/new");
  const heres = collect(new_, "here");
  await subscribe(new_, "here");
  assert.equal((await server.publish("/new", "here", 2)).matched, 1);
  await Promise.all([tacks.count(1), heres.count(1)]);
  await server.metricIs("streamfence_messages_delivered_total", { namespace: "/new", topic: "here" }, 1);
  assert.ok(socket.connected, "whoever stays is not disturbed");
});

test("a lane that is full takes more at once when its limit grows, and keeps all it has when it shrinks", async (t) => {
  const server = await startServer(t, yaml(FEED(3)));
  const labels = { namespace: "/feed", topic: "tick" };
  const stuck = await openSlow(t, server.address(), { count: 1, namespace: "/feed", topic: "tick" });
  await stuck.stopReading();
  const fill = "x".repeat(30_000);
  await until("the lane is full", async () => (await server.publish("/feed", "tick", fill)).displaced === 1);
  assert.equal(await server.reload(yaml(FEED(5))), "reloaded");
  const reports = [];
  for (let n = 0; n < 3; n++) reports.push((await server.publish("/feed", "tick", fill)).displaced);
  assert.deepEqual(reports, [0, 0, 1], "there was place for two more");
  assert.equal(await server.reload(yaml(FEED(2))), "reloaded");
  await server.metricIs("streamfence_lane_depth_max", labels, 5);
});

test("a file that cannot be kept changes nothing, and what needs a restart is said", async (t) => {
  const server = await startServer(t, yaml(FEED(4)));
  const socket = await connect(t, server.url(), "/feed");
  const ticks = collect(socket, "tick");
  await subscribe(socket, "tick");
  assert.equal(await server.reload("servers: {feed: {namespaces: [{path: /other, topics: []}]}}"), "reload_refused");
  await server.publish("/feed", "tick", 1);
  await ticks.count(1);
  assert.equal(await server.reload(yaml(FEED(4), "    pingIntervalMs: 7000\n")), "reloaded");
  const told = (line) => line.includes("needs_restart") && line.includes("`servers.feed.pingIntervalMs`");
  assert.ok(server.log.some(told), server.log.join("\n"));
  await server.publish("/feed", "tick", 2);
  await ticks.count(2);
  assert.ok(open(t, server.url(), "/feed"));
});

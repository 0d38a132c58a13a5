// Topics that carry values: how often a client gets one, which, and what a newcomer gets.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { quiet, steadily } from "./lib/wait.mjs";

const start = (t) =>
  startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /values
        topics:
          - { name: counter, maxFrequency: 10 }
          - { name: quote, maxFrequency: 4, coalesceKey: [/symbol, /venue] }
          - { name: board, coalesce: true, coalesceKey: [/symbol, /venue], onSubscribe: last }
          - { name: status, onSubscribe: last }
          - { name: order, deliveryMode: AT_LEAST_ONCE, maxRetries: 1, onSubscribe: last }
        metadata: full
`,
  );

const labels = (topic) => ({ namespace: "/values", topic });

/** What a topic says from now on: the payload, how old it is and when it came. */
function listen(socket, topic) {
  const got = [];
  socket.on(topic, (value, { publishedAt }) => got.push({ value, age: Date.now() - publishedAt, at: performance.now() }));
  return got;
}

/** No two values came in less than the interval; a writer's turn and the network may bring two a little nearer. */
function assertApart(got, intervalMs, slackMs = 25) {
  for (let i = 1; i < got.length; i++) {
    const apart = got[i].at - got[i - 1].at;
    assert.ok(apart >= intervalMs - slackMs, `value ${i} came ${apart} ms after the one before; wanted ${intervalMs}`);
  }
}

test("of a thousand values a second each client gets as many as it asked for, the newest, and the last of all", async (t) => {
  const server = await start(t);
  const [ten, two, many] = await Promise.all([1, 2, 3].map(() => connect(t, server.url(), "/values")));
  const [atTen, atTwo, atMost] = [ten, two, many].map((socket) => listen(socket, "counter"));
  const last = collect(two, "counter");
  await subscribe(ten, "counter");
  await subscribe(two, "counter", { maxFrequency: 2 });
  await subscribe(many, "counter", { maxFrequency: 1000 });
  // In batches of 10, so that it is the server that is measured and not this loop.
  const seconds = 3;
  const published = [];
  const began = performance.now();
  await steadily(100, seconds, async (batch) => {
    const wave = Array.from({ length: 10 }, (_, i) => server.publish("/values", "counter", batch * 10 + i));
    published.push(...(await Promise.all(wave)));
  });
  const took = (performance.now() - began) / 1000;
  const total = published.length;
  assert.equal(total, seconds * 1000);
  // The order of a batch is the server's, so the last value is the one with the last offset.
  await last.satisfies("the last value", (items) => items.some(([, meta]) => meta.offset === total));
  await quiet(600);
  for (const [got, hertz] of [[atTen, 10], [atTwo, 2], [atMost, 10]]) {
    const most = took * hertz + 2;
    assert.ok(got.length <= most, `${got.length} values in ${took} s at ${hertz} a second; wanted ${most} at most`);
    assert.ok(got.length >= took * hertz * 0.7, `${got.length} values in ${took} s at ${hertz} a second`);
    assertApart(got, 1000 / hertz);
    // Each is the newest of its time: never one that had waited while a newer one was there.
    const oldest = Math.max(...got.slice(0, -1).map(({ age }) => age));
    assert.ok(oldest < 1000 / hertz, `a value was ${oldest} ms old at ${hertz} a second`);
  }
  const coalesced = 3 * total - atTen.length - atTwo.length - atMost.length;
  await server.metricIs("streamfence_messages_coalesced_total", labels("counter"), coalesced);
  assert.equal(await server.metric("streamfence_messages_dropped_total", labels("counter")), 0);
});

test("each key has its own rhythm, and a key is all of what is named", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/values");
  const got = listen(socket, "quote");
  const all = collect(socket, "quote");
  await subscribe(socket, "quote");
  const keys = [["a", "bc"], ["ab", "c"], ["1", "x"], [1, "x"]];
  // The last two keys begin while the first two wait: they do not wait for them.
  const publish = (n, from, to) =>
    Promise.all(keys.slice(from, to).map(([symbol, venue]) => server.publish("/values", "quote", { symbol, venue, n })));
  for (let n = 0; n < 3; n++) await publish(n, 0, 2);
  await all.count(2);
  await publish(0, 2, 4);
  await all.count(4);
  for (let n = 3; n < 6; n++) await publish(n, 0, 4);
  await all.satisfies("the last of each key", (items) => items.filter(([{ n }]) => n === 5).length === 4);
  for (const [symbol, venue] of keys) {
    const values = got.filter(({ value }) => value.symbol === symbol && value.venue === venue);
    assert.equal(values[0].value.n, 0, "the first goes at once");
    assert.equal(values.at(-1).value.n, 5, "the last one comes");
    assertApart(values, 250);
  }
});

test("who subscribes late gets the newest value of every key at once, and once", async (t) => {
  const server = await start(t);
  const say = (symbol, venue, price) => server.publish("/values", "board", { symbol, venue, price });
  await say("a", "x", 1);
  await say("b", "x", 2);
  await say("a", "y", 3);
  await say("a", "x", 4);
  await server.publish("/values", "status", "old");
  await server.publish("/values", "status", "new");

  const socket = await connect(t, server.url(), "/values");
  const said = [];
  socket.onAny((event, ...args) => said.push([event, ...args]));
  const board = collect(socket, "board");
  const { offset } = await subscribe(socket, "board");
  await board.count(3);
  assert.deepEqual(board.payloads.map(({ price }) => price), [2, 3, 4], "in the order of their publication");
  assert.ok(board.items.every(([, meta]) => meta.offset <= offset), "they are older than the subscription");
  assert.equal(said[0][0], "subscribed", "the answer comes first");

  await subscribe(socket, "board");
  await say("b", "x", 5);
  await board.count(4);
  assert.deepEqual(board.payloads.map(({ price }) => price), [2, 3, 4, 5], "a second wish brings nothing again");

  const status = collect(socket, "status");
  await subscribe(socket, "status");
  await status.count(1);
  await server.publish("/values", "status", "newer");
  await status.count(2);
  assert.deepEqual(status.payloads, ["new", "newer"], "a topic that does not coalesce remembers one");
});

test("the last value of an at-least-once topic is acked as any, and such a topic is not thinned out", async (t) => {
  const server = await start(t);
  for (const n of [1, 2]) await server.publish("/values", "order", n);
  const socket = await connect(t, server.url(), "/values");
  await assert.rejects(subscribe(socket, "order", { maxFrequency: 1 }), { code: "BAD_REQUEST" });
  await assert.rejects(subscribe(socket, "order", { maxFrequency: 1 }), /leaves out/);
  const orders = collect(socket, "order");
  await subscribe(socket, "order");
  await orders.count(1);
  const [value, { messageId, ackRequired }] = orders.items[0];
  assert.deepEqual([value, ackRequired], [2, true]);
  socket.emit("ack", { topic: "order", messageId });
  await server.metricIs("streamfence_messages_delivered_total", labels("order"), 1);
});

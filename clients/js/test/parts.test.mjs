// The parts that have a bound, each alone.
import assert from "node:assert/strict";
import test from "node:test";

import { Acks } from "../dist/esm/acks.js";
import { Backoff } from "../dist/esm/backoff.js";
import { Emitter } from "../dist/esm/emitter.js";
import { Inbox } from "../dist/esm/inbox.js";
import { Memory } from "../dist/esm/memory.js";
import { Outbox } from "../dist/esm/outbox.js";
import { FenceClient, FenceError, webStore } from "../dist/esm/index.js";

/** Lets everything happen that waits for nothing outside. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a backoff doubles to its limit, and no two clients have the same", () => {
  const backoff = new Backoff(100, 1_000);
  const longest = [100, 200, 400, 800, 1_000, 1_000];
  for (const most of longest) {
    const delay = backoff.next();
    assert.ok(delay >= most / 2 && delay <= most, `${delay} of ${most}`);
  }
  backoff.reset();
  assert.ok(backoff.next() <= 100);
  const delays = Array.from({ length: 1_000 }, () => new Backoff(10_000, 10_000).next());
  assert.ok(new Set(delays).size > 500, "they are spread");
  const forever = new Backoff(100, 1_000);
  for (let i = 0; i < 5_000; i++) assert.ok(forever.next() <= 1_000);
});

test("a memory keeps what was set last", () => {
  const memory = new Memory(2);
  for (const key of ["a", "b"]) memory.set(key, key);
  memory.set("a", "A");
  memory.set("c", "c");
  assert.deepEqual([memory.get("a"), memory.get("b"), memory.get("c")], ["A", undefined, "c"]);
});

test("acks of one turn go together, those of a topic in one list, and a list is not too long", async () => {
  const said = [];
  const acks = new Acks((body) => said.push(body));
  acks.add("a", "1");
  for (let id = 0; id < 300; id++) acks.add("b", `${id}`);
  await settled();
  assert.deepEqual(said[0], { topic: "a", messageId: "1" });
  assert.deepEqual(said.slice(1).map(({ topic, messageIds }) => [topic, messageIds.length]), [["b", 100], ["b", 100], ["b", 100]]);
  acks.add("a", "2");
  acks.clear();
  await settled();
  assert.equal(said.length, 4, "what was not said when the connection was lost is not said on another");
});

/** An outbox whose questions wait for `answer`. */
function outbox(limit) {
  const asked = [];
  const ask = (event, body) => new Promise((resolve) => asked.push({ event, body, answer: () => resolve({ ok: true }) }));
  return { box: new Outbox(limit, ask), asked };
}

test("an outbox says no more at once than the server likes, wishes before publishes", async () => {
  const { box, asked } = outbox(1_000);
  for (let n = 0; n < 100; n++) void box.publish({ topic: "a", payload: n });
  box.open();
  void box.wish("subscribe", {});
  await settled();
  assert.deepEqual([asked.length, asked[0].event, asked[1].body.payload], [32, "subscribe", 0]);
  asked[5].answer();
  await settled();
  assert.deepEqual([asked.length, asked[32].body.payload], [33, 31]);
});

test("a full outbox refuses the next publish, and keeps no wish for another connection", async () => {
  const { box, asked } = outbox(2);
  await assert.rejects(box.wish("subscribe", {}), { code: "DISCONNECTED" });
  const waiting = [1, 2].map((payload) => box.publish({ topic: "a", payload }));
  await assert.rejects(box.publish({ topic: "a", payload: 3 }), { code: "OUTBOX_FULL", topic: "a" });
  box.clear(new FenceError("CLOSED", "over"));
  for (const publish of waiting) await assert.rejects(publish, { code: "CLOSED" });
  box.open();
  await settled();
  assert.equal(asked.length, 0);
});

test("wishes that nobody answers are bounded, too", async () => {
  const { box } = outbox(1);
  box.open();
  for (let n = 0; n < 1_000; n++) box.wish("unsubscribe", {}).catch(() => {});
  await assert.rejects(box.wish("unsubscribe", {}), { code: "OUTBOX_FULL" });
});

test("what is left of a publish's time is what the server is told", async () => {
  const { box, asked } = outbox(10);
  void box.publish({ topic: "a", payload: 1, ttlMs: 60_000 });
  box.open();
  await settled();
  assert.ok(asked[0].body.ttlMs <= 60_000 && asked[0].body.ttlMs > 50_000, `${asked[0].body.ttlMs}`);
});

/** An inbox of texts, of which those with `!` are owed, that are handled when `next` is called. */
function inbox(limit, concurrency = 1) {
  const [handled, doors] = [[], []];
  const box = new Inbox(
    { limit, concurrency, isOwed: (text) => text.endsWith("!"), giveUp: () => 1, lost: (count) => `${count} lost` },
    (text) => (handled.push(text), new Promise((resolve) => doors.push(resolve))),
  );
  return { box, handled, next: () => (doors.shift()(), settled()) };
}

test("what waits too long for a handler gives way, unless the server waits for it", async () => {
  const { box, handled, next } = inbox(2);
  for (const text of ["a", "b!", "c", "d", "e!", "f!"]) box.push(text);
  while (handled.at(-1) !== "f!") await next();
  assert.deepEqual(handled, ["a", "2 lost", "b!", "e!", "f!"]);
});

test("an inbox that is cleared handles nothing more", async () => {
  const { box, handled, next } = inbox(10);
  for (const text of ["a", "b"]) box.push(text);
  box.clear();
  await next();
  assert.deepEqual(handled, ["a"]);
});

test("a listener that throws stops no other, and nothing of the client's", async (t) => {
  class Talker extends Emitter {
    say(...args) {
      return this.emit("said", ...args);
    }
  }
  const thrown = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error.message));
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    before.forEach((listener) => process.on("uncaughtException", listener));
  });
  const talker = new Talker();
  const heard = [];
  assert.equal(talker.say(0), false, "nobody listens");
  talker.on("said", () => {
    throw new Error("mine");
  });
  const off = talker.on("said", (what) => heard.push(what));
  assert.equal(talker.say(1), true);
  off();
  talker.say(2);
  await settled();
  assert.deepEqual([heard, thrown], [[1], ["mine", "mine"]]);
});

test("whatever lies in a store that is no ticket is none", () => {
  const storeOf = (text) => webStore({ getItem: () => text, setItem() {}, removeItem() {} }, "key");
  for (const text of [null, "", "{", "null", "7", '{"id":1,"secret":"s"}', '{"id":"i"}']) {
    assert.equal(storeOf(text).load(), undefined, text);
  }
  assert.deepEqual(storeOf('{"id":"i","secret":"s","more":1}').load(), { id: "i", secret: "s" });
});

test("an option out of its range is refused, by its name", async () => {
  const make = (options) => () => new FenceClient("http://127.0.0.1:1/a", { autoConnect: false, ...options });
  assert.throws(make({ backoff: { minMs: 0 } }), /RangeError: backoff.minMs is 0; wanted at least 1/);
  assert.throws(make({ backoff: { minMs: 10, maxMs: 5 } }), /backoff.maxMs is 5; wanted at least 10/);
  assert.throws(make({ outboxLimit: -1 }), /outboxLimit is -1/);
  assert.throws(make({ answerTimeoutMs: NaN }), /answerTimeoutMs is NaN/);
  const client = make({})();
  assert.equal(client.state, "idle");
  for (const name of ["concurrency", "maxWaiting", "remember"]) {
    await assert.rejects(client.subscribe("a", () => {}, { [name]: 0 }), new RegExp(`${name} is 0; wanted at least 1`));
  }
  await client.close();
  assert.throws(() => client.connect(), { code: "CLOSED" });
});

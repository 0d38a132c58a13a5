// A client that loses its connection and comes back.
import assert from "node:assert/strict";
import test from "node:test";

import { Manager } from "socket.io-client";

import { collect, connect, next, open, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { inParallel, within } from "./lib/wait.mjs";

const MESSAGES = 10_000;
const LOSSES = 10;

const start = (t, { retentionMs = 30_000 } = {}) =>
  startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 32
        maxQueuedMessagesPerClient: ${MESSAGES}
        maxQueuedBytesPerClient: 100000000
        ackTimeoutMs: 60000
        maxRetries: ${LOSSES + 5}
        sessionRetentionMs: ${retentionMs}
`,
  );

/** Connects with a wish for a session, and waits for the answer. */
async function enter(t, server, session, listen = () => {}) {
  const socket = open(t, server.url(), "/alerts", { auth: { session } });
  // At once: what was missed comes right behind the answer.
  listen(socket);
  const [ticket] = await next(socket, "session");
  return { socket, ticket };
}

/** Cuts the connection as a network does: without a word. */
const lose = (socket) => socket.io.engine.transport.ws.terminate();

test(`a client killed ${LOSSES} times in the middle of ${MESSAGES} messages receives every one of them`, async (t) => {
  const server = await start(t);
  const got = new Map();
  let repeated = 0;
  let socket;
  let ticket = true;
  let done;
  const all = new Promise((resolve) => (done = resolve));

  const come = async () => {
    ({ socket, ticket } = await enter(t, server, ticket, (mine) =>
      mine.on("alert", (n, meta) => {
        if (got.has(n)) repeated++;
        got.set(n, meta.messageId);
        mine.emit("ack", { topic: "alert", messageId: meta.messageId });
        if (got.size === MESSAGES) done();
      }),
    ));
    if (!ticket.resumed) await subscribe(socket, "alert");
  };
  await come();
  const publishing = inParallel(MESSAGES, 16, (n) => server.publish("/alerts", "alert", n));
  for (let loss = 1; loss <= LOSSES; loss++) {
    const enough = Math.floor((loss * MESSAGES) / (LOSSES + 1));
    await within(
      `${enough} messages`,
      new Promise((resolve) => socket.on("alert", () => got.size >= enough && resolve())),
      60_000,
    );
    lose(socket);
    await come();
    assert.ok(ticket.resumed, `resumed after loss ${loss}`);
    assert.deepEqual(ticket.topics, ["alert"]);
  }
  const reports = await publishing;
  await within("all messages", all, 60_000);
  assert.ok(reports.every(({ admitted }) => admitted === 1), "the lane was there all the time");
  assert.equal(new Set(got.values()).size, MESSAGES, "every message has an id of its own");
  assert.ok(repeated <= LOSSES * 32, `at most a window is repeated per loss, ${repeated} were`);
  assert.equal(await server.metric("streamfence_retries_exhausted_total", { namespace: "/alerts", topic: "alert" }), 0);
  assert.equal(await server.metric("streamfence_sessions_total", { namespace: "/alerts", outcome: "resumed" }), LOSSES);
  t.diagnostic(`${repeated} of ${MESSAGES} were repeated`);
});

test("the order is kept over a loss, and what was not acked comes first", async (t) => {
  const server = await start(t);
  const { socket, ticket } = await enter(t, server, true);
  await subscribe(socket, "alert");
  const first = collect(socket, "alert");
  for (let n = 1; n <= 3; n++) await server.publish("/alerts", "alert", n);
  await first.count(3);
  socket.emit("ack", { topic: "alert", messageId: first.items[1][1].messageId });
  await server.metricIs("streamfence_acks_total", { namespace: "/alerts", topic: "alert", outcome: "released" }, 1);
  lose(socket);
  await server.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 1);
  for (let n = 4; n <= 5; n++) assert.equal((await server.publish("/alerts", "alert", n)).admitted, 1);

  const back = open(t, server.url(), "/alerts", { auth: { session: ticket } });
  const again = collect(back, "alert");
  await again.count(4);
  assert.deepEqual(again.payloads, [1, 3, 4, 5]);
});

test("a wrong secret opens nothing, and neither does a session that has expired", async (t) => {
  const server = await start(t, { retentionMs: 300 });
  const { socket, ticket } = await enter(t, server, true);
  await subscribe(socket, "alert");
  lose(socket);
  const forged = await enter(t, server, { id: ticket.id, secret: "0".repeat(32) });
  assert.equal(forged.ticket.resumed, false);
  assert.notEqual(forged.ticket.id, ticket.id);
  await server.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "expired" }, 1);
  const late = await enter(t, server, ticket);
  assert.equal(late.ticket.resumed, false);
  assert.equal((await server.publish("/alerts", "alert", 1)).matched, 0, "the old subscription is gone");
});

test("a second connection with the secret takes over, and a goodbye ends the session", async (t) => {
  const server = await start(t);
  const first = await enter(t, server, true);
  await subscribe(first.socket, "alert");
  const gone = next(first.socket, "disconnect");
  const second = await enter(t, server, first.ticket);
  assert.ok(second.ticket.resumed);
  await gone;
  second.socket.disconnect();
  await server.metricIs("streamfence_connections_active", { namespace: "/alerts" }, 0);
  const third = await enter(t, server, second.ticket);
  assert.equal(third.ticket.resumed, false);
});

test("a client that does not ask is not kept", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.url(), "/alerts");
  await subscribe(socket, "alert");
  lose(socket);
  await server.metricIs("streamfence_connections_active", { namespace: "/alerts" }, 0);
  assert.equal((await server.publish("/alerts", "alert", 1)).matched, 0);
});

test("a session is resumed whatever namespace its connection joins first, on whatever shard it waits", async (t) => {
  const server = await startServer(
    t,
    `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - { path: /feed, topics: [tick] }
      - { path: /alerts, topics: [alert], deliveryMode: AT_LEAST_ONCE, maxRetries: 3, maxInFlight: 8 }
`,
  );
  // Bystanders push each new connection to another shard.
  for (let round = 0; round < 6; round++) {
    const { socket, ticket } = await enter(t, server, true);
    await subscribe(socket, "alert");
    lose(socket);
    await server.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 2 * round + 1);
    await connect(t, server.url(), "/feed");
    assert.equal((await server.publish("/alerts", "alert", round)).admitted, 1);

    const manager = new Manager(server.url(), { transports: ["websocket"], reconnection: false });
    t.after(() => manager._close?.());
    const feed = manager.socket("/feed");
    await next(feed, "connect");
    const alerts = manager.socket("/alerts", { auth: { session: ticket } });
    const got = collect(alerts, "alert");
    const [back] = await next(alerts, "session");
    assert.ok(back.resumed, `round ${round}`);
    await got.count(1);
    assert.equal(got.payloads[0], round);
    alerts.emit("ack", { topic: "alert", messageId: got.items[0][1].messageId });
    // Both namespaces of the connection are served, whatever shards they are on.
    await subscribe(feed, "tick");
    const ticks = collect(feed, "tick");
    await server.publish("/feed", "tick", round);
    await ticks.count(1);
    feed.io.engine.transport.ws.terminate();
    await server.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 2 * round + 2);
    // Its session waits on and takes what is published; the next round counts its own.
    const gone = await enter(t, server, { id: back.id, secret: back.secret });
    gone.socket.disconnect();
    await server.metricIs("streamfence_lanes", { namespace: "/alerts", topic: "alert" }, 0);
  }
});

test("where no session is kept a client that wishes for one is told so", async (t) => {
  const server = await start(t, { retentionMs: 0 });
  for (const wish of [true, { id: "0.AAAAAAAAAAAAAAAA", secret: "A".repeat(22) }]) {
    const { socket, ticket } = await enter(t, server, wish);
    assert.deepEqual(ticket, { retentionMs: 0, resumed: false, topics: [] });
    await subscribe(socket, "alert");
  }
});

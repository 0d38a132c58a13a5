// A server as its operator sees it: the slowest of real clients is found, and it is seen why it is slow and what it cost.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";

import { makeIdentity } from "./lib/certificate.mjs";
import { collect, connect, next, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer, TIER } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { inParallel, until, within } from "./lib/wait.mjs";

const MESSAGES = 2000;
const LIMIT = 64;
const PAD = "x".repeat(960);

const config = (server = "") => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
${server}
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: ${LIMIT}
`;

const look = async (server, path) => {
  const response = await fetch(`http://${server.address("admin")}/admin/v1/${path}`);
  assert.equal(response.status, 200, path);
  return response.json();
};

/** Events of the server from now on, as `{kind, ...}`. */
async function follow(t, server, query) {
  const stop = new AbortController();
  defer(t, () => stop.abort());
  const response = await fetch(`http://${server.address("admin")}/admin/v1/events?${query}`, { signal: stop.signal });
  const events = [];
  let begun;
  const first = new Promise((resolve) => (begun = resolve));
  const read = async () => {
    let text = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      begun();
      text += piece;
      const records = text.split("\n\n");
      text = records.pop();
      for (const record of records) {
        const data = record.split("\n").find((line) => line.startsWith("data: "));
        if (data) events.push(JSON.parse(data.slice("data: ".length)));
      }
    }
  };
  // Whoever stops reading has heard enough.
  read().catch(() => {});
  await within("the first word of the events", first);
  return events;
}

test("the slowest client is found, with the reason and what was dropped for it, and disconnected", { timeout: 60_000 }, async (t) => {
  const server = await startServer(t, config());
  const events = await follow(t, server, "kind=overflow_began,disconnected");
  const reader = await connect(t, server.url(), "/feed");
  const ticks = collect(reader, "tick");
  const { clientId } = await subscribe(reader, "tick");
  const stuck = await openSlow(t, server.address(), { count: 1, namespace: "/feed", topic: "tick" });
  await stuck.stopReading();
  await inParallel(MESSAGES, 16, (seq) => server.publish("/feed", "tick", { seq, pad: PAD }));
  const dropped = await server.metric("streamfence_messages_dropped_total", { namespace: "/feed", topic: "tick" });

  const { clients, total } = await look(server, "clients?sort=depth");
  assert.equal(total, 2);
  const [slowest, other] = clients;
  assert.equal(other.id, clientId);
  assert.ok(slowest.slow && !other.slow, JSON.stringify(clients));
  assert.equal(slowest.depth, LIMIT);
  assert.equal(slowest.dropped + other.dropped, dropped, "of the drops that are counted none is missing");
  for (const client of clients) {
    assert.deepEqual([client.transport, client.tier, client.address], ["websocket", TIER, "127.0.0.1"]);
  }

  // It has lost messages at once; that its connection takes nothing shows within a second, and is why.
  await until("its connection is seen to take nothing", async () => {
    const { clients } = await look(server, "slow");
    return clients.length === 1 && clients[0].id === slowest.id && clients[0].reason === "blocked";
  });
  const { lanes, room, blockedMs } = await look(server, `clients/${slowest.id}`);
  assert.deepEqual([lanes.length, lanes[0].topic, lanes[0].overflow, lanes[0].limits.messages], [1, "tick", "DROP_OLDEST", LIMIT]);
  assert.equal(lanes[0].dropped.displaced, slowest.dropped);
  assert.equal(lanes[0].delivered + lanes[0].depth + slowest.dropped, MESSAGES, "every message is accounted for");
  assert.ok(room.frames === 0 && blockedMs > 0, JSON.stringify({ room, blockedMs }));
  await until("what was delivered to who reads", async () => {
    const { delivered, dropped } = await look(server, `clients/${clientId}`);
    return delivered + dropped === MESSAGES && delivered === ticks.length;
  });

  const { status, body } = await server.post("/admin/v1/disconnect", { client: slowest.id, reason: "it reads nothing" });
  assert.deepEqual([status, body], [200, { disconnected: 1 }]);
  await until("its end", async () => (await stuck.report())[0].closed !== null);
  await until("both events", () => events.length >= 2);
  const of = (kind) => events.filter((event) => event.kind === kind && event.client === slowest.id);
  assert.deepEqual(of("overflow_began").map(({ topic }) => topic), ["tick"]);
  assert.deepEqual(of("disconnected").map(({ reason }) => reason), ["server"]);
  assert.equal((await look(server, "slow")).total, 0);
});

test("one slow client is seen by all that look, alike, and nobody is when it has recovered", { timeout: 60_000 }, async (t) => {
  const server = await startServer(t, config());
  const stuck = await openSlow(t, server.address(), { count: 1, namespace: "/feed", topic: "tick" });
  const reader = await connect(t, server.url(), "/feed");
  await subscribe(reader, "tick");
  const gauge = JSON.parse(readFileSync(new URL("../deploy/grafana/streamfence.json", import.meta.url), "utf8"))
    .panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .filter((expr) => expr.includes("streamfence_slow_clients"));
  assert.ok(gauge.length >= 2, "Grafana shows the gauge");
  const seen = async () => ({
    list: (await look(server, "slow")).clients.map(({ id, reason }) => [id, reason]),
    listed: (await look(server, "clients")).clients.filter(({ slow }) => slow).length,
    info: (await look(server, "info")).slow,
    history: (await look(server, "history")).samples.at(-1).slow,
    gauge: await server.metric("streamfence_slow_clients"),
    blocked: await server.metric("streamfence_slow_clients", { namespace: "/feed", reason: "blocked" }),
    top: Number(/(\d+) slow,/.exec(run("top", "--once"))[1]),
    cli: JSON.parse(run("clients", "--slow", "--json")).total,
  });
  const run = (...args) =>
    execFileSync(process.env.STREAMFENCE_BIN, [...args, "--admin", `http://${server.address("admin")}`], { encoding: "utf8" });

  await stuck.stopReading();
  await inParallel(MESSAGES, 16, (seq) => server.publish("/feed", "tick", { seq, pad: PAD }));
  const alike = (now, n) => [now.listed, now.info, now.history, now.gauge, now.blocked, now.top, now.cli].every((value) => value === n);
  const behind = await until("all see the one", async () => {
    const now = await seen();
    return now.list.length === 1 && alike(now, 1) && now;
  });
  const [[id, reason]] = behind.list;
  assert.equal(reason, "blocked");
  assert.match(run("inspect", id), /slow +blocked/);

  await stuck.resume();
  await until("nobody sees any", async () => {
    const now = await seen();
    return now.list.length === 0 && alike(now, 0);
  });
});

test("a client is unsubscribed and told by whom, and a certificate's end is known", { timeout: 30_000 }, async (t) => {
  const { ca, chain, key } = makeIdentity({ until: 30 });
  const tls = "    transport: WSS\n    tls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem}";
  const server = await startServer(t, config(tls), { files: { "chain.pem": chain, "key.pem": key } });
  const client = await connect(t, server.secureUrl(), "/feed", { ca });
  const { clientId } = await subscribe(client, "tick");
  const [listening] = (await look(server, "servers")).servers;
  assert.deepEqual([listening.name, listening.transport, listening.connections], ["feed", "WSS", 1]);
  const days = (listening.certificateExpiresAt - Date.now()) / (24 * 60 * 60 * 1000);
  assert.ok(days > 28 && days < 31, `${days} days`);

  const told = next(client, "unsubscribed");
  const { body } = await server.post("/admin/v1/unsubscribe", { client: clientId, topic: "tick" });
  assert.deepEqual(body, { unsubscribed: true });
  assert.deepEqual(await told, [{ topic: "tick", reason: "admin" }]);
});

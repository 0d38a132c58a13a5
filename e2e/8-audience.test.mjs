// Whom a message is for, over HTTP: one client, a list of them, a principal, and all but some.
import assert from "node:assert/strict";
import test from "node:test";

import { collect, connect, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";

const CONFIG = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - { path: /feed, topics: [tick, chat], clientPublish: relay, echo: false }
`;

async function enter(t, server) {
  const socket = await connect(t, server.url(), "/feed");
  const got = collect(socket, "tick");
  const { clientId } = await subscribe(socket, "tick");
  return { socket, got, id: clientId };
}

test("a message reaches whom it is for and nobody else", async (t) => {
  const server = await startServer(t, CONFIG);
  // Enough for every shard to have some.
  const clients = [];
  for (let n = 0; n < 6; n++) clients.push(await enter(t, server));
  const ids = clients.map(({ id }) => id);
  const stranger = "A".repeat(16);
  const matched = async (payload, audience) => (await server.publish("/feed", "tick", payload, audience)).matched;

  assert.equal(await matched("one", { to: ids[0] }), 1);
  assert.equal(await matched("list", { to: [ids[1], ids[2], ids[2], stranger] }), 2, "each once, strangers passed over");
  assert.equal(await matched("nobody", { to: [] }), 0);
  assert.equal(await matched("principal", { to: { principal: "ann" } }), 0, "serve knows no principals yet");
  assert.equal(await matched("but some", { except: [ids[0], ids[3], stranger] }), 4);
  assert.equal(await matched("both", { to: [ids[4], ids[5]], except: [ids[5]] }), 1);
  assert.equal(await matched("all", {}), 6);
  const expected = [
    ["one", "all"],
    ["list", "but some", "all"],
    ["list", "but some", "all"],
    ["all"],
    ["but some", "both", "all"],
    ["but some", "all"],
  ];
  for (const [place, { got }] of clients.entries()) {
    await got.satisfies("the last", (items) => items.at(-1)?.[0] === "all");
    assert.deepEqual(got.payloads, expected[place], `client ${place}`);
  }

  // A relay without echo passes its sender over, as ever.
  clients[0].socket.emit("publish", { topic: "tick", payload: "relayed" });
  for (const { got } of clients.slice(1)) await got.satisfies("the relayed one", (items) => items.at(-1)[0] === "relayed");
  await server.publish("/feed", "tick", "end");
  await clients[0].got.satisfies("the end", (items) => items.at(-1)[0] === "end");
  assert.deepEqual(clients[0].got.payloads, ["one", "all", "end"]);
});

test("what is no audience is refused by name", async (t) => {
  const server = await startServer(t, CONFIG);
  const many = Array(1001).fill("A".repeat(16));
  for (const [audience, detail] of [
    [{ to: "me" }, /to "me"/],
    [{ to: ["me"] }, /to "me"/],
    [{ to: 5 }, /wanted a client id, a list of them/],
    [{ to: { principal: "ann", more: 1 } }, /wanted a client id, a list of them/],
    [{ to: many }, /to names 1001 clients; wanted at most 1000/],
    [{ except: many }, /except names 1001 clients; wanted at most 1000/],
    [{ except: "me" }, /invalid type/],
  ]) {
    const { status, body } = await server.post("/v1/publish", { namespace: "/feed", topic: "tick", payload: 1, ...audience });
    assert.equal(status, 400, JSON.stringify(audience).slice(0, 60));
    assert.match(body.detail, detail);
  }
});

// What the log says of a flood: how many there were, in few lines.
import assert from "node:assert/strict";
import test from "node:test";

import { connect, subscribe } from "./lib/client.mjs";
import { startServer } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const LETTERS = 400;
const CLIENTS = 40;

const CONFIG = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 500
    namespaces:
      - path: /alerts
        topics: [{name: alert, deadLetterCapacity: ${LETTERS}}]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        ackTimeoutMs: 50
        maxQueuedMessagesPerClient: ${LETTERS}
        maxInFlight: ${LETTERS}
      - path: /strict
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        ackTimeoutMs: 50
        onRetryExhausted: disconnect
`;

const lines = (server, code) => server.log.map((line) => JSON.parse(line)).filter((line) => line.code === code);
const count = (server, code) => lines(server, code).reduce((sum, line) => sum + line.count, 0);

test("dead letters in hundreds are told in a line a second, and each is counted", async (t) => {
  const server = await startServer(t, CONFIG);
  const began = performance.now();
  const socket = await connect(t, server.url(), "/alerts");
  await subscribe(socket, "alert");
  await server.burst("/alerts", "alert", LETTERS, (i) => i);
  await until("all letters", () => count(server, "dead_letter") === LETTERS);
  const seconds = Math.ceil((performance.now() - began) / 1000);
  const told = lines(server, "dead_letter");
  assert.ok(told.length <= seconds + 1, `${told.length} lines in ${seconds} seconds`);
  for (const { level, namespace, topic, reason } of told) {
    assert.deepEqual([level, namespace, topic, reason], ["WARN", "/alerts", "alert", "exhausted"]);
  }
  assert.equal(told[0].count, 1, "the first is told at once");
});

test("clients that are cut in crowds are told in a line a second, and each is counted", async (t) => {
  const server = await startServer(t, CONFIG);
  const began = performance.now();
  for (let i = 0; i < CLIENTS; i += 1) await subscribe(await connect(t, server.url(), "/strict"), "alert");
  await server.publish("/strict", "alert", 1);
  await until("all clients", () => count(server, "client_evicted") === CLIENTS);
  const seconds = Math.ceil((performance.now() - began) / 1000);
  const told = lines(server, "client_evicted");
  assert.ok(told.length <= seconds + 1, `${told.length} lines in ${seconds} seconds`);
  assert.ok(told.every(({ reason }) => reason === "retries_exhausted"));
});

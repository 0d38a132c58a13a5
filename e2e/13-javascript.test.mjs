// The JavaScript client (clients/js) in Node, against the real server.
import assert from "node:assert/strict";
import test from "node:test";

import * as lib from "../clients/js/dist/esm/index.js";
import { play, scenarios } from "./lib/js/scenarios.mjs";
import { setStage } from "./lib/js/stage.mjs";
import { defer } from "./lib/defer.mjs";
import { until } from "./lib/wait.mjs";

/** What of the browser's `Storage` is used. */
function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

for (const name of Object.keys(scenarios)) {
  test(name, { timeout: 60_000 }, async (t) => {
    const stage = await setStage(t);
    await play(name, lib, stage, stage.url, storage());
  });
}

const MESSAGES = 2_000;
const LOSSES = 8;

test(`a client cut ${LOSSES} times in the middle of ${MESSAGES} messages handles each of them once`, { timeout: 60_000 }, async (t) => {
  const stage = await setStage(t);
  const client = new lib.FenceClient(`${stage.url}/alerts`, {
    backoff: { minMs: 5, maxMs: 50 },
    io: { transports: ["websocket"] },
  });
  defer(t, () => client.close());
  client.on("error", ({ code }) => assert.equal(code, "CONNECT_FAILED"));
  const resumed = [];
  client.on("session", (session) => resumed.push(session.resumed));
  const got = new Map();
  // Some take their time, so that losses find them at it.
  const handle = (n) => (got.set(n, (got.get(n) ?? 0) + 1), n % 50 === 0 && new Promise((done) => setTimeout(done, 5)));
  await client.subscribe("alert", handle, { concurrency: 2 });

  const publishing = (async () => {
    for (let n = 0; n < MESSAGES; n++) await stage.publish("/alerts", "alert", n);
  })();
  for (let loss = 1; loss <= LOSSES; loss++) {
    await until(`the share before loss ${loss}`, () => got.size >= Math.floor((loss * MESSAGES) / (LOSSES + 1)), 30_000);
    stage.cut();
    await until("it is back", () => resumed.length === loss + 1);
  }
  await publishing;
  await stage.metricIs("streamfence_messages_delivered_total", { namespace: "/alerts", topic: "alert" }, MESSAGES);
  assert.equal(got.size, MESSAGES);
  assert.deepEqual([...got].filter(([, times]) => times > 1), [], "none is handled twice");
  assert.deepEqual(resumed, [false, ...Array(LOSSES).fill(true)]);
});

// The JavaScript client (clients/js) in Node, against the real server.
import test from "node:test";

import * as lib from "../clients/js/dist/esm/index.js";
import { play, scenarios } from "./lib/js/scenarios.mjs";
import { setStage } from "./lib/js/stage.mjs";

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

// The JavaScript client (clients/js) in headless Chromium, against the real server: the scenarios of Node, and a page's own.
import assert from "node:assert/strict";
import path from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { serveSite, startBrowser } from "./lib/browser.mjs";
import { scenarios } from "./lib/js/scenarios.mjs";
import { setStage } from "./lib/js/stage.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CLIENT = path.join(HERE, "../clients/js");

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>streamfence-client</title>
<script type="importmap">
{ "imports": { "streamfence-client": "/client/index.js", "socket.io-client": "/socket.io-client.js" } }
</script>`;

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser.close());

/** A page that has the client, and its server, which it may tell what to do. */
async function openPage(t) {
  const { origin } = await serveSite(t, {
    "/": PAGE,
    "/client/": path.join(CLIENT, "dist/esm"),
    "/socket.io-client.js": path.join(CLIENT, "node_modules/socket.io-client/dist/socket.io.esm.min.js"),
    "/scenarios/": path.join(HERE, "lib/js"),
  });
  const stage = await setStage(t, { origin });
  const page = await browser.open(t, origin, { expose: { callStage: (name, args) => stage.call(name, args) } });
  return { page, stage };
}

for (const name of Object.keys(scenarios)) {
  test(name, { timeout: 60_000 }, async (t) => {
    const { page, stage } = await openPage(t);
    await page.evaluate(
      async ([name, url]) => {
        const lib = await import("streamfence-client");
        const { play } = await import("/scenarios/scenarios.mjs");
        const stage = new Proxy({}, { get: (_, method) => (...args) => globalThis.callStage(method, args) });
        await play(name, lib, stage, url, sessionStorage);
      },
      [name, stage.url],
    );
  });
}

test("a page that is loaded again has its session and what it missed", { timeout: 60_000 }, async (t) => {
  const { page, stage } = await openPage(t);
  const enter = async ([url]) => {
    const { FenceClient, webStore } = await import("streamfence-client");
    const client = new FenceClient(`${url}/alerts`, { session: webStore(sessionStorage, "alerts") });
    globalThis.got = [];
    globalThis.resumed = new Promise((resolve) => client.on("session", (session) => resolve(session.resumed)));
    await client.subscribe("alert", (n) => void globalThis.got.push(n));
    return await globalThis.resumed;
  };
  assert.equal(await page.evaluate(enter, [stage.url]), false);
  await stage.publish("/alerts", "alert", 1);
  await page.waitForFunction(() => globalThis.got.length === 1);
  await stage.metricIs("streamfence_acks_total", { namespace: "/alerts", outcome: "released" }, 1);

  await page.goto("about:blank");
  await stage.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 1);
  await stage.publish("/alerts", "alert", 2);
  await page.goBack();
  assert.equal(await page.evaluate(enter, [stage.url]), true);
  await page.waitForFunction(() => globalThis.got.length === 1);
  assert.deepEqual(await page.evaluate(() => globalThis.got), [2]);
});

test("a page of another origin is not let in, and is told", { timeout: 60_000 }, async (t) => {
  const { stage } = await openPage(t);
  const { origin } = await serveSite(t, {
    "/": PAGE,
    "/client/": path.join(CLIENT, "dist/esm"),
    "/socket.io-client.js": path.join(CLIENT, "node_modules/socket.io-client/dist/socket.io.esm.min.js"),
  });
  const stranger = await browser.open(t, origin);
  const code = await stranger.evaluate(async (url) => {
    const { FenceClient } = await import("streamfence-client");
    const client = new FenceClient(`${url}/alerts`, { io: { transports: ["websocket"] } });
    const error = await new Promise((resolve) => client.on("error", resolve));
    await client.close();
    return error.code;
  }, stage.url);
  assert.equal(code, "CONNECT_FAILED");
});

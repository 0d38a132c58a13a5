// The dashboard in headless Chromium, against the real server and real traffic.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";

import { startBrowser } from "./lib/browser.mjs";
import { connect, next, subscribe } from "./lib/client.mjs";
import { figure, openDashboard, openDemo, rowOf } from "./lib/demo.mjs";
import { startServer } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const LIMIT = { timeout: 120_000 };
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const YAML = (keys = "") => `
admin:
  host: 127.0.0.1
  port: 0
${keys}
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 500
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        ackTimeoutMs: 300
`;

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser.close());

test("numbers appear and move", LIMIT, async (t) => {
  const { page } = await openDemo(t, browser);
  await until("every client is counted", async () => (await figure(page, "Clients")) === 5);
  await until("messages are delivered", async () => (await figure(page, "Delivered")) > 10);
  await until("bytes go out", async () => (await figure(page, "Out")) > 0);
  for (const topic of ["ticker", "prices", "board", "offers", "trades"]) {
    await until(`${topic} is delivered`, async () => Number.parseFloat((await rowOf(page, "Topics", `/feed ${topic}`)).Delivered) > 0);
    assert.equal((await rowOf(page, "Topics", `/feed ${topic}`)).Lanes, "3", topic);
  }
  const outline = () => page.locator('.chart path[data-outcome="admitted"]').getAttribute("d");
  const before = await outline();
  await until("the chart moves", async () => (await outline()) !== before);
  const rows = await page.getByRole("table", { name: "Clients", exact: true }).locator("tbody tr:visible").count();
  assert.equal(rows, 5);
  assert.match(await page.locator("#fates-summary").textContent(), /admitted, .* displaced/);
});

test("a page that is opened later has the minutes before", LIMIT, async (t) => {
  const { server, page } = await openDemo(t, browser);
  const samples = async () => JSON.parse((await server.get("admin", "/admin/v1/history")).text).samples;
  await until("some seconds are kept", async () => (await samples()).length > 4, 20_000);
  const seen = (await samples()).length;
  await page.reload();
  const path = page.locator('.chart path[data-outcome="admitted"]');
  await until("the chart is drawn", async () => ((await path.getAttribute("d")) ?? "").split("L").length >= 2 * (seen - 1));
});

test("a slow client that is started is seen within seconds, its page says why, and it can be sent away", LIMIT, async (t) => {
  // The one answer that says that it is gone.
  const { page } = await openDemo(t, browser, { expected: ["404"] });
  await page.getByRole("button", { name: "Start a slow client" }).click();
  const tour = page.getByRole("region", { name: "Watch a slow client" });
  const id = await tour.getByRole("link").textContent();
  await page.getByRole("table", { name: "Slow clients" }).getByRole("link", { name: id }).waitFor({ timeout: 30_000 });
  const slow = await rowOf(page, "Slow clients", id);
  assert.equal(slow.Namespace, "/feed");
  await until("it is counted", async () => (await figure(page, "Slow clients")) === 1);
  await page.locator("#events").getByText("A lane is full, its policy decides").first().waitFor();

  await tour.getByRole("link", { name: id }).click();
  await page.getByRole("heading", { name: `Client ${id}` }).waitFor();
  // What each policy did for it, side by side.
  const lane = async (topic) => rowOf(page, "Lanes", topic);
  await until("old ticks gave way", async () => Number((await lane("ticker")).Displaced) > 0, 30_000);
  await until("prices were replaced", async () => Number((await lane("prices")).Coalesced) > 0, 30_000);
  await until("boards were replaced", async () => Number((await lane("board")).Coalesced) > 0, 30_000);
  await until("trades were refused", async () => Number((await lane("trades")).Rejected) > 0, 30_000);
  await until("offers were too late", async () => Number((await lane("offers")).Expired) > 0, 30_000);
  assert.match((await lane("ticker")).Policy, /DROP_OLDEST/);

  await page.getByRole("button", { name: "Disconnect…" }).click();
  const dialog = page.getByRole("dialog", { name: "Disconnect this client?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.ok((await lane("ticker")).Topic, "it is still there");
  await page.getByRole("button", { name: "Disconnect…" }).click();
  await dialog.getByRole("button", { name: "Disconnect" }).click();
  await page.getByText(/It is disconnected|This client is not here any more/).waitFor();
  await page.getByRole("link", { name: "← All clients" }).click();
  await page.getByText("Nobody is slow").waitFor();
  // It reads what is on its way first, as slowly as everything.
  await until("the tour knows that it is gone", async () => (await tour.getByRole("listitem").count()) === 0, 40_000);
});

test("a client that never acks leaves dead letters, which are replayed and purged", LIMIT, async (t) => {
  const server = await startServer(t, YAML());
  const socket = await connect(t, server.url(), "/alerts");
  await subscribe(socket, "alert");
  const page = await openDashboard(t, browser, server, { hash: "#/dead-letters" });
  assert.equal(await page.getByRole("region", { name: "Watch a slow client" }).count(), 0, "there is no tour here");
  await server.publish("/alerts", "alert", { text: "fire" });
  const table = page.getByRole("table", { name: "Dead letters" });
  await table.getByText('{"text":"fire"}').waitFor();
  assert.equal(await table.locator("tbody tr:visible").count(), 1);

  const again = next(socket, "alert");
  await page.getByRole("button", { name: /^Replay [A-Z0-9]+:/ }).click();
  await page.getByText("1 message is on the way again.").waitFor();
  await again;
  await table.getByText('{"text":"fire"}').waitFor();
  await page.getByRole("button", { name: "Purge /alerts alert…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Purge" }).click();
  await page.getByText("1 message is gone.").waitFor();
  await table.getByText("There are none").waitFor();
});

test("the publisher says what became of a message, and the subscriber gets it", LIMIT, async (t) => {
  const server = await startServer(t, YAML());
  const page = await openDashboard(t, browser, server, { hash: "#/try" });
  const subscriber = page.getByRole("region", { name: "Subscribe as a client" });
  await subscriber.getByLabel("Topic").selectOption({ label: "/alerts alert" });
  await subscriber.getByRole("button", { name: "Subscribe" }).click();
  await subscriber.getByText(/^subscribed as /).waitFor();

  const publisher = page.getByRole("region", { name: "Publish a message" });
  await publisher.getByLabel("Topic").selectOption({ label: "/alerts alert" });
  await publisher.getByLabel("Payload, JSON").fill('{"text": "hello"}');
  await publisher.getByRole("button", { name: "Publish" }).click();
  await publisher.getByText("for 1 client").waitFor();
  await publisher.getByText("1 admitted").waitFor();
  await subscriber.getByText('{"text":"hello"}').waitFor();
  await server.metricIs("streamfence_acks_total", { outcome: "released" }, 1);

  await publisher.getByLabel("wait for acks").check();
  await publisher.getByRole("button", { name: "Publish" }).click();
  await publisher.getByText("1 of 1 ack").waitFor();
  await publisher.getByLabel("Topic").selectOption({ label: "/feed tick" });
  await until("what needs no ack is not waited for", () => publisher.getByLabel("wait for acks").isDisabled());
  await publisher.getByLabel("Topic").selectOption({ label: "/alerts alert" });

  await publisher.getByLabel("Payload, JSON").fill("{not json");
  await publisher.getByRole("button", { name: "Publish" }).click();
  await publisher.getByText(/The payload is not JSON/).waitFor();

  await subscriber.getByRole("button", { name: "Stop" }).click();
  await subscriber.getByText("stopped after 2 messages").waitFor();
  await publisher.getByLabel("Payload, JSON").fill("1");
  await publisher.getByRole("button", { name: "Publish" }).click();
  await publisher.getByText("nobody is subscribed").waitFor();
});

test("events are told as they happen, and filtered", LIMIT, async (t) => {
  const server = await startServer(t, YAML());
  const page = await openDashboard(t, browser, server, { hash: "#/events" });
  const events = page.locator("#events");
  await events.getByText("live").waitFor();
  const socket = await connect(t, server.url(), "/feed");
  const { clientId } = await subscribe(socket, "tick");
  await events.getByText("Subscribed", { exact: true }).waitFor();
  assert.equal(await events.getByRole("link", { name: clientId }).count(), 2, "it came, and subscribed");
  await events.getByLabel("Kind of event").selectOption("slow and lost");
  await until("others are left out", async () => (await events.getByRole("listitem").count()) === 0);
  await events.getByLabel("Kind of event").selectOption("everything");
  await events.getByLabel("Namespace, topic or client").fill("no such thing");
  await until("what does not match is left out", async () => (await events.getByRole("listitem").count()) === 0);
});

test("a server with keys asks for one, and only a good one opens it", LIMIT, async (t) => {
  const server = await startServer(t, YAML('  keys:\n    ops: {keys: ["open-sesame-of-the-tests"], scopes: [read, admin, publish]}\n    backend: {keys: ["publish-only-of-the-tests"], scopes: [publish]}'));
  const page = await openDashboard(t, browser, server, { isLocked: true, expected: ["401", "403"] });
  const dialog = page.getByRole("dialog", { name: "This server asks for a key" });
  await dialog.getByLabel("Key").fill("wrong");
  await page.keyboard.press("Enter");
  await dialog.getByText(/the key is none of those known/).waitFor();
  await dialog.getByLabel("Key").fill("publish-only-of-the-tests");
  await dialog.getByRole("button", { name: "Use it" }).click();
  await dialog.getByText(/wanted one with the scope `read`/).waitFor();
  await dialog.getByLabel("Key").fill("open-sesame-of-the-tests");
  await dialog.getByRole("button", { name: "Use it" }).click();
  await page.getByRole("status").getByText("running").first().waitFor();
  assert.equal(await dialog.count(), 0);
  await page.locator("#events").getByText("live").waitFor();
  await page.reload();
  await page.getByRole("status").getByText("running").first().waitFor();
  assert.equal(await dialog.count(), 0, "it is kept as long as the tab");
  assert.equal(await page.evaluate(() => Object.keys(localStorage).filter((name) => name.includes("key")).length), 0);
});

test("it is light and dark, as the system is or as one wishes", LIMIT, async (t) => {
  const server = await startServer(t, YAML());
  const page = await openDashboard(t, browser, server, { colorScheme: "dark" });
  const isDark = () => page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)[0]) < 128);
  assert.equal(await isDark(), true);
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await isDark(), false);
  const theme = page.getByRole("button", { name: /^Theme/ });
  await theme.click();
  await theme.click();
  assert.equal(await theme.textContent(), "Theme: dark");
  assert.equal(await isDark(), true);
  await page.reload();
  assert.equal(await isDark(), true, "it is kept");
});

test("the keyboard goes everywhere, and a look at the server takes it nowhere else", LIMIT, async (t) => {
  const { page } = await openDemo(t, browser);
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");

  const row = page.getByRole("table", { name: "Clients", exact: true }).getByRole("link").first();
  await row.focus();
  const id = await focused();
  const looks = await page.locator("#process dd").nth(1).textContent();
  await until("it has looked again", async () => (await page.locator("#process dd").nth(1).textContent()) !== looks);
  assert.equal(await focused(), id, "the focus stays");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: `Client ${id}` }).waitFor();
  assert.match(await focused(), new RegExp(id), "reading begins at the title");
  await page.goBack();
  await page.getByRole("heading", { name: "Clients", exact: true }).waitFor();

  // A dialog keeps the focus, and gives it back.
  await page.goto(`${page.url().split("#")[0]}#/clients/${id}`);
  const button = page.getByRole("button", { name: "Disconnect…" });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(), "Disconnect…");
});

test("it fits a narrow screen, and nothing hinders who sees or hears it otherwise", LIMIT, async (t) => {
  // The checker is a script of nobody's whom the page would not run.
  const { page } = await openDemo(t, browser, { bypassCSP: true, viewport: { width: 400, height: 800 } });
  await page.getByRole("button", { name: "Start a slow client" }).click();
  await page.getByRole("table", { name: "Slow clients" }).getByRole("link").first().waitFor({ timeout: 30_000 });
  const check = async (what) => {
    const found = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
    });
    assert.deepEqual(found, [], what);
    const { wide, screen } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, screen: innerWidth }));
    assert.ok(wide <= screen, `${what}: ${wide} px wide on a screen of ${screen}`);
  };
  await page.evaluate(AXE);
  await check("light");
  await page.emulateMedia({ colorScheme: "dark" });
  await check("dark");
  await page.setViewportSize({ width: 1280, height: 900 });
  await check("dark and wide");
  await page.getByRole("table", { name: "Slow clients" }).getByRole("link").first().click();
  await page.getByRole("table", { name: "Lanes" }).getByRole("cell").first().waitFor();
  await check("a client, dark");
  await page.emulateMedia({ colorScheme: "light" });
  await check("a client, light");
  await page.getByRole("button", { name: "Disconnect…" }).click();
  await page.getByRole("dialog").waitFor();
  await check("a dialog");
});

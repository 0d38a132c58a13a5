// The demo that runs without a configuration, and its dashboard in a browser.
import assert from "node:assert/strict";

import { defer } from "./defer.mjs";
import { startDemo } from "./server.mjs";

/** Starts the demo and opens its dashboard. Everything the browser complains of fails the test. */
export async function openDemo(t, browser, options = {}) {
  const server = await startDemo(t);
  return { server, page: await openDashboard(t, browser, server, options) };
}

/** Opens the dashboard of a server and waits until it has looked at it. `expected` are complaints that are wanted. */
export async function openDashboard(t, browser, server, { hash = "", isLocked = false, expected = [], ...options } = {}) {
  const page = await browser.open(t, "about:blank", { viewport: { width: 1280, height: 900 }, ...options });
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.some((text) => message.text().includes(text))) complaints.push(message.text());
  });
  defer(t, () => assert.deepEqual(complaints, [], "the browser has nothing to complain of"));
  await page.goto(`http://${server.address("admin")}/${hash}`);
  if (!isLocked) await page.getByRole("status").getByText("running").first().waitFor();
  return page;
}

/** The number that stands under a title of the figures. */
export async function figure(page, title) {
  const text = await page.locator("#figures > div", { has: page.locator("dt", { hasText: new RegExp(`^${title}$`) }) }).locator("dd span").first().textContent();
  return Number.parseFloat(text.replaceAll(",", ""));
}

/** The texts of a row of a table, by the titles of its columns. */
export async function rowOf(page, label, name) {
  const table = page.getByRole("table", { name: label, exact: true });
  const titles = await table.locator("thead th").allTextContents();
  const row = table.locator("tbody tr", { has: page.getByRole("rowheader", { name, exact: true }) });
  const cells = await row.locator("th, td").allTextContents();
  return Object.fromEntries(titles.map((title, index) => [title, cells[index]]));
}

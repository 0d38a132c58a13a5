// Makes a picture of the dashboard: the demo, with clients that keep up, one that is slow and one that never acks.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { startBrowser } from "./lib/browser.mjs";
import { openDemo } from "./lib/demo.mjs";

/** How much there is to see before and after the slow client comes. */
const BEFORE_MS = 60_000;
const AFTER_MS = 60_000;

const file = process.argv[2];
const cleanUps = [];
const t = { after: (task) => cleanUps.push(task) };
const browser = await startBrowser();
try {
  const { page } = await openDemo(t, browser, { colorScheme: "light", viewport: { width: 1280, height: 1240 } });
  await pause(BEFORE_MS);
  await page.getByRole("button", { name: "Start a slow client" }).click();
  await page.getByRole("button", { name: "Start one that never acks" }).click();
  await page.getByRole("table", { name: "Slow clients" }).getByRole("link").nth(1).waitFor({ timeout: 60_000 });
  await pause(AFTER_MS);
  await page.evaluate(() => document.activeElement.blur());
  mkdirSync(path.dirname(file), { recursive: true });
  await page.screenshot({ path: file });
} finally {
  for (const task of cleanUps.reverse()) await task();
  await browser.close();
}

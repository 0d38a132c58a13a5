// Headless Chromium for tests, and pages for it to open.
//
//     const browser = await startBrowser();          // once a file; `after(() => browser.close())`
//     const site = await serveSite(t, { "/": html, "/lib/": "folder/" });
//     const page = await browser.open(t, site.origin); // a Playwright page of a profile of its own
//     await page.click("text=Start"); await page.evaluate(() => document.title);
//
// `page` is Playwright's: https://playwright.dev/docs/api/class-page. What a page throws and does not catch fails its test.
// The browser is the system's (Debian's package `chromium`), or the one that `CHROMIUM` names; Playwright downloads none.
import assert from "node:assert/strict";
import { accessSync, constants, readFileSync } from "node:fs";
import http from "node:http";
import { once } from "node:events";
import path from "node:path";

import { chromium } from "playwright-core";

import { defer } from "./defer.mjs";

/** Nothing of the browser's own leaves the machine, and nothing asks. The profile is a fresh one that Playwright removes. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a page may take for one thing. */
const SOON_MS = 20_000;

/** Starts the browser. It is ended with `close`, or with the process. */
export async function startBrowser() {
  return new Browser(await chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS }));
}

class Browser {
  #browser;

  constructor(browser) {
    this.#browser = browser;
  }

  /** What it says it is. */
  get version() {
    return this.#browser.version();
  }

  /**
   * Opens a page in a profile of its own; it is closed with the test. `expose` are functions of the test's that the page
   * may call; `options` are those of Playwright's `newContext`, such as `viewport` and `colorScheme`.
   */
  async open(t, url, { expose = {}, ...options } = {}) {
    const context = await this.#browser.newContext(options);
    const thrown = [];
    defer(t, async () => {
      await context.close();
      assert.deepEqual(thrown, [], "nothing is thrown in the page and not caught");
    });
    context.setDefaultTimeout(SOON_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => thrown.push(error.stack ?? String(error)));
    for (const [name, task] of Object.entries(expose)) await page.exposeFunction(name, task);
    await page.goto(url);
    return page;
  }

  close() {
    return this.#browser.close();
  }
}

/**
 * Serves pages on a port of the system's choice, until the end of the test. A key that ends with a slash is a folder of
 * files, any other a text, or a file if its value is a path from the root.
 */
export async function serveSite(t, routes) {
  const server = http.createServer((request, response) => {
    const found = find(routes, new URL(request.url, "http://any").pathname);
    if (found === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": found.type, "cache-control": "no-store" }).end(found.content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  defer(t, async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  return { origin: `http://127.0.0.1:${server.address().port}` };
}

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript" };

function find(routes, pathname) {
  const type = (file) => TYPES[path.extname(file)] ?? "application/octet-stream";
  const route = routes[pathname];
  if (route !== undefined) {
    return path.isAbsolute(route)
      ? { type: type(route), content: readFileSync(route) }
      : { type: TYPES[path.extname(pathname)] ?? "text/html", content: route };
  }
  const prefix = Object.keys(routes).find((key) => key.endsWith("/") && key !== "/" && pathname.startsWith(key));
  if (prefix === undefined) return undefined;
  const file = path.join(routes[prefix], path.normalize(`/${pathname.slice(prefix.length)}`));
  try {
    return { type: type(file), content: readFileSync(file) };
  } catch {
    return undefined;
  }
}

function findChromium() {
  const names = process.env.CHROMIUM ? [process.env.CHROMIUM] : ["chromium", "chromium-browser"];
  for (const name of names) {
    for (const folder of name.includes("/") ? [""] : process.env.PATH.split(path.delimiter)) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not there.
      }
    }
  }
  throw new Error(`no ${names.join(" or ")} in PATH: install Debian's package chromium, or name a browser in CHROMIUM`);
}

// The binary under test: started with a configuration of the test's own, watched, and ended with the test.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

import { defer } from "./defer.mjs";
import { inParallel, SOON_MS, until, within } from "./wait.mjs";
import { parseMetrics, total } from "./metrics.mjs";

const BIN = process.env.STREAMFENCE_BIN;

/** How the servers under test reach their websockets: the suites run with each. */
export const TIER = process.env.STREAMFENCE_TIER ?? "splice";
assert.ok(["splice", "emit"].includes(TIER), `STREAMFENCE_TIER is ${TIER}; wanted splice or emit`);
const inTier = (yaml) => (TIER === "splice" ? yaml : yaml.replaceAll(/^( *)port: 0$/gm, "$1port: 0\n$1splice: false"));

// A test that dies takes its servers along.
const running = new Set();
const killAll = () => running.forEach((child) => child.kill("SIGKILL"));
process.on("exit", killAll);
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(1));

/**
 * Starts `streamfence serve` with this YAML and waits until all its servers listen.
 *
 * Ports are chosen by the system and read from the log. The server is stopped with the test `t`, and the test
 * fails when it does not end well. `files` are written beside the configuration, by name.
 */
export async function startServer(t, yaml, { servers = ["feed"], files = {} } = {}) {
  assert.ok(BIN, "STREAMFENCE_BIN names the binary: run `cargo xtask e2e`");
  const folder = mkdtempSync(path.join(os.tmpdir(), "streamfence-e2e-"));
  const file = path.join(folder, "streamfence.yaml");
  writeFileSync(file, inTier(yaml));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  const args = ["-c", file, "--admin-listen", "127.0.0.1:0"];
  return serve(t, folder, args, servers);
}

/** Starts what runs without a configuration: the demo. Its server is called `demo`. */
export function startDemo(t) {
  assert.ok(BIN, "STREAMFENCE_BIN names the binary: run `cargo xtask e2e`");
  const folder = mkdtempSync(path.join(os.tmpdir(), "streamfence-e2e-"));
  return serve(t, folder, ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], ["demo"]);
}

async function serve(t, folder, args, servers) {
  const child = spawn(BIN, ["serve", ...args, "--log-format", "json"], { stdio: ["ignore", "ignore", "pipe"], cwd: folder });
  running.add(child);

  const server = new Server(child, folder);
  defer(t, () => server.stop());
  await within(
    `${servers} and admin listening; the log says:\n${server.log}`,
    Promise.race([server.listening([...servers, "admin"]), server.died()]),
  ).catch((error) => {
    throw new Error(`${error.message}\n${server.log.join("\n")}`);
  });
  return server;
}

export class Server {
  /** What the server wrote to stderr, line by line. */
  log = [];
  #addresses = new Map();
  #announced = [];
  #exit;
  #stopped = false;
  #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

  constructor(child, folder) {
    this.child = child;
    this.folder = folder;
    this.#exit = once(child, "exit").then(([code, signal]) => {
      running.delete(child);
      return { code, signal };
    });
    readline.createInterface({ input: child.stderr }).on("line", (line) => this.#read(line));
  }

  get pid() {
    return this.child.pid;
  }

  /** Where Socket.IO clients connect. */
  url(name = "feed") {
    return `http://${this.address(name)}`;
  }

  /** The same with TLS. */
  secureUrl(name = "feed") {
    return `https://${this.address(name)}`;
  }

  /** `host:port` of a server, or of `admin`. */
  address(name = "feed") {
    assert.ok(this.#addresses.has(name), `no server named ${name} has said that it listens`);
    return this.#addresses.get(name);
  }

  listening(names) {
    return new Promise((resolve) => {
      const look = () => names.every((name) => this.#addresses.has(name)) && resolve();
      this.#announced.push(look);
      look();
    });
  }

  async died() {
    const { code, signal } = await this.#exit;
    throw new Error(`the server ended: code ${code}, signal ${signal}`);
  }

  /** Publishes over HTTP and returns the report. */
  async publish(namespace, topic, payload, options = {}) {
    const { status, body } = await this.post("/v1/publish", { namespace, topic, payload, ...options });
    assert.equal(status, 202, `publish to ${namespace} ${topic}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Publishes bytes, which clients receive as a binary attachment. */
  publishBytes(namespace, topic, bytes) {
    const payloadBase64 = Buffer.from(bytes).toString("base64");
    return this.publish(namespace, topic, undefined, { payloadBase64 });
  }

  /** Publishes `count` messages with many requests in flight; their order is the server's. */
  burst(namespace, topic, count, payload, inFlight = 64) {
    return inParallel(count, inFlight, (i) => this.publish(namespace, topic, payload(i)));
  }

  /** Any POST to the admin address: `{status, body}`, whatever the status. */
  async post(pathname, value) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const { status, text: answer } = await this.#request("POST", "admin", pathname, text);
    return { status, body: parsed(answer) };
  }

  /** Any GET: `{status, text}`. */
  get(name, pathname) {
    return this.#request("GET", name, pathname);
  }

  /** Every sample of /metrics. */
  async metrics() {
    const { status, text } = await this.get("admin", "/metrics");
    assert.equal(status, 200, text);
    return parseMetrics(text);
  }

  /** The sum of a metric over its series with these labels. */
  async metric(name, labels = {}) {
    return total(await this.metrics(), name, labels);
  }

  /** Waits until a metric has (or satisfies) a value. Totals are handed over once a tick, so they lag a little. */
  async metricIs(name, labels, wanted, ms = SOON_MS) {
    const holds = typeof wanted === "function" ? wanted : (value) => value === wanted;
    let value;
    try {
      await until("", async () => holds((value = await this.metric(name, labels))), ms);
    } catch {
      assert.fail(`${name}${JSON.stringify(labels)} is ${value}, wanted ${wanted}`);
    }
    return value;
  }

  /** Resident memory in bytes. */
  rss() {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"));
    return Number(kib[1]) * 1024;
  }

  /** How many of its file descriptors are sockets. */
  sockets() {
    return this.fds().filter((target) => target.startsWith("socket:")).length;
  }

  fds() {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(path.join(folder, fd))];
      } catch {
        // Closed between the listing and the look.
        return [];
      }
    });
  }

  /**
   * Writes another configuration, and `files` beside it by name, has it read, and waits until the log says what became of
   * it: `reloaded` or `reload_refused`.
   */
  async reload(yaml, files = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    this.write("streamfence.yaml", yaml);
    const since = this.log.length;
    this.signal("SIGHUP");
    const outcome = /"code":"(reloaded|reload_refused)"/;
    const line = await until("the reload", () => this.log.slice(since).find((line) => outcome.test(line)));
    return outcome.exec(line)[1];
  }

  /** Writes a file beside the configuration, or the configuration itself, and says nothing of it. */
  write(name, text) {
    writeFileSync(path.join(this.folder, name), name.endsWith(".yaml") ? inTier(text) : text, { mode: 0o600 });
  }

  /** The first line of the log from `since` on that has this code, once there is one. */
  async says(code, since = 0) {
    const has = (line) => parsed(line)?.code === code;
    return parsed(await until(`a line of ${code}`, () => this.log.slice(since).find(has)));
  }

  signal(name = "SIGTERM") {
    this.child.kill(name);
  }

  /** How it ended: `{code, signal, tookMs}` after it was asked to. */
  async ended(ms = SOON_MS) {
    const asked = performance.now();
    const exit = await within("the server's end", this.#exit, ms);
    this.#stopped = true;
    return { ...exit, tookMs: performance.now() - asked };
  }

  /** Asks the server to end, and fails unless it ends well. */
  async stop(ms = 15_000) {
    if (this.#stopped) return this.#cleanUp();
    this.#stopped = true;
    try {
      this.signal();
      const { code, signal } = await within("the server's end after SIGTERM", this.#exit, ms);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, `the server's end:\n${this.log.join("\n")}`);
    } finally {
      this.#cleanUp();
    }
    const told = this.log.map(parsed).filter((line) => ["INFO", "WARN", "ERROR"].includes(line?.level));
    assert.deepEqual(told.filter(({ code }) => code === undefined), [], "every line of the log has a code");
    const panics = this.log.filter((line) => line.includes("panicked at"));
    assert.deepEqual(panics, [], "nothing a client does makes the server panic");
  }

  #cleanUp() {
    this.child.kill("SIGKILL");
    this.#agent.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #read(line) {
    this.log.push(line);
    const event = parsed(line);
    const fields = event?.fields ?? event;
    if (fields?.message !== "listening") return;
    this.#addresses.set(fields.server, fields.address);
    this.#announced.forEach((look) => look());
  }

  #request(method, name, pathname, text) {
    const [host, port] = splitAddress(this.address(name));
    const headers = text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const request = http.request({ host, port, method, path: pathname, headers, agent: this.#agent }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }));
        response.on("error", reject);
      });
      request.on("error", reject);
      request.end(text);
    });
  }
}

/** `[host, port]` of `host:port`. */
export function splitAddress(address) {
  const colon = address.lastIndexOf(":");
  return [address.slice(0, colon).replace(/^\[|\]$/g, ""), Number(address.slice(colon + 1))];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

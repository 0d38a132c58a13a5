// The examples, as their READMEs tell to run them: each configuration, its client, and each publish of its README.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const EXAMPLES = path.join(HERE, "..", "examples");

/** The example's servers, on ports of the system's choice. */
function serve(t, example, servers) {
  const yaml = readFileSync(path.join(EXAMPLES, example, "streamfence.yaml"), "utf8");
  const chosen = yaml.replaceAll(/port: 300\d/g, "port: 0\n    shutdownDrainMs: 1000");
  assert.equal(chosen.match(/port: 0/g).length, servers.length, "each server has a port of its own");
  return startServer(t, chosen, { servers });
}

/** The example's client, with what it has said. It finds its packages beside these suites. */
function run(t, example, urls) {
  const folder = mkdtempSync(path.join(HERE, "node_modules", ".example-"));
  cpSync(path.join(EXAMPLES, example, "client.mjs"), path.join(folder, "client.mjs"));
  const client = spawn(process.execPath, [path.join(folder, "client.mjs"), ...urls], { stdio: ["pipe", "pipe", "pipe"] });
  const said = [];
  for (const stream of [client.stdout, client.stderr]) {
    readline.createInterface({ input: stream }).on("line", (line) => said.push(line));
  }
  defer(t, () => {
    client.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  const says = (line) =>
    until(`the client says "${line}"`, () => said.includes(line)).catch((error) => {
      throw new Error(`${error.message}; it said:\n${said.join("\n")}`);
    });
  return { says, said, type: (line) => client.stdin.write(`${line}\n`) };
}

/** Every body that the README publishes with curl, in order. */
function published(example) {
  const readme = readFileSync(path.join(EXAMPLES, example, "README.md"), "utf8");
  return [...readme.matchAll(/'(\{"namespace".*\})'/g)].map(([, body]) => JSON.parse(body));
}

async function publishAll(server, example, matched = 1) {
  const bodies = published(example);
  assert.notEqual(bodies.length, 0, "the README publishes something");
  for (const body of bodies) {
    const { status, body: report } = await server.post("/v1/publish", body);
    assert.deepEqual([status, report.admitted], [202, matched], JSON.stringify(body));
  }
}

test("single-server", async (t) => {
  const server = await serve(t, "single-server", ["main"]);
  const client = run(t, "single-server", [server.url("main")]);
  await client.says("subscribed to price, after message 0");
  await publishAll(server, "single-server");
  await client.says("EURUSD 1.0842");
});

test("multi-namespace", async (t) => {
  const server = await serve(t, "multi-namespace", ["main"]);
  const client = run(t, "multi-namespace", [server.url("main")]);
  for (const topic of ["/state dashboard", "/feed price", "/alerts alert"]) await client.says(`${topic}: subscribed`);
  await publishAll(server, "multi-namespace");
  await client.says('state {"users":17} is message 1');
  await client.says("price EURUSD 1.0842");
  await client.says("alert disk is full");
  await server.metricIs("streamfence_acks_total", { namespace: "/alerts", outcome: "released" }, 1);
});

test("mixed-workload", async (t) => {
  const server = await serve(t, "mixed-workload", ["feed", "control"]);
  const urls = [server.url("feed"), server.url("control")];
  const clients = [run(t, "mixed-workload", urls), run(t, "mixed-workload", urls)];
  for (const client of clients) {
    for (const topic of ["snapshot", "delta", "alert", "command"]) await client.says(`subscribed to ${topic}`);
  }
  await publishAll(server, "mixed-workload", 2);
  for (const client of clients) {
    await client.says('snapshot {"bids":[[101.5,3]]}');
    await client.says('delta {"bid":[101.4,1]}');
    await client.says("alert trading halts");
  }
  const [one, other] = clients;
  one.type("reload");
  await one.says("sent reload");
  await other.says("command reload");
  assert.ok(!one.said.includes("command reload"), "a command is for the others");
});

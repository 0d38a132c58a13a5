// Behind nginx, with the configuration that docs/behind-a-proxy.md tells people to use.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test from "node:test";

import { pages } from "./lib/book.mjs";
import { connect, next, open } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { until, within } from "./lib/wait.mjs";

const YAML = `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    trustedProxies: [127.0.0.1/32]
    maxConnectionsPerIp: 1
    namespaces:
      - {path: /feed, topics: [tick], overflowAction: DROP_OLDEST, maxQueuedMessagesPerClient: 64}
`;

/** A client of its own address, as far as nginx, which is on this machine as well, can tell. */
const from = (address) => ({ extraHeaders: { "X-Forwarded-For": address } });

test("clients reach a server through nginx by websocket, by polling, and by the upgrade", async (t) => {
  const server = await startServer(t, YAML);
  const url = await startNginx(t, server.address());
  const transports = [["websocket"], ["polling"], ["polling", "websocket"]];
  for (const [number, transport] of transports.entries()) {
    const client = await connect(t, url, "/feed", { transports: transport, ...from(`198.51.100.${number}`) });
    client.emit("subscribe", { topic: "tick" });
    await next(client, "subscribed");
    if (transport.length > 1) await until("the upgrade", () => client.io.engine.transport.name === "websocket");
    const heard = next(client, "tick", ({ from }) => from === transport.join());
    const { admitted } = await server.publish("/feed", "tick", { from: transport.join() });
    assert.equal(admitted, number + 1, "those before are still there");
    await heard;
  }
});

test("behind nginx each client has its own address, and what it says of itself further left is not believed", async (t) => {
  const server = await startServer(t, YAML);
  const url = await startNginx(t, server.address());
  await connect(t, url, "/feed", from("198.51.100.1"));
  const others = ["198.51.100.1", "203.0.113.9, 198.51.100.1"].map((address) => open(t, url, "/feed", from(address)));
  const refused = others.map((client) => new Promise((resolve) => client.once("connect_error", resolve)));
  await within("both are refused", Promise.all(refused));
  await server.metricIs("streamfence_refused_total", { reason: "connections_per_ip" }, 2);
  await connect(t, url, "/feed", from("198.51.100.2"));
});

/** nginx with the block of the page, in front of a server; where it listens. */
async function startNginx(t, upstream) {
  const page = pages().find(({ name }) => name === "docs/behind-a-proxy.md");
  const [block, ...others] = page.blocks.filter(({ language }) => language === "nginx");
  assert.ok(block && others.length === 0, "the page has one configuration of nginx");
  const port = await freePort();
  const site = block.text.replace("127.0.0.1:3000", upstream).replace("127.0.0.1:8080", `127.0.0.1:${port}`);
  assert.ok(site.includes(upstream) && site.includes(`:${port}`), "it names the server and where nginx listens");

  const folder = mkdtempSync(path.join(os.tmpdir(), "streamfence-nginx-"));
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const settings = [
    ...(process.getuid() === 0 ? ["user root;"] : []),
    "daemon off; master_process off; pid nginx.pid; error_log stderr;",
    `events {}\nhttp {\naccess_log off;\n${temp.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}\n${site}}\n`,
  ].join("\n");
  const file = path.join(folder, "nginx.conf");
  writeFileSync(file, settings);
  execFileSync("nginx", ["-t", "-q", "-p", folder, "-c", file], { stdio: ["ignore", "ignore", "pipe"] });
  const nginx = spawn("nginx", ["-p", folder, "-c", file], { stdio: "ignore" });
  defer(t, () => {
    nginx.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  await until("nginx answers", () => fetch(`${url}/socket.io/`).then((response) => response.status === 400, () => false));
  return url;
}

/** One that nobody had a moment ago; nginx cannot be asked which it was given. */
async function freePort() {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => listener.once("listening", resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

// TLS: everything clients do without it they do with it, and whoever does not finish a handshake costs nobody else one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test from "node:test";

import { makeIdentity } from "./lib/certificate.mjs";
import { collect, connect, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { splitAddress, startServer, TIER } from "./lib/server.mjs";
import { openSlow } from "./lib/slow.mjs";
import { range, strictlyIncreasing } from "./lib/stats.mjs";
import { inParallel, steadily, until, within } from "./lib/wait.mjs";

const TRANSPORTS = { websocket: ["websocket"], polling: ["polling"], "the upgrade": ["polling", "websocket"] };
const LABELS = { namespace: "/feed", topic: "tick" };
const PAD = "x".repeat(960);
const KIB = 1024;
const BPS = 100_000;

const { ca, chain, key } = makeIdentity();

/** A server that speaks TLS, with these keys of its own and of its `tls`. */
const config = ({ server = "", tls = "" } = {}) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    transport: WSS
    tls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem${tls}}
${server}
    namespaces:
      - path: /feed
        topics: [tick]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 128
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxQueuedMessagesPerClient: 128
        maxInFlight: 8
        ackTimeoutMs: 500
        maxRetries: 2
`;

const start = (t, keys, files = {}) => startServer(t, config(keys), { files: { "chain.pem": chain, "key.pem": key, ...files } });

/** A connection that says nothing; `closed` resolves when the server has had enough. */
async function openHalf(t, server) {
  const [host, port] = splitAddress(server.address());
  const socket = net.connect(port, host);
  defer(t, () => socket.destroy());
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => {});
  socket.resume();
  await within("a connection", new Promise((resolve) => socket.on("connect", resolve)));
  return { socket, closed };
}

const failed = (reason) => ["streamfence_tls_handshakes_failed_total", { reason }];

for (const [way, transports] of Object.entries(TRANSPORTS)) {
  test(`messages and acks go over TLS by ${way}`, async (t) => {
    const server = await start(t);
    const [feed, alerts] = await Promise.all([
      connect(t, server.secureUrl(), "/feed", { transports, ca }),
      connect(t, server.secureUrl(), "/alerts", { transports, ca }),
    ]);
    const [ticks, alarms] = [collect(feed, "tick"), collect(alerts, "alert")];
    alerts.on("alert", (_, { topic, messageId }) => alerts.emit("ack", { topic, messageId }));
    await Promise.all([subscribe(feed, "tick"), subscribe(alerts, "alert")]);
    for (let n = 0; n < 100; n++) {
      assert.equal((await server.publish("/feed", "tick", { n })).admitted, 1);
      assert.equal((await server.publish("/alerts", "alert", n)).admitted, 1);
    }
    // Larger than a record of TLS, and binary.
    const bytes = Buffer.alloc(100 * KIB, "streamfence");
    await server.publishBytes("/feed", "tick", bytes);
    await Promise.all([ticks.count(101), alarms.count(100)]);
    assert.deepEqual(ticks.payloads.slice(0, 100).map(({ n }) => n), range(0, 100));
    assert.ok(bytes.equals(ticks.payloads[100]));
    assert.deepEqual(alarms.payloads, range(0, 100), "each came once and in order");
    await server.metricIs("streamfence_acks_total", { topic: "alert", outcome: "released" }, 100);
    assert.equal(feed.io.engine.transport.name, transports.at(-1));
    const tier = way === "polling" ? "emit" : TIER;
    await server.metricIs("streamfence_links", { tier }, 2);
  });
}

test("a message that is not acked is sent again over TLS", async (t) => {
  const server = await start(t);
  const socket = await connect(t, server.secureUrl(), "/alerts", { ca });
  const alarms = collect(socket, "alert");
  await subscribe(socket, "alert");
  await server.publish("/alerts", "alert", "again");
  await alarms.count(3);
  assert.equal(new Set(alarms.items.map(([, { messageId }]) => messageId)).size, 1);
  await server.metricIs("streamfence_retries_total", { topic: "alert" }, 2);
});

test("an encrypted key is used and its password never said; TLS 1.2 is spoken where it is allowed", async (t) => {
  const passphrase = "correct horse battery staple";
  const identity = makeIdentity({ passphrase });
  const files = { "chain.pem": identity.chain, "key.pem": identity.key, password: `${passphrase}\n` };
  const server = await start(t, { tls: ", privateKeyPassword: '${file:password}', protocol: TLSv1.2" }, files);
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    const [host, port] = splitAddress(server.address());
    const options = { host, port, path: "/healthz", ca: identity.ca, minVersion: version, maxVersion: version, agent: false };
    const spoken = await within("an answer", new Promise((resolve, reject) => {
      https.get(options, (answer) => resolve([answer.statusCode, answer.socket.getProtocol()])).on("error", reject);
    }));
    assert.deepEqual(spoken, [200, version]);
  }
  assert.ok(!server.log.join("\n").includes(passphrase));
  const expiry = await server.metric("streamfence_tls_certificate_expiry_timestamp_seconds", { server: "feed" });
  assert.ok(Math.abs(expiry - Date.now() / 1000 - 30 * 24 * 3600) < 3600, `it expires at ${expiry}`);
});

test("a slow reader over TLS gets what it can, in order, and stays", { timeout: 60_000 }, async (t) => {
  // A ping waits behind what lies below the lane: half a second at this speed, more on a busy machine.
  const server = await start(t, { server: "    stallTimeoutMs: 8000\n    pingIntervalMs: 1000\n    pingTimeoutMs: 8000" });
  const slow = await openSlow(t, server.address(), { count: 3, ...LABELS, ca });
  await slow.readAt(BPS);
  let seq = 0;
  const began = performance.now();
  await steadily(400, 10, () => server.publish("/feed", "tick", { seq: seq++, pad: PAD }));
  const report = await slow.report();
  const due = (BPS * (performance.now() - began)) / 1000;
  for (const client of report) {
    assert.equal(client.closed, null, `disconnected: ${client.closed}`);
    assert.ok(client.pings >= 2, `${client.pings} pings were answered`);
    assert.ok(client.bytes > 0.5 * due && client.bytes < 1.3 * due, `it read ${client.bytes} bytes of ${due}`);
    assert.ok(client.last > seq - 128 - 512, `it is ${seq - client.last} messages behind`);
  }
  await slow.resume();
  const after = await until("the newest message", async () => {
    const all = await slow.report({ seqs: true });
    return all.every((client) => client.last === seq - 1) && all;
  });
  let missed = 0;
  for (const client of after) {
    assert.ok(strictlyIncreasing(client.seqs), "order is kept and nothing comes twice");
    missed += seq - client.messages;
  }
  assert.ok(missed > 3 * seq * 0.5, "the clients were overloaded");
  await server.metricIs("streamfence_messages_dropped_total", LABELS, missed);
});

test("a client that stops reading over TLS is held for little and cut with a reset", { timeout: 60_000 }, async (t) => {
  const server = await start(t, { server: "    stallTimeoutMs: 2000" });
  const other = await connect(t, server.secureUrl(), "/feed", { ca });
  const ticks = collect(other, "tick");
  await subscribe(other, "tick");
  const stuck = await openSlow(t, server.address(), { count: 3, ...LABELS, ca });
  await stuck.stopReading();
  const sockets = server.sockets();
  const total = 600;
  for (let seq = 0; seq < total; seq++) await server.publish("/feed", "tick", { seq, pad: PAD });
  await ticks.count(total);
  // What the others did not lose and their lanes do not hold lies below the lanes.
  const delivered = await server.metricIs("streamfence_messages_delivered_total", LABELS, (count) => count > total);
  const below = ((delivered - total) / 3) * KIB;
  assert.ok(below < 256 * KIB, `${below} bytes below each lane`);

  await server.metricIs("streamfence_disconnections_total", { namespace: "/feed", reason: "stalled" }, 3);
  const cut = await until("they find themselves cut", async () => {
    const all = await stuck.report();
    return all.every((client) => client.closed) && all;
  });
  assert.deepEqual(cut.map(({ closed }) => closed), ["reset", "reset", "reset"]);
  // The connection that asks for metrics is one of the server's sockets too.
  await until("their sockets closed", () => server.sockets() <= sockets - 3 + 1);
  assert.ok(other.connected);
});

test("a client that does not speak TLS is closed and counted", async (t) => {
  const server = await start(t);
  const refused = new Promise((resolve, reject) => {
    http.get(`${server.url()}/healthz`, { agent: false }, () => reject(new Error("it was answered"))).on("error", resolve);
  });
  await within("the end of the connection", refused);
  await server.metricIs(...failed("not_tls"), 1);
  await assert.rejects(connect(t, server.url(), "/feed"));
  await server.metricIs(...failed("not_tls"), 2);
  // One that does not trust the certificate is the one to end it, without a word.
  await assert.rejects(connect(t, server.secureUrl(), "/feed"));
  await connect(t, server.secureUrl(), "/feed", { ca });
});

test("a handshake that is never finished is closed in time and takes no place", async (t) => {
  const server = await start(t, { server: "    maxConnections: 1", tls: ", handshakeTimeoutMs: 1000" });
  const began = performance.now();
  const half = await openHalf(t, server);
  const socket = await connect(t, server.secureUrl(), "/feed", { ca });
  assert.ok(performance.now() - began < 1000, "the one place is free meanwhile");
  await within("the end of the handshake", half.closed);
  const took = performance.now() - began;
  assert.ok(took > 900, `it was closed after ${took} ms`);
  await server.metricIs(...failed("timeout"), 1);
  // While the one client lives nobody else comes in, and is told so before a handshake.
  await assert.rejects(connect(t, server.secureUrl(), "/feed", { ca }));
  await server.metricIs(...failed("full"), 1);
  assert.ok(socket.connected);
});

test("300 handshakes that nobody finishes do not keep others out", { timeout: 60_000 }, async (t) => {
  const server = await start(t, { tls: ", handshakeTimeoutMs: 60000" });
  const half = await inParallel(300, 50, () => openHalf(t, server));
  const began = performance.now();
  const clients = await inParallel(20, 20, () => connect(t, server.secureUrl(), "/feed", { ca }));
  const took = performance.now() - began;
  assert.ok(took < 5000, `it took ${took} ms`);
  await Promise.all(clients.map((socket) => subscribe(socket, "tick")));
  assert.equal((await server.publish("/feed", "tick", { seq: 1 })).matched, 20);
  // 256 may go on; so many of the oldest had to give way.
  const displaced = await server.metricIs(...failed("displaced"), (count) => count >= 300 - 256);
  assert.ok(displaced <= 300 - 256 + 20, `${displaced} gave way`);
  await within("the oldest to be closed", half[0].closed);
});

test("a crowd that comes at once is served whole", { timeout: 60_000 }, async (t) => {
  // Few places, so that most of the crowd waits for one.
  const server = await start(t, { tls: ", maxHandshakes: 4" });
  const clients = await inParallel(200, 200, () => connect(t, server.secureUrl(), "/feed", { ca, timeout: 30_000 }));
  assert.ok(clients.every((socket) => socket.connected));
  assert.equal(await server.metric("streamfence_tls_handshakes_failed_total"), 0);
});

test("a key of another certificate is refused by `check` and by `serve`, before anything listens", async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "streamfence-e2e-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "streamfence.yaml");
  writeFileSync(file, config());
  writeFileSync(path.join(folder, "chain.pem"), chain);
  const outcome = (...args) =>
    new Promise((resolve) => {
      execFile(process.env.STREAMFENCE_BIN, args, { timeout: 10_000 }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  writeFileSync(path.join(folder, "key.pem"), makeIdentity().key, { mode: 0o600 });
  for (const args of [["check", file], ["serve", "-c", file, "--admin-listen", "127.0.0.1:0"]]) {
    const { code, stderr } = await outcome(...args);
    assert.equal(code, 4, stderr);
    assert.match(stderr, /key\.pem: is the key of no certificate in .*chain\.pem; wanted the key of the first/);
  }
  writeFileSync(path.join(folder, "key.pem"), key);
  chmodSync(path.join(folder, "key.pem"), 0o644);
  const { code, stdout } = await outcome("check", file);
  assert.equal(code, 0);
  assert.match(stdout, /warning: .*key\.pem: the key is readable by everybody/);
});

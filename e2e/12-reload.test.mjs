// Files that change under a server that runs: certificates and configurations, in every way files are replaced.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import tls from "node:tls";

import { makeClients, makeIdentity } from "./lib/certificate.mjs";
import { collect, connect, next, open, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { splitAddress, startServer } from "./lib/server.mjs";
import { range } from "./lib/stats.mjs";
import { quiet, steadily, until, within } from "./lib/wait.mjs";

const LOADS = "streamfence_tls_certificate_loads_total";
const GENERATION = "streamfence_config_generation";

const identities = range(0, 5).map(() => makeIdentity());
const everyCa = identities.map(({ ca }) => ca);

const plain = (limit = 64, { server = "", file = "" } = {}) => `
${file}servers:
  feed:
    host: 127.0.0.1
    port: 0
${server}    namespaces:
      - { path: /feed, topics: [tick], maxQueuedMessagesPerClient: ${limit} }
`;

const secure = (more = "") => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    transport: WSS
    tls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem${more}}
    namespaces:
      - { path: /feed, topics: [tick], maxQueuedMessagesPerClient: 512 }
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxQueuedMessagesPerClient: 512
        maxInFlight: 16
        ackTimeoutMs: 5000
        maxRetries: 3
`;

const startSecure = (t, { chain, key }, more = "", files = {}) =>
  startServer(t, secure(more), { files: { "chain.pem": chain, "key.pem": key, ...files } });

/** The fingerprint of the certificate that a new connection is shown. */
async function shown(t, server) {
  const [host, port] = splitAddress(server.address());
  const socket = tls.connect({ host, port, ca: everyCa, servername: "localhost" });
  defer(t, () => socket.destroy());
  await within("a handshake", new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject)));
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const fingerprint = ({ chain }) => new X509Certificate(chain).fingerprint256;
const isShown = (t, server, identity) =>
  until("the certificate is shown", async () => (await shown(t, server)) === fingerprint(identity));

test("certificates are rotated under load, in every order, and no message and no connection is lost", { timeout: 60_000 }, async (t) => {
  const server = await startSecure(t, identities[0]);
  const inboxes = [];
  const sockets = [];
  for (const transports of [["websocket"], ["polling"]]) {
    const options = { transports, ca: everyCa };
    const feed = await connect(t, server.secureUrl(), "/feed", options);
    const alerts = await connect(t, server.secureUrl(), "/alerts", options);
    alerts.on("alert", (_, { topic, messageId }) => alerts.emit("ack", { topic, messageId }));
    inboxes.push([collect(feed, "tick"), collect(alerts, "alert")]);
    await Promise.all([subscribe(feed, "tick"), subscribe(alerts, "alert")]);
    sockets.push(feed, alerts);
  }
  const lost = sockets.map((socket) => new Promise((_, reject) => socket.once("disconnect", (why) => reject(new Error(why)))));
  lost.forEach((gone) => gone.catch(() => {}));

  // Newcomers wait for a message each, so they come to an end first.
  let isOver = false;
  let isRotated = false;
  const publishing = (async () => {
    let n = 0;
    while (!isOver) {
      await steadily(100, 0.1, async () => {
        await Promise.all([server.publish("/feed", "tick", n), server.publish("/alerts", "alert", n)]);
        n++;
      });
    }
    return n;
  })();
  const newcomers = (async () => {
    let n = 0;
    for (; !isRotated; n++) {
      const socket = await connect(t, server.secureUrl(), "/feed", { ca: everyCa });
      await subscribe(socket, "tick");
      await next(socket, "tick");
      socket.disconnect();
    }
    return n;
  })();

  const refusals = async (count) => server.metricIs(LOADS, { outcome: "refused" }, count);
  const rotation = async () => {
    // The certificate first, and its key late enough for the half of it to be looked at.
    server.write("chain.pem", identities[1].chain);
    await refusals(1);
    assert.equal(await shown(t, server), fingerprint(identities[0]), "half a pair is none");
    server.write("key.pem", identities[1].key);
    await isShown(t, server, identities[1]);
    // The key first.
    server.write("key.pem", identities[2].key);
    await refusals(2);
    server.write("chain.pem", identities[2].chain);
    await isShown(t, server, identities[2]);
    // Half written.
    server.write("chain.pem", identities[3].chain.slice(0, 300));
    server.write("key.pem", identities[3].key);
    await refusals(3);
    server.write("chain.pem", identities[3].chain);
    await isShown(t, server, identities[3]);
    // Both at once, which is looked at once.
    server.write("chain.pem", identities[4].chain);
    server.write("key.pem", identities[4].key);
    await isShown(t, server, identities[4]);
  };
  await Promise.race([rotation(), ...lost, publishing, newcomers]);
  isRotated = true;
  const came = await newcomers;
  isOver = true;
  const published = await publishing;
  assert.ok(published > 100 && came > 10, `${published} messages, ${came} newcomers`);
  for (const [ticks, alerts] of inboxes) {
    await Promise.all([ticks.count(published), alerts.count(published)]);
    assert.deepEqual(ticks.payloads, range(0, published));
    assert.deepEqual(alerts.payloads, range(0, published));
  }
  assert.ok(sockets.every((socket) => socket.connected));
  assert.equal(await server.metric(LOADS, { outcome: "refused" }), 3);
  assert.equal(await server.metric(LOADS, { outcome: "loaded" }), 5);
  assert.equal(await server.metric(GENERATION), 1, "the configuration is as it was");
});

test("a wrong key and an expired certificate replace nothing, and say why", async (t) => {
  const server = await startSecure(t, identities[0]);
  const expires = await server.metric("streamfence_tls_certificate_expiry_timestamp_seconds");
  server.write("key.pem", identities[1].key);
  assert.match((await server.says("tls_reload_refused")).reason, /key\.pem: is the key of no certificate in .*chain\.pem/);
  assert.equal(await shown(t, server), fingerprint(identities[0]));
  const since = server.log.length;
  const expired = makeIdentity({ until: -1 });
  server.write("chain.pem", expired.chain);
  server.write("key.pem", expired.key);
  assert.match((await server.says("tls_reload_refused", since)).reason, /the certificate has expired on/);
  assert.equal(await shown(t, server), fingerprint(identities[0]));
  assert.equal(await server.metric("streamfence_tls_certificate_expiry_timestamp_seconds"), expires);
  // With SIGHUP too, and the rest of the configuration holds all the same.
  assert.equal(await server.reload(secure(", handshakeTimeoutMs: 9000")), "reload_refused");
  assert.equal(await server.reload(secure().replace("maxInFlight: 16", "maxInFlight: 8")), "reloaded");
  assert.match((await server.says("tls_still_refused")).reason, /the certificate has expired on/);
  assert.equal(await shown(t, server), fingerprint(identities[0]));
  const later = makeIdentity({ until: 60 });
  server.write("chain.pem", later.chain);
  server.write("key.pem", later.key);
  await server.says("tls_reloaded");
  const rises = (value) => value > expires;
  await server.metricIs("streamfence_tls_certificate_expiry_timestamp_seconds", {}, rises);
});

test("a ConfigMap that is swapped is taken up whole, without a signal", async (t) => {
  const server = await startServer(t, plain());
  const at = (name) => path.join(server.folder, name);
  const socket = await connect(t, server.url(), "/feed");
  const ticks = collect(socket, "tick");
  await subscribe(socket, "tick");
  const publish = (version, yaml) => {
    mkdirSync(at(version));
    server.write(`${version}/streamfence.yaml`, yaml);
    symlinkSync(version, at("..data_tmp"));
    renameSync(at("..data_tmp"), at("..data"));
  };
  publish("..v1", plain());
  symlinkSync("..data/streamfence.yaml", at("staged"));
  renameSync(at("staged"), at("streamfence.yaml"));

  publish("..v2", plain(7, { server: "    maxConnections: 1\n" }));
  rmSync(at("..v1"), { recursive: true });
  await server.metricIs(GENERATION, {}, 2);
  const told = (key) => server.log.map((line) => JSON.parse(line)).find((line) => line.key === key);
  const { from, to, effect, code } = told("/feed tick maxQueuedMessagesPerClient");
  assert.deepEqual({ from, to, effect, code }, { from: "64", to: "7", effect: "live", code: "config_changed" });
  assert.deepEqual(told("servers.feed.maxConnections").to, "1");
  const refused = open(t, server.url(), "/feed");
  await next(refused, "connect_error");
  await server.publish("/feed", "tick", 1);
  await ticks.count(1);

  publish("..v3", plain(8, { server: "    maxConnections: 2\n" }));
  await server.metricIs(GENERATION, {}, 3);
  await connect(t, server.url(), "/feed");
  assert.ok(socket.connected, "whoever was there was not disturbed");
});

test("a file that is wrong, half written or gone changes nothing, and what comes after it is taken up", async (t) => {
  const server = await startServer(t, plain());
  const reloads = "streamfence_config_reloads_total";
  const wrong = plain(9, { server: "    maxConections: 1\n" });
  server.write("streamfence.yaml", wrong);
  await server.metricIs(reloads, { outcome: "refused" }, 1);
  assert.equal(await server.metric("streamfence_config_last_reload_success"), 0);
  assert.match((await server.says("reload_refused")).message, /maxConections.*the nearest is `maxConnections`/);
  // The same again is nothing new, with or without a signal in between.
  server.write("streamfence.yaml", wrong);
  rmSync(path.join(server.folder, "streamfence.yaml"));
  const gone = await server.says("file_unreadable");
  assert.match(gone.file, /streamfence\.yaml$/);
  const socket = await connect(t, server.url(), "/feed");
  await subscribe(socket, "tick");
  assert.equal(await server.metric(reloads, { outcome: "refused" }), 1);

  server.write("streamfence.yaml", plain(9));
  await server.metricIs(reloads, { outcome: "applied" }, 1);
  assert.equal(await server.metric("streamfence_config_last_reload_success"), 1);
  assert.equal(await server.metric(GENERATION), 2);
  assert.equal(server.log.filter((line) => line.includes("file_unreadable")).length, 1);
  assert.ok(socket.connected);
});

test("a secret in a file of its own belongs to the configuration", async (t) => {
  const yaml = plain().replace("topics: [tick]", "topics: [{name: tick, ttlMs: '${file:ttl}'}]");
  const server = await startServer(t, yaml, { files: { ttl: "1000\n" } });
  server.write("ttl", "2000\n");
  await server.metricIs(GENERATION, {}, 2);
  const line = server.log.map((line) => JSON.parse(line)).find((line) => line.key === "/feed tick ttlMs");
  assert.deepEqual([line.from, line.to], ["Some(1000)", "Some(2000)"]);
});

test("keys of signed tokens and tokens themselves are taken up, and no secret is told", async (t) => {
  const tokens = (ann) => `    auth: TOKEN
    jwt: {algorithm: HS256, keyPath: jwt.key}
    staticTokens: {ann: ${ann}}
`;
  const secret = (letter) => letter.repeat(32);
  const files = { "jwt.key": secret("a") };
  const server = await startServer(t, plain(64, { server: tokens("first-token") }), { files });
  server.write("jwt.key", "too short");
  await server.says("jwt_keys_refused");
  server.write("jwt.key", secret("b"));
  await server.says("jwt_keys_reloaded");
  server.write("streamfence.yaml", plain(64, { server: tokens("other-token") }));
  await server.metricIs(GENERATION, {}, 2);
  const line = server.log.map((line) => JSON.parse(line)).find((line) => line.key === "servers.feed.auth");
  assert.equal(line.effect, "live");
  await connect(t, server.url(), "/feed", { auth: { token: "other-token" } });
  assert.ok(!server.log.some((line) => /first-token|other-token|aaaa|bbbb/.test(line)));
});

test("what is not watched is read with a signal alone", async (t) => {
  const server = await startServer(t, plain(64, { file: "watch: false\n" }));
  server.write("streamfence.yaml", plain(9, { file: "watch: false\n" }));
  await quiet(1500);
  assert.equal(await server.metric(GENERATION), 1);
  assert.equal(await server.reload(plain(10)), "reloaded");
  // From now on it is watched.
  server.write("streamfence.yaml", plain(11));
  await server.metricIs(GENERATION, {}, 3);
  server.write("streamfence.yaml", plain(11, { file: "log: {level: warn}\n" }));
  await server.metricIs(GENERATION, {}, 4);
  const since = server.log.length;
  server.write("streamfence.yaml", plain(12, { server: "    path: /elsewhere\n", file: "log: {level: warn}\n" }));
  const line = await server.says("needs_restart", since);
  assert.deepEqual([line.key, line.from, line.to], ["servers.feed.path", "/socket.io", "/elsewhere"]);
  await server.metricIs(GENERATION, {}, 5);
  assert.ok(!server.log.slice(since).some((line) => line.includes('"reloaded"')), "only what is to be warned of is logged");
});

test("clients show certificates, and are who these say they are", async (t) => {
  const clients = makeClients();
  const auth = ", clientAuth: required, clientCaPemPath: clients.pem";
  const { ca, chain, key } = identities[0];
  const server = await startSecure(t, { chain, key }, auth, { "clients.pem": clients.ca });
  const [ann, bob] = await Promise.all(
    ["ann", "bob"].map((name) => connect(t, server.secureUrl(), "/feed", { ca, ...clients.client(name) })),
  );
  await Promise.all([subscribe(ann, "tick"), subscribe(bob, "tick")]);
  const [anns, bobs] = [collect(ann, "tick"), collect(bob, "tick")];
  assert.equal((await server.publish("/feed", "tick", "for bob", { to: { principal: "bob" } })).matched, 1);
  await server.publish("/feed", "tick", "for all");
  await Promise.all([anns.count(1), bobs.count(2)]);
  assert.deepEqual([anns.payloads, bobs.payloads], [["for all"], ["for bob", "for all"]]);

  const without = open(t, server.secureUrl(), "/feed", { ca });
  await next(without, "connect_error");
  const stranger = open(t, server.secureUrl(), "/feed", { ca, ...makeClients().client("ann") });
  await next(stranger, "connect_error");
  await server.metricIs("streamfence_tls_handshakes_failed_total", { reason: "certificate" }, 2);

  const others = makeClients();
  server.write("clients.pem", others.ca);
  await server.says("tls_reloaded");
  const late = open(t, server.secureUrl(), "/feed", { ca, ...clients.client("ann") });
  await next(late, "connect_error");
  await connect(t, server.secureUrl(), "/feed", { ca, ...others.client("ann") });
  assert.ok(ann.connected && bob.connected);
});

// Limits at the door: what an address and a client may have, and that others have theirs.
import assert from "node:assert/strict";
import net from "node:net";
import test from "node:test";

import { collect, connect, next, subscribe } from "./lib/client.mjs";
import { connectRaw, RawClient } from "./lib/raw.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { until, within } from "./lib/wait.mjs";

const config = (limits) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
${limits.trim().split("\n").map((line) => `    ${line}`).join("\n")}
    namespaces:
      - path: /feed
        topics: [tick]
        clientPublish: relay
        maxQueuedMessagesPerClient: 10000
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 64
        ackTimeoutMs: 60000
        maxRetries: 1
`;

const refused = (server, reason, count) => server.metricIs("streamfence_refused_total", { reason }, count);
const forwardedFor = (address) => ({ extraHeaders: { "x-forwarded-for": address } });
const POLLING = "/socket.io/?EIO=4&transport=polling";

/** What the server answers to the bytes, to its end. */
async function say(t, server, bytes) {
  const [host, port] = server.address().split(":");
  const socket = net.connect(Number(port), host);
  defer(t, () => socket.destroy());
  const chunks = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => {});
  socket.write(bytes);
  await within("the server closes", new Promise((resolve) => socket.on("close", resolve)));
  return Buffer.concat(chunks).toString();
}

test("an address has so many connections, behind a proxy too, and a place comes back", async (t) => {
  const server = await startServer(t, config("maxConnectionsPerIp: 2\ntrustedProxies: [127.0.0.0/8]"));
  const first = await connect(t, server.url(), "/feed", forwardedFor("192.0.2.1"));
  await connect(t, server.url(), "/feed", forwardedFor("203.0.113.9, 192.0.2.1"));
  await assert.rejects(connect(t, server.url(), "/feed", forwardedFor("192.0.2.1")));
  await assert.rejects(connect(t, server.url(), "/feed", { ...forwardedFor("192.0.2.1"), transports: ["polling"] }));
  await refused(server, "connections_per_ip", 2);
  await connect(t, server.url(), "/feed", forwardedFor("192.0.2.2"));
  await connect(t, server.url(), "/feed", { ...forwardedFor("2001:db8::1"), transports: ["polling", "websocket"] });
  await connect(t, server.url(), "/feed", forwardedFor("2001:db8::2"));
  await assert.rejects(connect(t, server.url(), "/feed", forwardedFor("2001:db8::3")), "one network");
  first.disconnect();
  await until("a place is free", () => connect(t, server.url(), "/feed", forwardedFor("192.0.2.1")).then(() => true, () => false));
});

test("nobody but a trusted proxy says where it is", async (t) => {
  const server = await startServer(t, config("maxConnectionsPerIp: 1\ntrustedProxies: [10.0.0.0/8]"));
  await connect(t, server.url(), "/feed", forwardedFor("192.0.2.1"));
  await assert.rejects(connect(t, server.url(), "/feed", forwardedFor("192.0.2.2")));
});

test("wrong tokens are counted against the client behind the proxy, not against the proxy", async (t) => {
  const limits = "auth: TOKEN\nstaticTokens: {ann: good}\nauthFailures: {max: 2, windowMs: 600000}\ntrustedProxies: [127.0.0.1]";
  const server = await startServer(t, config(limits));
  const refusal = (address, token) =>
    connect(t, server.url(), "/feed", { ...forwardedFor(address), auth: { token } }).then(
      () => "in",
      (error) => error.message,
    );
  assert.equal(await refusal("192.0.2.1", "bad"), "AUTH_REJECTED");
  assert.equal(await refusal("192.0.2.1", "bad"), "AUTH_REJECTED");
  assert.equal(await refusal("203.0.113.1, 192.0.2.1", "good"), "AUTH_RATE_LIMITED");
  assert.equal(await refusal("192.0.2.2", "good"), "in");
});

test("twenty thousand sessions of one address are a few, and a good client comes in all the while", async (t) => {
  const limits = "trustedProxies: [127.0.0.0/8]\nhandshakesPerIp: {count: 1, perMs: 60000, burst: 40}\nmaxPendingConnections: 500";
  const server = await startServer(t, config(limits));
  const before = server.rss();
  const statuses = new Map();
  const flood = async () => {
    const get = `GET ${POLLING} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\n`;
    const many = `${get}\r\n`.repeat(999) + `${get}connection: close\r\n\r\n`;
    for (const [, status] of (await say(t, server, many)).matchAll(/HTTP\/1\.1 (\d+)/g)) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const floods = (async () => {
    for (let i = 0; i < 20; i++) await flood();
  })();
  for (let i = 0; i < 20; i++) {
    const good = await connect(t, server.url(), "/feed", forwardedFor(`198.51.100.${i}`));
    await subscribe(good, "tick");
  }
  await floods;
  assert.deepEqual([...statuses].sort(), [["200", 40], ["429", 19_960]]);
  await refused(server, "handshake_rate", 19_960);
  assert.ok(server.rss() - before < 30 * 2 ** 20, `grew by ${server.rss() - before} bytes`);
});

test("sessions that join nothing are so many, and those who join are let in", async (t) => {
  const server = await startServer(t, config("maxPendingConnections: 3"));
  const idle = [];
  for (let i = 0; i < 3; i++) {
    const client = new RawClient(server.url());
    defer(t, () => client.socket.terminate());
    await client.next((packet) => packet.startsWith("0"));
    idle.push(client);
  }
  const { status } = await server.get("feed", POLLING);
  assert.equal(status, 503);
  await refused(server, "pending", 1);
  idle[0].send("40/feed,");
  await idle[0].next((packet) => packet.startsWith("40/feed,"));
  for (let i = 0; i < 5; i++) await connect(t, server.url(), "/feed");
});

test("a client that floods is told so, its wishes do not happen, and others hear the same as ever", async (t) => {
  const server = await startServer(t, config("inboundRate: {messages: 50, perMs: 3600000, events: {subscribe: {messages: 20}}}"));
  const reader = await connect(t, server.url(), "/feed");
  await subscribe(reader, "tick");
  const heard = collect(reader, "tick");
  const flooder = await connectRaw(t, server.url(), "/feed");
  for (let i = 0; i < 1000; i++) flooder.emit("publish", { topic: "tick", payload: i });
  const told = () => flooder.packets.filter((packet) => packet.includes('"RATE_LIMITED"')).length;
  await until("all are answered", () => told() === 950);
  await until("what was let in is heard", () => heard.length === 50);
  await refused(server, "rate", 950);
  // Its subscriptions have a rate of their own, and its connection lives.
  for (let i = 0; i < 20; i++) await flooder.subscribe("tick");
  flooder.emit("subscribe", { topic: "tick" });
  await until("the next is refused", () => told() === 951);
  await server.publish("/feed", "tick", "after");
  await until("others hear", () => heard.payloads.at(-1) === "after");
  assert.equal(heard.length, 51);
});

test("acks are never counted", async (t) => {
  const server = await startServer(t, config("inboundRate: {messages: 1, perMs: 3600000, maxRefusedPerMinute: 1}"));
  const socket = await connect(t, server.url(), "/alerts");
  socket.on("alert", (_, { topic, messageId }) => socket.emit("ack", { topic, messageId }));
  await subscribe(socket, "alert");
  for (let i = 0; i < 500; i++) await server.publish("/alerts", "alert", i);
  await server.metricIs("streamfence_messages_delivered_total", { topic: "alert" }, 500);
  await refused(server, "rate", 0);
  assert.ok(socket.connected);
});

test("whoever does not stop is cut where the file says so", async (t) => {
  const server = await startServer(t, config("inboundRate: {messages: 1, perMs: 3600000, maxRefusedPerMinute: 10}"));
  const flooder = await connectRaw(t, server.url(), "/feed");
  for (let i = 0; i < 50; i++) flooder.emit("subscribe", { topic: "tick" });
  await within("it is cut", flooder.closed);
  await server.metricIs("streamfence_disconnections_total", { reason: "rate_limited" }, 1);
});

test("another rate holds at once for those that are connected", async (t) => {
  const server = await startServer(t, config("maxConnections: 100"));
  const client = await connectRaw(t, server.url(), "/feed");
  for (let i = 0; i < 30; i++) await client.subscribe("tick");
  assert.equal(await server.reload(config("maxConnections: 100\ninboundRate: {messages: 1, perMs: 3600000}")), "reloaded");
  await client.subscribe("tick");
  client.emit("subscribe", { topic: "tick" });
  await client.next((packet) => packet.includes('"RATE_LIMITED"'));
});

test("a proxy says by its own protocol whom it speaks for, and must", async (t) => {
  const server = await startServer(t, config("maxConnectionsPerIp: 1\ntrustedProxies: [127.0.0.1]\nproxyProtocol: true"));
  const get = `GET ${POLLING} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
  const from = (address) => `PROXY TCP4 ${address} 127.0.0.1 4711 443\r\n${get}`;
  assert.match(await say(t, server, from("192.0.2.1")), /^HTTP\/1\.1 200 /);
  assert.match(await say(t, server, from("192.0.2.1")), /^HTTP\/1\.1 429 /);
  assert.match(await say(t, server, from("192.0.2.2")), /^HTTP\/1\.1 200 /);
  const v2 = Buffer.from("0d0a0d0a000d0a515549540a2111000cc0000203" + "7f000001" + "10001000", "hex");
  assert.match(await say(t, server, Buffer.concat([v2, Buffer.from(get)])), /^HTTP\/1\.1 200 /);
  assert.equal(await say(t, server, get), "");
  await refused(server, "proxy_header", 1);
});

test("a page that is not on the list is refused, by polling and by websocket, whatever it looks like", async (t) => {
  const server = await startServer(t, config("allowedOrigins: [https://example.com]"));
  const origins = ["https://evil.example", "https://evil-example.com", "https://example.com.evil.example", "http://example.com", "null"];
  for (const origin of origins) {
    for (const transport of ["polling", "websocket"]) {
      const attempt = connect(t, server.url(), "/feed", { transports: [transport], extraHeaders: { origin } });
      await assert.rejects(attempt, `${origin} by ${transport}`);
    }
  }
  await refused(server, "origin", 2 * origins.length);
  for (const transport of ["polling", "websocket"]) {
    await connect(t, server.url(), "/feed", { transports: [transport], extraHeaders: { origin: "https://example.com" } });
  }
});

test("what nests too deep, has too many attachments or too long a name costs its sender alone", async (t) => {
  const server = await startServer(t, config("maxConnections: 100"));
  const reader = await connect(t, server.url(), "/feed");
  await subscribe(reader, "tick");
  const before = server.rss();
  const client = await connectRaw(t, server.url(), "/feed");
  const nested = "[".repeat(30_000) + "]".repeat(30_000);
  client.send(`42/feed,["publish",{"topic":"tick","payload":${nested}}]`);
  await client.next((packet) => packet.includes('"BAD_REQUEST"'));
  await refused(server, "too_deep", 1);
  client.emit("x".repeat(60_000), {});
  client.emit("subscribe", { topic: "y".repeat(60_000) });
  await client.next((packet) => packet.includes('"UNKNOWN_TOPIC"'));
  const series = (await server.metrics()).length;
  for (let i = 0; i < 10_000; i++) client.emit("subscribe", { topic: `none-${i}` });
  await until("all are answered", () => client.packets.filter((packet) => packet.includes('"UNKNOWN_TOPIC"')).length === 10_001);
  assert.equal((await server.metrics()).length, series, "no series for what a client says");
  client.send('451000000000-/feed,["publish",{"topic":"tick","payload":{"_placeholder":true,"num":0}}]');
  await within("it is cut", client.closed);
  assert.ok(server.rss() - before < 16 * 2 ** 20, `grew by ${server.rss() - before} bytes`);
  const heard = next(reader, "tick");
  await server.publish("/feed", "tick", 1);
  await heard;
});

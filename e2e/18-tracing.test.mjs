// The trace of a publish: what a client is told of it, and what an OpenTelemetry collector gets of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import test from "node:test";

import { collect, connect, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { until } from "./lib/wait.mjs";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const PARENT = `00-${TRACE}-${CALLER}-01`;

const config = (tracing) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 500
    namespaces:
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 3
        ackTimeoutMs: 30000
        maxInFlight: 16
      - path: /feed
        topics: [tick]
        metadata: always
        overflowAction: DROP_OLDEST
      - path: /bare
        topics: [tick]
${tracing}
`;

/** A collector of OTLP over HTTP with JSON: `{url, spans, requests}`. `answer` ends a request, or does not. */
async function collector(t, answer = (response) => response.writeHead(200, { "content-type": "application/json" }).end("{}")) {
  const spans = [];
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    requests.push({ url: request.url, headers: request.headers, body });
    const isJson = request.headers["content-type"] === "application/json";
    const { resourceSpans } = isJson ? JSON.parse(body) : { resourceSpans: [] };
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push({ ...span, resource, is: attributes(span) });
    }
    answer(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  defer(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, spans, requests };
}

const attributes = ({ attributes: pairs = [] }) =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));

const tracing = (url, more = "") =>
  `tracing: {endpoint: "${url}", protocol: http/json, headers: {authorization: Bearer secret-of-traces}${more}}`;

/** Publishes with headers of a trace. */
async function publish(server, headers, message) {
  const response = await fetch(`http://${server.address("admin")}/v1/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(message),
  });
  const body = await response.json();
  assert.equal(response.status, 202, JSON.stringify(body));
  return body;
}

test("a publish with a traceparent is a span under it, and each delivery one under that", async (t) => {
  const otel = await collector(t);
  const server = await startServer(t, config(tracing(otel.url)));
  const socket = await connect(t, server.url(), "/alerts");
  const { clientId } = await subscribe(socket, "alert");
  const alerts = collect(socket, "alert");

  await publish(server, {}, { namespace: "/alerts", topic: "alert", payload: "untraced" });
  const [[, untraced]] = await alerts.count(1);
  assert.ok(!("traceparent" in untraced), "nobody said anything of a trace");
  const report = await publish(server, { traceparent: PARENT, tracestate: "vendor=1" }, {
    namespace: "/alerts",
    topic: "alert",
    payload: "secret-of-the-payload",
  });
  const [, [, metadata]] = await alerts.count(2);
  const [, trace, span, flags] = /^00-(\w{32})-(\w{16})-(\w\w)$/.exec(metadata.traceparent);
  assert.deepEqual([trace, flags, metadata.tracestate], [TRACE, "01", "vendor=1"]);
  assert.notEqual(span, CALLER, "it is in the span of its publish");
  socket.emit("ack", { topic: "alert", upTo: metadata.messageId });

  await until("two spans", () => otel.spans.length >= 2);
  const [request] = otel.requests;
  assert.equal(request.url, "/v1/traces");
  assert.equal(request.headers.authorization, "Bearer secret-of-traces");
  const published = otel.spans.find(({ name }) => name === "streamfence publish");
  assert.deepEqual([published.traceId, published.spanId, published.parentSpanId], [TRACE, span, CALLER]);
  assert.equal(published.is["streamfence.admitted"], 1);
  const delivered = otel.spans.find(({ name }) => name === "streamfence deliver");
  assert.deepEqual([delivered.traceId, delivered.parentSpanId], [TRACE, span]);
  assert.deepEqual(delivered.events.map(({ name }) => name), ["sent", "acked"]);
  assert.equal(delivered.is["messaging.client.id"], clientId);
  assert.equal(delivered.is["streamfence.outcome"], "acked");
  for (const { is, resource } of [published, delivered]) {
    assert.deepEqual(
      [is["messaging.system"], is["messaging.destination.name"], is["streamfence.namespace"], is["messaging.message.id"]],
      ["streamfence", "alert", "/alerts", report.id],
    );
    assert.equal(attributes(resource)["service.name"], "streamfence");
  }
  assert.ok(BigInt(published.startTimeUnixNano) <= BigInt(delivered.endTimeUnixNano));
  assert.equal(otel.spans.length, 2, "nothing is told of what is not sampled");
  await server.metricIs("streamfence_trace_spans_total", { outcome: "exported" }, 2);
  const said = JSON.stringify(otel.spans) + server.log.join("\n");
  assert.ok(!said.includes("secret-of"), "neither payloads nor tokens are told");
});

test("a trace that is not sampled is passed on as it is, and told nobody", async (t) => {
  const otel = await collector(t);
  const server = await startServer(t, config(tracing(otel.url, ", sampleRatio: 1")));
  const socket = await connect(t, server.url(), "/feed");
  await subscribe(socket, "tick");
  const ticks = collect(socket, "tick");
  const unsampled = PARENT.replace(/01$/, "00");
  await publish(server, { traceparent: unsampled }, { namespace: "/feed", topic: "tick", payload: 1 });
  assert.equal((await ticks.count(1))[0][1].traceparent, unsampled);
  // What says nothing of a trace has one of its own where `sampleRatio` wants it.
  await server.publish("/feed", "tick", 2);
  const [, [, { traceparent }]] = await ticks.count(2);
  assert.match(traceparent, /^00-\w{32}-\w{16}-01$/);
  await until("two spans", () => otel.spans.length >= 2);
  assert.deepEqual([...new Set(otel.spans.map(({ traceId }) => traceId))], [traceparent.split("-")[1]]);
  assert.equal(otel.spans.find(({ name }) => name === "streamfence deliver").is["streamfence.outcome"], "sent");
});

test("without `tracing` a trace is passed on where there is metadata", async (t) => {
  const server = await startServer(t, config(""));
  for (const [namespace, wanted] of [["/feed", PARENT], ["/bare", undefined]]) {
    const socket = await connect(t, server.url(), namespace);
    await subscribe(socket, "tick");
    const ticks = collect(socket, "tick");
    await publish(server, {}, { namespace, topic: "tick", payload: 1, traceparent: PARENT });
    const [[, metadata]] = await ticks.count(1);
    assert.equal(metadata?.traceparent, wanted, namespace);
  }
});

test("what the file does not say is taken from the environment, and spans are protocol buffers", async (t) => {
  const otel = await collector(t, (response) => response.writeHead(200).end());
  const said = { OTEL_EXPORTER_OTLP_ENDPOINT: otel.url, OTEL_SERVICE_NAME: "named-outside" };
  Object.assign(process.env, said);
  defer(t, () => Object.keys(said).forEach((name) => delete process.env[name]));
  const server = await startServer(t, config("tracing: {}"));
  await publish(server, { traceparent: PARENT }, { namespace: "/feed", topic: "tick", payload: 1 });
  await server.metricIs("streamfence_trace_spans_total", { outcome: "exported" }, 1);
  const [{ url, headers, body }] = otel.requests;
  assert.deepEqual([url, headers["content-type"]], ["/v1/traces", "application/x-protobuf"]);
  for (const part of [Buffer.from(TRACE, "hex"), Buffer.from(CALLER, "hex"), "streamfence publish", "named-outside"]) {
    assert.ok(body.includes(part), `${part}`);
  }
});

test("what is left is handed over when the server stops", async (t) => {
  const otel = await collector(t);
  const server = await startServer(t, config(tracing(otel.url)));
  await publish(server, { traceparent: PARENT }, { namespace: "/feed", topic: "tick", payload: 1 });
  await server.stop();
  assert.deepEqual(otel.spans.map(({ name }) => name), ["streamfence publish"]);
});

for (const [how, answer] of [
  ["hangs", () => {}],
  ["says no", (response) => response.writeHead(400).end()],
]) {
  test(`a collector that ${how} holds nobody up, and what it costs is counted`, async (t) => {
    const otel = await collector(t, answer);
    const server = await startServer(t, config(tracing(otel.url, ", timeoutMs: 300, sampleRatio: 1")));
    const socket = await connect(t, server.url(), "/alerts");
    await subscribe(socket, "alert");
    let heard = 0;
    socket.on("alert", (_, { messageId }) => {
      heard += 1;
      socket.emit("ack", { topic: "alert", messageId });
    });
    await server.burst("/alerts", "alert", 50, (i) => i, 8);
    await until("all alerts", () => heard === 50);
    await server.metricIs("streamfence_trace_spans_total", { outcome: "dropped" }, (dropped) => dropped >= 100);
    assert.equal(await server.metric("streamfence_trace_spans_total", { outcome: "exported" }), 0);
    const told = server.log.filter((line) => line.includes("traces_not_exported"));
    assert.equal(told.length, 1, "told once, however much is dropped");
  });
}

test("a collector that is not there is no reason not to serve", async (t) => {
  const server = await startServer(t, config(tracing("http://127.0.0.1:9", ", sampleRatio: 1, timeoutMs: 200")));
  const { matched } = await server.publish("/feed", "tick", 1);
  assert.equal(matched, 0);
  await server.metricIs("streamfence_trace_spans_total", { outcome: "dropped" }, 1);
});

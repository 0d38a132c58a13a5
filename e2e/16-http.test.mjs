// Publishing over HTTP with keys, as a backend does it: with curl, and with Node's own client for what goes on for a while.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import test from "node:test";
import { promisify } from "node:util";

import { collect, connect, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { within } from "./lib/wait.mjs";

const PUBLISH = "a-key-of-a-backend-that-publishes";
const READ = "a-key-of-somebody-who-looks";
const NEXT = "the-next-key-of-that-backend";

const config = (keys) => `
watch: false
admin:
  port: 0
  keys:
    backend: {keys: ${JSON.stringify(keys)}, scopes: [publish]}
    eyes: {keys: ["${READ}"], scopes: [read]}
servers:
  feed:
    host: 127.0.0.1
    port: 0
    namespaces:
      - {path: /feed, topics: [tick, photo]}
      - {path: /alerts, topics: [alert], deliveryMode: AT_LEAST_ONCE, maxRetries: 1, ackTimeoutMs: 60000, maxInFlight: 4, maxQueuedMessagesPerClient: 4}
`;

const JSON_TYPE = "content-type: application/json";

/** curl, with a key: the status, the headers and the body. */
async function curl(server, path, { key = PUBLISH, headers = [], data, method } = {}) {
  const given = [...(key ? [`authorization: Bearer ${key}`] : []), ...headers].flatMap((header) => ["-H", header]);
  const body = data === undefined ? [] : ["--data-binary", data];
  const verb = method ? ["-X", method] : [];
  const args = ["-sS", "-i", "-m", "30", ...verb, ...given, ...body, `http://${server.address("admin")}${path}`];
  const { stdout } = await promisify(execFile)("curl", args, { maxBuffer: 1 << 24 });
  const [head, ...rest] = stdout.split("\r\n\r\n");
  const [line, ...fields] = head.split("\r\n");
  const text = rest.join("\r\n\r\n");
  return { status: Number(line.split(" ")[1]), headers: fields, text, body: parsed(text) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const publish = (server, message, options = {}) =>
  curl(server, "/v1/publish", { ...options, headers: [JSON_TYPE, ...(options.headers ?? [])], data: JSON.stringify(message) });

async function enter(t, server, namespace, topic) {
  const socket = await connect(t, server.url(), namespace);
  const got = collect(socket, topic);
  const { clientId } = await subscribe(socket, topic);
  return { socket, got, id: clientId };
}

test("a key opens what it is for, is exchanged while the server runs, and stands in no log", async (t) => {
  const server = await startServer(t, config([PUBLISH]));
  const message = { namespace: "/feed", topic: "tick", payload: 1 };
  const status = async (key) => (await publish(server, message, { key })).status;
  assert.deepEqual([await status(PUBLISH), await status(READ), await status("wrong"), await status("")], [202, 403, 401, 401]);
  const refused = await publish(server, message, { key: "" });
  assert.ok(refused.headers.includes("www-authenticate: Bearer"), refused.headers.join());
  assert.ok(refused.headers.includes("content-type: application/problem+json"));
  assert.equal(refused.body.code, "UNAUTHORIZED");
  assert.equal((await curl(server, "/metrics", { key: READ })).status, 200);
  assert.equal((await curl(server, "/metrics")).status, 403);
  const { body: document } = await curl(server, "/openapi.json", { key: "" });
  assert.equal(document.openapi, "3.1.0");

  assert.equal(await server.reload(config([PUBLISH, NEXT])), "reloaded");
  assert.deepEqual([await status(PUBLISH), await status(NEXT)], [202, 202]);
  assert.equal(await server.reload(config([NEXT])), "reloaded");
  assert.deepEqual([await status(PUBLISH), await status(NEXT)], [401, 202]);
  const log = server.log.join("\n");
  for (const key of [PUBLISH, READ, NEXT]) assert.ok(!log.includes(key), "no key is logged");
});

test("batches, raw bodies and names of requests reach clients as they should", async (t) => {
  const server = await startServer(t, config([PUBLISH]));
  const ticks = await enter(t, server, "/feed", "tick");
  const photos = await enter(t, server, "/feed", "photo");
  const tick = (payload, more = {}) => ({ namespace: "/feed", topic: "tick", payload, ...more });

  const messages = [tick("one"), { topic: "tick" }, tick("two", { id: "once" }), tick("two", { id: "once" }), tick("three")];
  const batch = await curl(server, "/v1/publish/batch", { headers: [JSON_TYPE], data: JSON.stringify({ messages }) });
  assert.deepEqual(batch.body.results.map(({ status }) => status), [202, 400, 202, 202, 202]);
  assert.equal(batch.body.results[2].id, batch.body.results[3].id);

  const raw = "/v1/namespaces/feed/topics/photo/messages";
  assert.equal((await curl(server, raw, { headers: ["content-type: image/png"], data: "bytes" })).status, 202);
  assert.equal((await curl(server, `${raw}?to=${photos.id}`, { headers: [JSON_TYPE], data: '{"n":1}' })).status, 202);
  await photos.got.satisfies("both", (items) => items.length === 2);
  assert.deepEqual(photos.got.payloads.map((payload) => (Buffer.isBuffer(payload) ? payload.toString() : payload)), ["bytes", { n: 1 }]);

  const named = { headers: ["idempotency-key: 7"] };
  const first = await publish(server, tick("four"), named);
  const second = await publish(server, tick("four"), named);
  assert.deepEqual([first.status, second.status, second.text], [202, 202, first.text]);
  assert.ok(second.headers.includes("idempotency-replayed: true") && !first.headers.includes("idempotency-replayed: true"));
  assert.equal((await publish(server, tick("five"), named)).body.code, "IDEMPOTENCY_CONFLICT");

  await publish(server, tick("end"));
  await ticks.got.satisfies("the end", (items) => items.at(-1)?.[0] === "end");
  assert.deepEqual(ticks.got.payloads, ["one", "two", "three", "four", "end"], "each once");
});

test("a stream answers each line while the next is unwritten, and ends with its key", async (t) => {
  const server = await startServer(t, config([PUBLISH]));
  const { got } = await enter(t, server, "/feed", "tick");
  const [host, port] = server.address("admin").split(":");
  const headers = { "content-type": "application/x-ndjson", authorization: `Bearer ${PUBLISH}` };
  const request = http.request({ host, port, path: "/v1/publish/stream", method: "POST", headers });
  defer(t, () => request.destroy());
  const lines = [];
  let wake = () => {};
  let over = false;
  const answers = new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      assert.equal(response.statusCode, 200);
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
        const whole = text.split("\n");
        text = whole.pop();
        lines.push(...whole.map((line) => JSON.parse(line)));
        wake();
      });
      response.on("end", () => {
        over = true;
        wake();
        resolve();
      });
    });
  });
  const heard = (what, holds) =>
    within(what, new Promise((resolve) => {
      wake = () => holds() && resolve();
      wake();
    }));
  const say = (payload) => request.write(`${JSON.stringify({ namespace: "/feed", topic: "tick", payload })}\n`);

  for (let n = 1; n <= 3; n++) {
    say(n);
    await heard(`answer ${n}`, () => lines.length === n);
    assert.deepEqual([lines[n - 1].status, lines[n - 1].admitted], [202, 1]);
  }
  request.write("not json\n");
  await heard("a problem", () => lines.length === 4);
  assert.equal(lines[3].code, "BAD_REQUEST");
  await got.satisfies("all three", (items) => items.length === 3);
  assert.equal(await server.reload(config([NEXT])), "reloaded");
  say(4);
  await heard("the end", () => over);
  assert.deepEqual([lines.length, lines[4].code], [5, "UNAUTHORIZED"]);
  await answers;
  assert.deepEqual(got.payloads, [1, 2, 3]);
});

test("a publish can wait until clients have acked, and fail where lanes are full", async (t) => {
  const server = await startServer(t, config([PUBLISH]));
  const acking = await enter(t, server, "/alerts", "alert");
  const silent = await enter(t, server, "/alerts", "alert");
  acking.socket.on("alert", (_, { topic, messageId }) => acking.socket.emit("ack", { topic, messageId }));
  const alert = (wait, more = {}) => ({ namespace: "/alerts", topic: "alert", payload: 1, wait, ...more });

  const one = await publish(server, alert({ for: "acked", count: 1, timeoutMs: 30000 }));
  assert.deepEqual([one.status, one.body.acked], [200, { wanted: 1, count: 1, clients: [acking.id], timedOut: false }]);
  const late = await publish(server, alert({ for: "acked", timeoutMs: 50 }));
  assert.deepEqual([late.status, late.body.acked.wanted, late.body.acked.timedOut], [200, 2, true]);

  const all = publish(server, alert({ for: "acked", count: "all", timeoutMs: 30000 }));
  await silent.got.satisfies("three", (items) => items.length === 3);
  silent.socket.disconnect();
  const { acked } = (await all).body;
  assert.deepEqual([acked.wanted, acked.clients, acked.timedOut], [2, [acking.id], false], "who is gone is waited for no more");

  const stuck = await enter(t, server, "/alerts", "alert");
  for (let n = 0; n < 4; n++) assert.equal((await publish(server, alert(undefined, { to: stuck.id }))).body.admitted, 1);
  const full = await publish(server, alert(undefined, { onFull: "fail" }));
  assert.deepEqual([full.status, full.body.code, full.body.report.admitted, full.body.report.rejected], [429, "QUEUE_FULL", 1, 1]);
  assert.ok(full.headers.includes("retry-after: 1"), full.headers.join());
  await stuck.got.satisfies("its four", (items) => items.length === 4);
  await acking.got.satisfies("all that were for it", (items) => items.length === 4);
});

// Tokens: who comes in, who may do what, how a token ends, and that none is ever shown.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import test from "node:test";

import { collect, connect, next, open, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { within } from "./lib/wait.mjs";

const TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]];
const SOON_GONE_MS = 5_000;

/** Names, each with a token that stands nowhere else. */
const tokensOf = (...names) => Object.fromEntries(names.map((name) => [name, `${name}-${crypto.randomUUID()}`]));

const yaml = (staticTokens, more = {}) => `
log: { level: trace }
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 1000
    auth: TOKEN
    staticTokens: ${JSON.stringify(staticTokens)}
${Object.entries(more).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}\n`).join("")}\
    namespaces:
      - path: /feed
        topics: [tick, { name: open, authRequired: false }]
        authRequired: true
        clientPublish: relay
      - path: /alerts
        topics: [alert]
        authRequired: true
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 1
        maxInFlight: 4
        sessionRetentionMs: 60000
      - path: /hall
        topics: [tick]
`;

/** The same with other sources of tokens. */
const yamlWith = (sources, more = {}) => yaml({}, { ...sources, ...more }).replace("    staticTokens: {}\n", "");

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A JSON Web Token, signed with an Ed25519 key. */
function sign(key, claims, header = {}) {
  const head = `${base64url({ alg: "EdDSA", typ: "JWT", ...header })}.${base64url(claims)}`;
  return `${head}.${crypto.sign(null, Buffer.from(head), key).toString("base64url")}`;
}

const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

const digest = (token) => `sha256:${crypto.createHash("sha256").update(token).digest("hex")}`;

/** Starts a server, and fails the test if any of these was shown in its log or in its metrics. */
async function serve(t, config, tokens, files = {}) {
  const server = await startServer(t, config, { files });
  defer(t, async () => {
    const { text } = await server.get("admin", "/metrics");
    for (const [what, said] of [["the log", server.log.join("\n")], ["/metrics", text]]) {
      for (const token of tokens) assert.ok(!said.includes(token), `a token stands in ${what}`);
    }
  });
  return server;
}

/** How a socket that is refused is told so. */
async function refusal(t, url, namespace, options) {
  const socket = open(t, url, namespace, options);
  const [error] = await next(socket, "connect_error");
  return error.message;
}

const codeOf = (answer) => (answer.ok ? "OK" : answer.code);

for (const transports of TRANSPORTS) {
  const by = transports.join(" to ");

  test(`by ${by}: a token opens the door from each of its places, and a wrong one does not`, async (t) => {
    const { ann, tom, wrong } = tokensOf("ann", "tom", "wrong");
    const server = await serve(t, yaml({ ann, tom: digest(tom) }, { tokenQuery: true }), [ann, tom, wrong]);
    const url = server.url();
    const places = (token) => [
      { auth: { token } },
      { extraHeaders: { authorization: `Bearer ${token}` } },
      { query: { token } },
    ];
    for (const token of [ann, tom]) {
      for (const place of places(token)) {
        const socket = await connect(t, url, "/feed", { transports, ...place });
        await subscribe(socket, "tick");
      }
    }
    const { matched } = await server.publish("/feed", "tick", 1);
    assert.equal(matched, 6);
    for (const place of places(wrong)) {
      assert.equal(await refusal(t, url, "/feed", { transports, ...place }), "AUTH_REJECTED", JSON.stringify(place));
      assert.equal(await refusal(t, url, "/hall", { transports, ...place }), "AUTH_REJECTED");
    }
    const first = { auth: { token: ann }, query: { token: wrong } };
    await connect(t, url, "/feed", { transports, ...first });
    await server.metricIs("streamfence_auth_rejected_total", { namespace: "/feed" }, 3);
    await server.metricIs("streamfence_auth_rejected_total", { namespace: "/hall" }, 3);
    await server.metricIs("streamfence_auth_rate_limited_total", {}, 0);
    const said = server.log.map((line) => JSON.parse(line)).filter((line) => line.code === "auth_rejected");
    assert.equal(said.length, 6);
    const { namespace, address, reason } = said[0];
    assert.deepEqual([namespace, address, reason], ["/feed", "127.0.0.1", "the token is none of those known"]);
  });

  test(`by ${by}: nobody may come in and do nothing, until a token says who it is`, async (t) => {
    const { ann, wrong } = tokensOf("ann", "wrong");
    const server = await serve(t, yaml({ ann }), [ann, wrong]);
    const socket = await connect(t, server.url(), "/feed", { transports });
    const ask = async (event, wish) => codeOf(await socket.emitWithAck(event, wish));
    assert.equal(await ask("subscribe", { topic: "tick" }), "AUTH_REJECTED");
    assert.equal(await ask("publish", { topic: "tick", payload: 1 }), "AUTH_REJECTED");
    assert.equal(await ask("subscribe", { topic: "open" }), "OK");
    assert.equal(await ask("subscribe", { topic: "tick", token: wrong }), "AUTH_REJECTED");
    assert.equal(await ask("authenticate", { token: wrong }), "AUTH_REJECTED");
    assert.equal(await ask("authenticate", wrong), "BAD_REQUEST");
    const ticks = collect(socket, "tick");
    const told = next(socket, "authenticated");
    assert.deepEqual(await socket.emitWithAck("authenticate", { token: ann }), { ok: true, principal: "ann" });
    assert.deepEqual(await told, [{ principal: "ann" }]);
    assert.equal(await ask("subscribe", { topic: "tick" }), "OK");
    assert.equal(await ask("publish", { topic: "tick", payload: "by ann" }), "OK");
    await ticks.count(1);
    assert.deepEqual(ticks.payloads, ["by ann"]);

    const wishing = await connect(t, server.url(), "/feed", { transports });
    const known = next(wishing, "authenticated");
    const { clientId } = await subscribe(wishing, "tick", { token: ann });
    assert.deepEqual(await known, [{ principal: "ann" }]);
    assert.equal((await server.publish("/feed", "tick", "for you", { to: [clientId] })).matched, 1);
    assert.deepEqual(await wishing.emitWithAck("publish", { topic: "tick", payload: 2 }), { ok: true });
  });

  test(`by ${by}: whoever does not say who it is in time must leave`, async (t) => {
    const { ann } = tokensOf("ann");
    const server = await serve(t, yaml({ ann }, { authTimeoutMs: 1000 }), [ann]);
    const known = await connect(t, server.url(), "/feed", { transports, auth: { token: ann } });
    const inTheHall = await connect(t, server.url(), "/hall", { transports });
    const nobody = await connect(t, server.url(), "/feed", { transports });
    const [why, gone] = [next(nobody, "error"), next(nobody, "disconnect")];
    assert.equal((await why)[0].code, "AUTH_REJECTED");
    assert.equal((await gone)[0], "io server disconnect");
    await subscribe(known, "tick");
    await subscribe(inTheHall, "tick");
    await server.metricIs("streamfence_disconnections_total", { namespace: "/feed", reason: "auth_rejected" }, 1);
    await server.metricIs("streamfence_auth_rejected_total", { namespace: "/feed" }, 1);
  });

  test(`by ${by}: a token that a reload takes away ends its sessions, and those that wait, and no others`, async (t) => {
    const { ann, new_, tom } = tokensOf("ann", "new_", "tom");
    const server = await serve(t, yaml({ ann, tom }), [ann, new_, tom]);
    const url = server.url();
    const as = (token, namespace, auth = {}) => connect(t, url, namespace, { transports, auth: { token, ...auth } });
    const anns = [await as(ann, "/feed"), await as(ann, "/hall")];
    const toms = await as(tom, "/feed");
    const ticks = collect(toms, "tick");
    await subscribe(toms, "tick");
    const away = open(t, url, "/alerts", { transports, auth: { token: ann, session: true } });
    const [ticket] = await next(away, "session");
    await subscribe(away, "alert");
    away.io.engine.close();

    const began = performance.now();
    const ends = anns.map((socket) => Promise.all([next(socket, "error"), next(socket, "disconnect")]));
    assert.equal(await server.reload(yaml({ ann: new_, tom })), "reloaded");
    for (const [[{ code }], [reason]] of await within("they are gone", Promise.all(ends))) {
      assert.deepEqual([code, reason], ["AUTH_REJECTED", "io server disconnect"]);
    }
    assert.ok(performance.now() - began < SOON_GONE_MS, `it took ${performance.now() - began} ms`);
    await server.publish("/feed", "tick", "tom is still here");
    await ticks.count(1);

    const session = { id: ticket.id, secret: ticket.secret };
    assert.equal(await refusal(t, url, "/alerts", { transports, auth: { token: ann, session } }), "AUTH_REJECTED");
    for (const auth of [{ session }, { token: tom, session }]) {
      const thief = open(t, url, "/alerts", { transports, auth });
      assert.equal((await next(thief, "session"))[0].resumed, false, "a secret alone opens no session of somebody's");
    }
    const back = open(t, url, "/alerts", { transports, auth: { token: new_, session } });
    assert.deepEqual((await next(back, "session"))[0].topics, ["alert"]);
  });
}

test("a signed token is good for what it says, until it expires or its key is another one", async (t) => {
  const [old, new_] = [0, 1].map(() => crypto.generateKeyPairSync("ed25519"));
  const pem = ({ publicKey }) => publicKey.export({ type: "spki", format: "pem" });
  const claims = (more) => ({ sub: "ann", aud: "feed", exp: inSeconds(600), ...more });
  const streamfence = [{ namespace: "/feed", topics: ["t*"], actions: ["subscribe"] }];
  const tokens = {
    ann: sign(old.privateKey, claims({})),
    spectator: sign(old.privateKey, claims({ sub: "eve", streamfence })),
    short: sign(old.privateKey, claims({ exp: inSeconds(3) })),
    over: sign(old.privateKey, claims({ exp: inSeconds(-60) })),
    forever: sign(old.privateKey, claims({ exp: undefined })),
    elsewhere: sign(old.privateKey, claims({ aud: "other" })),
    foreign: sign(new_.privateKey, claims({})),
    none: `${base64url({ alg: "none" })}.${base64url(claims({}))}.`,
  };
  const jwt = { algorithm: "EdDSA", keyPath: "key.pem", audience: ["feed"], leewayMs: 0 };
  const config = yamlWith({ jwt }, { authFailures: { max: 1000 } });
  const server = await serve(t, config, Object.values(tokens), { "key.pem": pem(old) });
  const as = (token, namespace = "/feed") => connect(t, server.url(), namespace, { auth: { token } });
  for (const wrong of ["over", "forever", "elsewhere", "foreign", "none"]) {
    assert.equal(await refusal(t, server.url(), "/feed", { auth: { token: tokens[wrong] } }), "AUTH_REJECTED", wrong);
  }
  const short = await as(tokens.short);
  const ended = Promise.all([next(short, "error"), next(short, "disconnect")]);

  const eve = await as(tokens.spectator);
  assert.equal(await refusal(t, server.url(), "/alerts", { auth: { token: tokens.spectator } }), "AUTH_REJECTED");
  const ask = async (event, wish) => codeOf(await eve.emitWithAck(event, wish));
  assert.equal(await ask("subscribe", { topic: "tick" }), "OK");
  assert.equal(await ask("publish", { topic: "tick", payload: 1 }), "AUTH_REJECTED");

  const ann = await as(tokens.ann);
  assert.deepEqual(await ann.emitWithAck("publish", { topic: "tick", payload: 1 }), { ok: true });
  assert.equal((await ended)[0][0].code, "AUTH_REJECTED", "its time is over");

  const gone = Promise.all([ann, eve].map((socket) => next(socket, "disconnect")));
  server.write("key.pem", "no key");
  await server.says("jwt_keys_refused");
  assert.equal(await server.reload(config), "reload_refused");
  assert.ok(ann.connected && eve.connected, "the old key holds");
  server.write("key.pem", pem(new_));
  await server.says("jwt_keys_reloaded");
  await within("the sessions of the old key end", gone, SOON_GONE_MS);
  await as(tokens.foreign);
});

test("somebody is asked over HTTP, and without an answer nobody comes in", async (t) => {
  const { ann, wrong } = tokensOf("ann", "wrong");
  const asked = [];
  let status = 200;
  const hook = http.createServer(async (request, response) => {
    const wish = JSON.parse(Buffer.concat(await request.toArray()).toString());
    asked.push(`${wish.action} ${wish.namespace} ${wish.topic}`);
    const allow = wish.token === ann && wish.action !== "publish";
    response.writeHead(status).end(JSON.stringify(allow ? { allow, principal: "ann" } : { allow: false, reason: "no" }));
  });
  await once(hook.listen(0, "127.0.0.1"), "listening");
  defer(t, () => hook.close().closeAllConnections());
  const authHook = { url: `http://127.0.0.1:${hook.address().port}/authorize`, cacheMs: 0 };
  const server = await serve(t, yamlWith({ authHook }), [ann, wrong]);
  const options = (token) => ({ auth: { token } });
  assert.equal(await refusal(t, server.url(), "/feed", options(wrong)), "AUTH_REJECTED");
  const socket = await connect(t, server.url(), "/feed", options(ann));
  const ask = async (event, wish) => codeOf(await socket.emitWithAck(event, wish));
  assert.equal(await ask("subscribe", { topic: "tick" }), "OK");
  assert.equal(await ask("publish", { topic: "tick", payload: 1 }), "AUTH_REJECTED");
  const wishes = ["connect /feed null", "connect /feed null", "subscribe /feed tick", "publish /feed tick"];
  assert.deepEqual(asked, wishes);
  status = 500;
  assert.equal(await refusal(t, server.url(), "/feed", options(ann)), "AUTH_REJECTED");
  assert.equal(await ask("subscribe", { topic: "tick" }), "AUTH_REJECTED");
  assert.ok(socket.connected, "who is in stays");
});

for (const transports of TRANSPORTS) {
  test(`by ${transports.join(" to ")}: whom the hook revokes must leave without a wish, and what it takes away ends`, async (t) => {
    const tokens = tokensOf("ann", "bob");
    const refused = new Set();
    let isAway = false;
    const hook = http.createServer(async (request, response) => {
      const wish = JSON.parse(Buffer.concat(await request.toArray()).toString());
      const principal = Object.keys(tokens).find((name) => tokens[name] === wish.token);
      const allow = !refused.has(principal) && !refused.has(`${principal} ${wish.topic}`);
      response.writeHead(isAway ? 503 : 200).end(JSON.stringify(allow ? { allow, principal } : { allow }));
    });
    await once(hook.listen(0, "127.0.0.1"), "listening");
    defer(t, () => hook.close().closeAllConnections());
    const authHook = { url: `http://127.0.0.1:${hook.address().port}/authorize`, cacheMs: 0, recheckMs: 1000 };
    const server = await serve(t, yamlWith({ authHook }), Object.values(tokens));
    const come = (name) => connect(t, server.url(), "/feed", { auth: { token: tokens[name] }, transports });
    const [ann, bob] = [await come("ann"), await come("bob")];
    for (const socket of [ann, bob]) await subscribe(socket, "tick");
    const [gone, over] = [next(ann, "disconnect"), next(bob, "unsubscribed")];
    refused.add("ann").add("bob tick");
    await within("the session of whom it revoked ends", gone, SOON_GONE_MS);
    const [{ topic, reason }] = await within("the subscription it takes away ends", over, SOON_GONE_MS);
    assert.deepEqual([topic, reason], ["tick", "auth_rejected"]);
    assert.ok(bob.connected, "who may be there stays");
    // Without an answer it stays for three times as long, and no longer.
    isAway = true;
    await within("nobody is believed for ever", next(bob, "disconnect"), SOON_GONE_MS * 2);
  });
}

test("too many wrong tokens from one address, and nobody looks at the next ones", async (t) => {
  const { ann, bob, wrong } = tokensOf("ann", "bob", "wrong");
  const limit = { authFailures: { max: 3, windowMs: 600_000 } };
  const server = await serve(t, yaml({ ann, bob }, limit), [ann, bob, wrong]);
  const known = await connect(t, server.url(), "/feed", { auth: { token: ann } });
  const nobody = await connect(t, server.url(), "/feed");
  for (let n = 0; n < 3; n++) assert.equal(await refusal(t, server.url(), "/feed", { auth: { token: wrong } }), "AUTH_REJECTED");
  for (const token of [wrong, bob]) {
    assert.equal(await refusal(t, server.url(), "/feed", { auth: { token } }), "AUTH_RATE_LIMITED");
    assert.equal(codeOf(await nobody.emitWithAck("authenticate", { token })), "AUTH_RATE_LIMITED");
  }
  await subscribe(known, "tick");
  await subscribe(await connect(t, server.url(), "/feed", { auth: { token: ann } }), "tick");
  await server.metricIs("streamfence_auth_rate_limited_total", { namespace: "/feed" }, 4);
  await server.metricIs("streamfence_auth_rejected_total", { namespace: "/feed" }, 3);
});

test("a token in the query is none where it may not stand there, and one elsewhere is none without auth", async (t) => {
  const { ann } = tokensOf("ann");
  const server = await serve(t, yaml({ ann }), [ann]);
  const socket = await connect(t, server.url(), "/feed", { query: { token: ann } });
  assert.equal(codeOf(await socket.emitWithAck("subscribe", { topic: "tick" })), "AUTH_REJECTED");
});

test("a reload may begin to ask for tokens, and gives everybody time to show one", async (t) => {
  const { ann } = tokensOf("ann");
  const asks = yaml({ ann }, { authTimeoutMs: 1000 });
  const asksNobody = asks.replace("auth: TOKEN", "auth: NONE").replaceAll("authRequired: true", "authRequired: false");
  const server = await serve(t, asksNobody, [ann]);
  const [anybody, other] = await Promise.all(["anything", ann].map((token) => connect(t, server.url(), "/feed", { auth: { token } })));
  await subscribe(anybody, "tick", { token: "anything else" });
  const ends = Promise.all([next(anybody, "error"), next(anybody, "disconnect")]);
  assert.equal(await server.reload(asks), "reloaded");
  assert.equal(codeOf(await other.emitWithAck("authenticate", { token: ann })), "OK");
  const [[{ code }], [reason]] = await ends;
  assert.deepEqual([code, reason], ["AUTH_REJECTED", "io server disconnect"]);
  await subscribe(other, "tick");
  assert.equal(await server.reload(asksNobody), "reloaded");
  const again = await connect(t, server.url(), "/feed", { auth: { token: "anything" } });
  await subscribe(again, "tick");
});

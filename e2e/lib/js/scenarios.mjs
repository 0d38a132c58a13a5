// What the JavaScript client does, as scenarios that are played in Node and in a browser against the real server.
//
// Each is called with a `Scene`. Nothing here may use what only one of the two has.
import { deferred, equal, ok, quiet, refused, until, within } from "./check.mjs";

/** The client under test, the stage (stage.mjs), and all that was made, to be closed at the end. */
export class Scene {
  #made = [];

  /** `lib` is the package; every method of `stage` may be asynchronous. */
  constructor(lib, stage, url) {
    Object.assign(this, { lib, stage, url });
  }

  /** A client of a namespace that comes back soon, with what it says of itself in `said`. */
  client(namespace, options = {}) {
    const { FenceClient } = this.lib;
    const client = new FenceClient(this.url + namespace, {
      backoff: { minMs: 20, maxMs: 200 },
      ...options,
      io: { transports: ["websocket"], ...options.io },
    });
    client.said = { connected: [], session: [], disconnected: [], authenticated: [], unsubscribed: [], gap: [], error: [] };
    for (const [event, said] of Object.entries(client.said)) client.on(event, (what) => said.push(what));
    this.#made.push(client);
    return client;
  }

  /** Publishes one after the other. */
  async publish(namespace, topic, ...payloads) {
    for (const payload of payloads) await this.stage.publish(namespace, topic, payload);
  }

  async end() {
    for (const client of this.#made) await client.close();
  }
}

const ALERT = { namespace: "/alerts", topic: "alert" };
const acked = (stage, labels, count) => stage.metricIs("streamfence_acks_total", { ...labels, outcome: "released" }, count);
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const codes = (errors) => errors.map(({ code }) => code);

export const scenarios = {
  async "a message is acked when its handler has succeeded, and not before"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const [got, doors] = [[], []];
    await publish("/alerts", "alert", 0);
    const { topic, offset } = await alerts.subscribe("alert", async (payload, { messageId }) => {
      got.push([payload, typeof messageId]);
      const door = deferred();
      doors.push(door);
      await door.promise;
    });
    equal([topic, offset], ["alert", 1], "it begins behind what was published before");
    await publish("/alerts", "alert", 1, 2);
    await until("the first is handled", () => got.length === 1);
    await quiet(50);
    equal([got.length, await stage.metric("streamfence_acks_total", ALERT)], [1, 0], "one at a time, and no ack yet");
    doors[0].resolve();
    await until("the second is handled", () => got.length === 2);
    await acked(stage, ALERT, 1);
    doors[1].resolve();
    await acked(stage, ALERT, 2);
    equal(got, [[1, "string"], [2, "string"]]);
    equal(alerts.said.error, []);
  },

  async "as many handlers run at once as are allowed to, and each is acked by itself"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const doors = new Map();
    await alerts.subscribe("alert", (n) => new Promise((done) => doors.set(n, done)), { concurrency: 2 });
    await publish("/alerts", "alert", 1, 2, 3);
    await until("two are handled", () => doors.size === 2);
    await quiet(50);
    equal([...doors.keys()], [1, 2]);
    doors.get(2)();
    await acked(stage, ALERT, 1);
    await until("the third is handled", () => doors.size === 3);
    for (const n of [1, 3]) doors.get(n)();
    await acked(stage, ALERT, 3);
  },

  async "a handler that throws is told of, and its message comes again"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const [got, verdicts] = [[], []];
    await alerts.subscribe(
      "alert",
      (payload, { attempt = 1 }) => {
        got.push([payload, attempt]);
        if (payload === "bad" && attempt < 3) throw new Error("cannot");
      },
      { onFailure: (error, failures, { messageId }) => (verdicts.push([error.message, failures, typeof messageId]), { nackAfterMs: 10 }) },
    );
    await publish("/alerts", "alert", "bad", "good");
    await acked(stage, ALERT, 2);
    equal(got.filter(([payload]) => payload === "bad"), [["bad", 1], ["bad", 2], ["bad", 3]]);
    equal(verdicts, [["cannot", 1, "string"], ["cannot", 2, "string"]]);
    equal(codes(alerts.said.error), ["HANDLER_FAILED", "HANDLER_FAILED"]);
    equal([alerts.said.error[0].topic, alerts.said.error[0].cause.message], ["alert", "cannot"]);
    equal(await stage.metric("streamfence_acks_total", { ...ALERT, outcome: "nacked" }), 2);
  },

  async "without a word of the application a failure is nacked, and the next try has time"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const at = [];
    await alerts.subscribe("alert", () => {
      at.push(performance.now());
      if (at.length === 1) throw new Error("not yet");
    });
    await publish("/alerts", "alert", 1);
    await acked(stage, ALERT, 1);
    const apart = at[1] - at[0];
    ok(apart >= 480, `between half a second and a second lies between them: ${apart} ms`);
  },

  async "a failure may be left to the server's own time, or acked all the same"({ client, stage, publish }) {
    const hasty = { namespace: "/hasty", topic: "alert" };
    const alerts = client("/hasty");
    const got = [];
    await alerts.subscribe(
      "alert",
      (payload) => {
        got.push(payload);
        throw new Error("no");
      },
      { onFailure: () => (got.length < 3 ? "leave" : "ack") },
    );
    await publish("/hasty", "alert", "x");
    await acked(stage, hasty, 1);
    equal(got, ["x", "x", "x"], "left twice, in an envelope each time");
    equal(await stage.metric("streamfence_acks_total", { ...hasty, outcome: "nacked" }), 0);
    const { connected, session } = alerts.said;
    equal([connected.length, session], [1, [{ resumed: false, retentionMs: 0 }]], "that nothing is retained is told");
  },

  async "what is slower than the server's patience is handled once"({ client, stage, publish }) {
    const alerts = client("/hasty");
    const door = deferred();
    let handled = 0;
    await alerts.subscribe("alert", () => (handled++, door.promise));
    await publish("/hasty", "alert", "x");
    const retries = () => stage.metric("streamfence_retries_total", { namespace: "/hasty", topic: "alert" });
    await until("it is sent twice more while the handler is at it", async () => (await retries()) >= 2);
    door.resolve();
    await acked(stage, { namespace: "/hasty", topic: "alert" }, 1);
    equal(handled, 1);
  },

  async "a lost connection costs nothing: the session comes back with what was missed"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const got = [];
    await alerts.subscribe("alert", (n) => void got.push(n));
    await publish("/alerts", "alert", 1, 2);
    await acked(stage, ALERT, 2);
    await stage.shut();
    await until("the client knows", () => alerts.said.disconnected.length > 0);
    ok(["waiting", "connecting"].includes(alerts.state), `it tries again: ${alerts.state}`);
    ok(alerts.said.disconnected[0].retryInMs >= 10, "it says when");
    await stage.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 1);
    await publish("/alerts", "alert", 3, 4, 5, 6, 7);
    await stage.unshut();
    await acked(stage, ALERT, 7);
    equal(got, numbers(1, 7));
    equal(alerts.said.session, [false, true].map((resumed) => ({ resumed, retentionMs: 60_000 })));
  },

  async "what was handled while there was no connection is not handled again, and acked"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const got = [];
    const door = deferred();
    await alerts.subscribe("alert", (n) => (got.push(n), n <= 2 ? door.promise : undefined), { concurrency: 2 });
    await publish("/alerts", "alert", 1, 2);
    await until("both are underway", () => got.length === 2);
    await stage.shut();
    await until("the client knows", () => alerts.said.disconnected.length > 0);
    door.resolve();
    await stage.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 1);
    await stage.unshut();
    await publish("/alerts", "alert", 3);
    await acked(stage, ALERT, 3);
    equal(got, [1, 2, 3]);
  },

  async "what is underway over a lost connection is handled once, and acked on the next"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const got = [];
    const door = deferred();
    await alerts.subscribe("alert", (n) => (got.push(n), door.promise));
    await publish("/alerts", "alert", 1, 2, 3);
    await until("one is underway", () => got.length === 1);
    await stage.cut();
    await until("it is back", () => alerts.said.connected.length === 2);
    // All three are sent again, as the second attempt of each.
    await stage.metricIs("streamfence_retries_total", ALERT, 3);
    door.resolve();
    await acked(stage, ALERT, 3);
    equal(got, [1, 2, 3]);
  },

  async "without a session what is published meanwhile is gone, and the topics are had again"({ client, stage, publish }) {
    const alerts = client("/alerts", { session: false });
    const got = [];
    await alerts.subscribe("alert", (n) => void got.push(n));
    await alerts.subscribe("other", (n) => void got.push(n));
    await publish("/alerts", "alert", 1);
    await acked(stage, ALERT, 1);
    await stage.shut();
    await stage.metricIs("streamfence_lanes", ALERT, 0);
    await publish("/alerts", "alert", 2);
    await stage.unshut();
    await stage.metricIs("streamfence_lanes", { namespace: "/alerts" }, 2);
    await publish("/alerts", "alert", 3);
    await publish("/alerts", "other", 4);
    await until("both come", () => got.length === 3);
    equal(got, [1, 3, 4]);
    equal([alerts.said.connected.length, alerts.said.session], [2, []]);
  },

  async "a client that finds no server tries again, and comes in when there is one"({ client, stage, publish }) {
    await stage.shut();
    const alerts = client("/alerts");
    const got = [];
    const subscribed = alerts.subscribe("alert", (n) => void got.push(n));
    await until("it has tried three times", () => alerts.said.error.length >= 3);
    equal([...new Set(codes(alerts.said.error))], ["CONNECT_FAILED"]);
    equal([alerts.said.connected, alerts.said.disconnected], [[], []], "there was nothing to lose");
    await stage.unshut();
    await subscribed;
    await publish("/alerts", "alert", 1);
    await acked(stage, ALERT, 1);
    equal(got, [1]);
  },

  async "a server that says nothing is left for another try, and a newer token takes an older one's place"({ client, stage }) {
    await stage.mute();
    const members = client("/members", { answerTimeoutMs: 500 });
    const older = refused(members.authenticate("bob-token-of-the-tests"), "SUPERSEDED");
    const newer = members.authenticate("ann-token-of-the-tests");
    await older;
    await until("it was left twice", () => members.said.error.length >= 2);
    equal([...new Set(codes(members.said.error))], ["CONNECT_FAILED"]);
    await stage.unshut();
    equal(await within("the answer", newer), { principal: "ann" });
  },

  async "a server that is killed and started anew finds its clients and their topics again"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const [got, door] = [[], deferred()];
    await alerts.subscribe("alert", (n) => (got.push(n), n === "before" ? door.promise : undefined));
    await alerts.subscribe("order.7", (n) => void got.push(n));
    await publish("/alerts", "alert", "before");
    await until("one is underway", () => got.length === 1);
    await stage.crash();
    await until("it is back", () => alerts.said.connected.length === 2);
    await stage.metricIs("streamfence_lanes", ALERT, 1);
    await publish("/alerts", "alert", "after");
    await publish("/alerts", "order.7", "mine");
    door.resolve();
    await until("all are handled", () => got.length === 3);
    equal([...got].sort(), ["after", "before", "mine"]);
    await acked(stage, ALERT, 1);
    equal(alerts.said.session.map(({ resumed }) => resumed), [false, false]);
    // The ack of what the dead server sent went nowhere.
    equal(await stage.metric("streamfence_acks_total", { ...ALERT, outcome: "unknown" }), 0);
  },

  async "a server that stops says when to come back"({ client, stage }) {
    const alerts = client("/alerts");
    await alerts.subscribe("alert", () => {});
    await stage.restart();
    await until("the client knows", () => alerts.said.disconnected.length > 0);
    equal(codes(alerts.said.error), ["SHUTTING_DOWN"]);
    const [{ retryInMs }] = alerts.said.disconnected;
    ok(retryInMs >= 500 && retryInMs <= 5_000, `as the server wanted, and not as the backoff has it: ${retryInMs}`);
    // Nobody has to wait for it.
    alerts.connect();
    await stage.metricIs("streamfence_lanes", ALERT, 1);
  },

  async "what was missed is told in order"({ client, stage, publish }) {
    const small = client("/small");
    const [said, door] = [[], deferred()];
    await small.subscribe("note", (n) => (said.push(n), n === 1 ? door.promise : undefined), {
      onGap: ({ from, to, count, reason }) => void said.push([from, to, count, reason]),
    });
    await publish("/small", "note", ...numbers(1, 6));
    door.resolve();
    await acked(stage, { namespace: "/small", topic: "note" }, 3);
    await publish("/small", "note", 7);
    await until("all is told", () => said.length === 5);
    equal(said, [1, 2, 3, [4, 6, 3, "rejected"], 7]);
    equal(small.said.gap, [{ topic: "note", from: 4, to: 6, count: 3, reason: "rejected" }]);
  },

  async "with a receipt window a slow handler has no more waiting for it than that"({ client, stage, publish }) {
    const feed = client("/feed");
    const paced = { namespace: "/feed", topic: "paced" };
    const [got, doors] = [[], []];
    await feed.subscribe("paced", (n) => (got.push(n), new Promise((done) => doors.push(done))), { window: 2 });
    await publish("/feed", "paced", ...numbers(1, 10));
    await stage.metricIs("streamfence_messages_delivered_total", paced, 2);
    for (let n = 1; n <= 10; n++) {
      await until(`${n} is handled`, () => doors.length === n);
      doors[n - 1]();
    }
    await stage.metricIs("streamfence_acks_total", { ...paced, outcome: "confirmed" }, 10);
    equal(got, numbers(1, 10));
  },

  async "without one the oldest that wait give way, and are told of"({ client, stage, publish }) {
    const feed = client("/feed");
    const [said, door] = [[], deferred()];
    await feed.subscribe("tick", (n) => (said.push(n), n === 1 ? door.promise : undefined), {
      maxWaiting: 3,
      onGap: ({ count, reason }) => void said.push([count, reason]),
    });
    await feed.subscribe("last", () => {});
    await publish("/feed", "tick", ...numbers(1, 10));
    await stage.metricIs("streamfence_messages_delivered_total", { namespace: "/feed", topic: "tick" }, 10);
    // Behind them on the same connection: when this is handled they are here.
    const last = deferred();
    await feed.unsubscribe("last");
    await feed.subscribe("last", last.resolve);
    await publish("/feed", "last", "x");
    await within("the last", last.promise);
    door.resolve();
    await until("all is told", () => said.at(-1) === 10);
    equal(said, [1, [6, "overflow"], 8, 9, 10]);
    equal(feed.said.gap, [{ topic: "tick", count: 6, reason: "overflow" }]);
  },

  async "a value that was handled is not handled again after a reconnect"({ client, stage, publish }) {
    await publish("/feed", "last", "kept");
    const feed = client("/feed", { session: false });
    const got = [];
    await feed.subscribe("last", (value) => void got.push(value));
    await until("it comes", () => got.length === 1);
    await stage.cut();
    await until("it is back", () => feed.said.connected.length === 2);
    await publish("/feed", "last", "newer");
    await until("it comes", () => got.length === 2);
    equal(got, ["kept", "newer"]);
  },

  async "who unsubscribes hears nothing more, and may subscribe again"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const [got, door] = [[], deferred()];
    const first = alerts.subscribe("alert", (n) => (got.push(n), door.promise));
    await first;
    const again = await alerts.subscribe("alert", () => {}).catch((error) => error);
    ok(/has a handler already/.test(again.message), again.message);
    await publish("/alerts", "alert", 1, 2, 3);
    await until("one is underway", () => got.length === 1);
    await alerts.unsubscribe("alert");
    await stage.metricIs("streamfence_lanes", ALERT, 0);
    door.resolve();
    await alerts.subscribe("alert", (n) => void got.push(n));
    await publish("/alerts", "alert", 4);
    await acked(stage, ALERT, 1);
    equal(got, [1, 4]);
    equal(alerts.said.unsubscribed, []);
  },

  async "a topic given back without a connection is given back when there is one"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const got = [];
    await alerts.subscribe("alert", (n) => void got.push(n));
    await alerts.subscribe("other", (n) => void got.push(n));
    await stage.shut();
    await until("the client knows", () => alerts.said.disconnected.length > 0);
    await alerts.unsubscribe("alert");
    const order = alerts.subscribe("order.1", (n) => void got.push(n));
    await stage.unshut();
    await order;
    await stage.metricIs("streamfence_lanes", ALERT, 0);
    await publish("/alerts", "alert", 1);
    await publish("/alerts", "other", 2);
    await publish("/alerts", "order.1", 3);
    await until("both come", () => got.length === 2);
    equal([...got].sort(), [2, 3]);
    equal(alerts.said.session.at(-1).resumed, true);
  },

  async "what is refused is a rejection with the server's code"({ client, stage }) {
    const alerts = client("/alerts");
    const error = await refused(alerts.subscribe("nothing", () => {}), "UNKNOWN_TOPIC");
    equal([error.name, error.topic, error.message.includes("nothing")], ["FenceError", "nothing", true]);
    await refused(alerts.subscribe("alert", () => {}, { maxFrequency: 1 }), "BAD_REQUEST");
    await refused(alerts.publish("nothing", 1), "UNKNOWN_TOPIC");
    await refused(client("/small").publish("note", 1), "PUBLISH_REJECTED");
    await refused(alerts.publish("alert", "x".repeat(70_000)), "PAYLOAD_TOO_LARGE");
    equal(alerts.said.error, [], "each is told once");
    // It is not wanted any more, so it may be wanted again.
    await refused(alerts.subscribe("nothing", () => {}), "UNKNOWN_TOPIC");
    await alerts.subscribe("alert", () => {});
    equal(await stage.metric("streamfence_lanes", { namespace: "/alerts" }), 1);
  },

  async "a topic that the server takes away is told of"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const got = [];
    await alerts.subscribe("other", () => {});
    await alerts.subscribe("alert", (n) => void got.push(n));
    equal(await stage.remove("other, "), "reloaded");
    await until("it is told", () => alerts.said.unsubscribed.length > 0);
    equal(alerts.said.unsubscribed, [{ topic: "other", reason: "removed" }]);
    await publish("/alerts", "alert", 1);
    await until("the other goes on", () => got.length === 1);
  },

  async "publishes wait for a connection, in order and no more than may"({ client, stage, publish }) {
    const feed = client("/feed", { outboxLimit: 3 });
    const got = [];
    await feed.subscribe("tick", (n) => void got.push(n));
    equal(await feed.publish("tick", 0), {}, "at once while there is a connection");
    await until("it comes", () => got.length === 1);
    await stage.shut();
    await until("the client knows", () => feed.said.disconnected.length > 0);
    const waiting = [1, 2].map((n) => feed.publish("tick", n));
    const late = refused(feed.publish("tick", "late", { ttlMs: 1 }), "EXPIRED");
    const refusal = await refused(feed.publish("tick", 3), "OUTBOX_FULL");
    ok(/3 messages wait already; wanted at most 3/.test(refusal.message), refusal.message);
    await quiet(5);
    await stage.unshut();
    await Promise.all(waiting);
    await late;
    await until("they come", () => got.length >= 3);
    equal(got, [0, 1, 2]);
    // Far more at once than the server would answer.
    await Promise.all(numbers(3, 5).map((n) => feed.publish("tick", n)));
    await until("they come", () => got.length >= 6);
    equal(got, numbers(0, 5));
  },

  async "a burst of publishes is taken whole and in order"({ client, stage }) {
    const feed = client("/feed");
    const got = [];
    await feed.subscribe("tick", (n) => void got.push(n));
    const answers = await Promise.all(numbers(1, 500).map((n) => feed.publish("tick", n)));
    equal(answers.length, 500);
    await until("they come", () => got.length === 500);
    equal(got, numbers(1, 500));
  },

  async "bytes go both ways"({ client }) {
    const feed = client("/feed");
    const got = deferred();
    await feed.subscribe("tick", got.resolve);
    await feed.publish("tick", new Uint8Array([1, 2, 255]).buffer);
    equal([...new Uint8Array(await within("the bytes", got.promise))], [1, 2, 255]);
  },

  async "a token says who the client is, with every connection"({ client, stage, publish }) {
    let asked = 0;
    const members = client("/members", { token: async () => (asked++, "ann-token-of-the-tests") });
    const got = [];
    await members.subscribe("news", (news) => void got.push(news));
    await stage.cut();
    await until("it is back", () => members.said.connected.length === 2);
    ok(asked >= 2, "asked for each connection");
    await publish("/members", "news", "members only");
    await until("it comes", () => got.length === 1);
    await members.publish("news", "mine");
    await until("it comes", () => got.length === 2);
  },

  async "a token that is refused stops a client, and another one starts it"({ client }) {
    const members = client("/members", { token: "wrong" });
    const subscribed = members.subscribe("news", () => {});
    const published = members.publish("news", 1);
    await Promise.all([refused(subscribed, "AUTH_REJECTED"), refused(published, "AUTH_REJECTED")]);
    equal([members.state, codes(members.said.error)], ["refused", ["AUTH_REJECTED"]]);
    await quiet(300);
    equal([members.state, members.said.error.length], ["refused", 1], "a wrong token is shown once");
    equal(await members.authenticate("ann-token-of-the-tests"), { principal: "ann" });
    await members.subscribe("news", () => {});
  },

  async "who comes in without a token says later who it is, and keeps saying it"({ client, stage, publish }) {
    const members = client("/members");
    await refused(members.authenticate("wrong"), "AUTH_REJECTED");
    equal(members.said.error, [], "it is told once");
    equal(await members.authenticate("ann-token-of-the-tests"), { principal: "ann" });
    equal(members.said.authenticated, [{ principal: "ann" }]);
    const got = [];
    await members.subscribe("news", (news) => void got.push(news));
    await refused(members.authenticate("bob-token-of-the-tests"), "AUTH_REJECTED");
    await stage.cut();
    await until("it is back", () => members.said.connected.length === 2);
    await publish("/members", "news", "still ann");
    await until("it comes", () => got.length === 1);
    equal(members.said.session.at(-1).resumed, true);
  },

  async "a token that comes too late is asked for again"({ client }) {
    let asked = 0;
    const token = () => (++asked === 1 ? new Promise(() => {}) : "ann-token-of-the-tests");
    const members = client("/members", { token, answerTimeoutMs: 500 });
    await members.subscribe("news", () => {});
    equal(codes(members.said.error), ["CONNECT_FAILED"]);
  },

  async "a newer token that comes while an older one is refused is shown"({ client }) {
    const members = client("/members", { token: "wrong" });
    equal(await members.authenticate("ann-token-of-the-tests"), { principal: "ann" });
    equal(members.state, "connected");
  },

  async "a token that cannot be had is asked for again"({ client }) {
    let asked = 0;
    const token = () => (++asked === 1 ? Promise.reject(new Error("no network")) : "ann-token-of-the-tests");
    const members = client("/members", { token });
    await members.subscribe("news", () => {});
    equal(codes(members.said.error), ["TOKEN_FAILED"]);
  },

  async "a session in a store outlives its client"({ client, lib, stage, publish, storage }) {
    const session = lib.webStore(storage, "alerts");
    const first = client("/alerts", { session });
    const got = [];
    await first.subscribe("alert", (n) => void got.push(n));
    await publish("/alerts", "alert", 1);
    await acked(stage, ALERT, 1);
    await first.close({ keepSession: true });
    await stage.metricIs("streamfence_sessions_total", { namespace: "/alerts", outcome: "detached" }, 1);
    await publish("/alerts", "alert", 2);
    const second = client("/alerts", { session });
    await second.subscribe("alert", (n) => void got.push(n));
    await acked(stage, ALERT, 2);
    equal([got, second.said.session.map(({ resumed }) => resumed)], [[1, 2], [true]]);
    await second.close();
    equal(storage.getItem("alerts"), null, "a goodbye ends it");
    await stage.metricIs("streamfence_lanes", ALERT, 0);
  },

  async "a store that fails costs nothing while the client lives"({ client, stage, publish }) {
    const fail = () => Promise.reject(new Error("quota"));
    const alerts = client("/alerts", { session: { load: fail, save: fail, clear: fail } });
    await alerts.subscribe("alert", () => {});
    await publish("/alerts", "alert", 1);
    await acked(stage, ALERT, 1);
    equal(codes(alerts.said.error), ["STORE_FAILED", "STORE_FAILED"]);
    await stage.cut();
    await until("it is back", () => alerts.said.session.length === 2);
    equal(alerts.said.session[1].resumed, true);
  },

  async "a client that is closed has said its acks"({ client, stage, publish }) {
    const alerts = client("/alerts");
    const [came, door] = [deferred(), deferred()];
    await alerts.subscribe("alert", () => (came.resolve(), door.promise));
    await publish("/alerts", "alert", 1);
    await came.promise;
    // In the turn in which the handler succeeds, before its ack has left.
    const closed = door.promise.then(() => alerts.close());
    door.resolve();
    await closed;
    await acked(stage, ALERT, 1);
    equal([alerts.state, alerts.said.disconnected], ["closed", [{ reason: "closed" }]]);
  },

  async "a client that is closed keeps nobody waiting"({ client, stage }) {
    const alerts = client("/alerts");
    await alerts.subscribe("alert", () => {});
    await stage.shut();
    await until("the client knows", () => alerts.said.disconnected.length > 0);
    const [wish, message] = [alerts.subscribe("other", () => {}), alerts.publish("alert", 2)];
    const closed = alerts.close();
    await Promise.all([refused(wish, "CLOSED"), refused(message, "CLOSED")]);
    await closed;
    equal(alerts.state, "closed");
    await refused(alerts.publish("alert", 3), "CLOSED");
    await refused(alerts.subscribe("alert", () => {}), "CLOSED");
    await refused(alerts.authenticate("x"), "CLOSED");
    await stage.unshut();
  },

  async "polling will do"({ client, stage, publish }) {
    const alerts = client("/alerts", { io: { transports: ["polling"] } });
    const got = [];
    await alerts.subscribe("alert", (n) => void got.push(n));
    await publish("/alerts", "alert", ...numbers(1, 20));
    await acked(stage, ALERT, 20);
    equal(got, numbers(1, 20));
    await stage.cut();
    await publish("/alerts", "alert", 21);
    await acked(stage, ALERT, 21);
    equal(got, numbers(1, 21));
  },
};

/** Plays one to its end. */
export async function play(name, lib, stage, url, storage) {
  const scene = new Scene(lib, stage, url);
  const bound = { client: scene.client.bind(scene), publish: scene.publish.bind(scene), lib, stage, storage };
  try {
    await scenarios[name](bound);
  } finally {
    await scene.end();
  }
}

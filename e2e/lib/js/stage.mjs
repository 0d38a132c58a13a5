// What the scenarios of the JavaScript client play on: a server behind a gate, told what to do by name, from Node or a page.
import { openGate } from "../gate.mjs";
import { startServer } from "../server.mjs";

const yaml = (origin) => `
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 500
    auth: TOKEN
    staticTokens: {ann: ann-token-of-the-tests, bob: bob-token-of-the-tests}
    ${origin ? `allowedOrigins: ["${origin}"]` : ""}
    namespaces:
      - path: /alerts
        topics: [alert, other, "order.*"]
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 4
        maxQueuedMessagesPerClient: 5000
        maxQueuedBytesPerClient: 10000000
        ackTimeoutMs: 60000
        maxRetries: 30
        metadata: full
        gapNotices: true
        clientPublish: relay
        sessionRetentionMs: 60000
      - path: /hasty
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        ackTimeoutMs: 200
        maxRetries: 50
        ack: native
        wire: envelope
        sessionRetentionMs: 0
      - path: /small
        topics: [note]
        deliveryMode: AT_LEAST_ONCE
        maxInFlight: 1
        maxRetries: 5
        ackTimeoutMs: 60000
        maxQueuedMessagesPerClient: 3
        gapNotices: true
      - path: /feed
        topics: [tick, {name: paced, receiptWindow: 3}, {name: last, onSubscribe: last, metadata: always}]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 5000
        clientPublish: relay
      - path: /members
        topics: [news]
        authRequired: true
        clientPublish: relay
`;

/** Sets the stage for one scenario. `origin` is that of the page it is played from. */
export async function setStage(t, { origin } = {}) {
  const server = await startServer(t, yaml(origin));
  const gate = await openGate(t, server.address());
  return new Stage(t, server, gate, origin);
}

class Stage {
  #t;
  #server;
  #gate;
  #origin;

  constructor(t, server, gate, origin) {
    this.#t = t;
    this.#server = server;
    this.#gate = gate;
    this.#origin = origin;
  }

  /** Where clients connect; it stays over `crash`. */
  get url() {
    return `http://${this.#gate.address}`;
  }

  /** Every method below takes and returns what JSON can carry, so that a page can call it. */
  call(name, args) {
    return this[name](...args);
  }

  publish(namespace, topic, payload, options) {
    return this.#server.publish(namespace, topic, payload, options);
  }

  metric(name, labels) {
    return this.#server.metric(name, labels);
  }

  metricIs(name, labels, value) {
    return this.#server.metricIs(name, labels, value);
  }

  cut() {
    this.#gate.cut();
  }

  shut() {
    this.#gate.shut();
  }

  mute() {
    this.#gate.mute();
  }

  unshut() {
    this.#gate.unshut();
  }

  /** Kills the server, and starts another that knows nothing of it behind the same address. */
  async crash() {
    this.#server.signal("SIGKILL");
    await this.#server.ended();
    this.#server = await startServer(this.#t, yaml(this.#origin));
    this.#gate.lead(this.#server.address());
  }

  /** Lets the server end well, and starts another. */
  async restart() {
    await this.#server.stop();
    this.#server = await startServer(this.#t, yaml(this.#origin));
    this.#gate.lead(this.#server.address());
  }

  /** Takes topics away, by a reload. */
  async remove(text) {
    return await this.#server.reload(yaml(this.#origin).replace(text, ""));
  }
}

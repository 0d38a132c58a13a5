// The documented client: socket.io-client, with promises.
import { io } from "socket.io-client";

import { defer } from "./defer.mjs";
import { SOON_MS, within } from "./wait.mjs";

/** Connects to a namespace; the socket is closed with the test. */
export async function connect(t, url, namespace, options = {}) {
  const socket = open(t, url, namespace, options);
  await within(`connection to ${namespace}`, connected(socket));
  return socket;
}

/** A socket that is on its way, for tests of what happens before it is connected. */
export function open(t, url, namespace, options = {}) {
  // Each socket is a client of its own (`forceNew`), and none hides a lost connection by making another.
  const socket = io(url + namespace, { transports: ["websocket"], forceNew: true, reconnection: false, ...options });
  // Not through disconnect() alone: an engine that is still upgrading would keep the process alive.
  defer(t, () => socket.disconnect().io.engine?.close());
  return socket;
}

function connected(socket) {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
}

/** The arguments of the next `event` that satisfies `accepts`. */
export function next(socket, event, accepts = () => true, ms = SOON_MS) {
  let listener;
  const arrival = new Promise((resolve) => {
    listener = (...args) => accepts(...args) && resolve(args);
    socket.on(event, listener);
  });
  return within(`event ${event}`, arrival, ms).finally(() => socket.off(event, listener));
}

/** Subscribes and waits for `subscribed`; an `error` for the topic is thrown, with its `code`. */
export async function subscribe(socket, topic, options = {}) {
  let listener;
  const answer = new Promise((resolve, reject) => {
    listener = (event, body) => {
      if (body?.topic !== topic) return;
      if (event === "subscribed") resolve(body);
      if (event === "error") reject(Object.assign(new Error(`${body.code}: ${body.message}`), { code: body.code }));
    };
    socket.onAny(listener);
  });
  socket.emit("subscribe", { topic, ...options });
  return within(`subscribed ${topic}`, answer).finally(() => socket.offAny(listener));
}

/** Everything that arrives for an event, in order, from now on. */
export function collect(socket, event) {
  return new Inbox((deliver) => socket.on(event, (...args) => deliver(args)));
}

export class Inbox {
  /** The arguments of every event. */
  items = [];
  #waiting = [];

  constructor(listen) {
    listen((item) => {
      this.items.push(item);
      this.#waiting = this.#waiting.filter((wait) => !wait());
    });
  }

  /** The first arguments. */
  get payloads() {
    return this.items.map(([payload]) => payload);
  }

  get length() {
    return this.items.length;
  }

  /** Waits for at least `count` items. */
  count(count, ms = SOON_MS) {
    return this.satisfies(`${count} messages`, () => this.items.length >= count, ms);
  }

  /** Waits until the items satisfy a condition, looked at with every arrival. */
  satisfies(what, condition, ms = SOON_MS) {
    const done = new Promise((resolve) => {
      const look = () => condition(this.items) && (resolve(this.items), true);
      if (!look()) this.#waiting.push(look);
    });
    return within(what, done, ms).catch((error) => {
      throw new Error(`${error.message}; ${this.items.length} have arrived`);
    });
  }
}

/** The offset in a message's metadata. */
export function offsetOf(metadata) {
  const [, offset] = metadata.messageId.split(":");
  return Number(offset);
}

// A Socket.IO client reduced to its packets: for what a well-behaved client would never send,
// and for crowds, because it costs a tenth of a real one.
import WebSocket from "ws";

import { defer } from "./defer.mjs";
import { SOON_MS, within } from "./wait.mjs";

/** Opens a websocket, connects to a namespace and resolves once that is accepted. */
export async function connectRaw(t, url, namespace, options = {}) {
  const client = new RawClient(url, options);
  defer(t, () => client.socket.terminate());
  const accepted = client.next((packet) => packet.startsWith(`40${namespace},`));
  await client.next((packet) => packet.startsWith("0"));
  client.send(`40${namespace},`);
  await accepted;
  client.namespace = namespace;
  return client;
}

export class RawClient {
  /** Every packet but pings, unless `onPacket` takes them. */
  packets = [];
  pings = 0;
  /** Takes the place of `packets`. */
  onPacket = undefined;
  #waiting = [];

  constructor(url, options = {}) {
    this.socket = new WebSocket(`${url.replace(/^http/, "ws")}/socket.io/?EIO=4&transport=websocket`, options);
    /** Resolves with the close code, however the connection ends. */
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
    this.socket.on("error", () => {});
    this.socket.on("message", (data, isBinary) => this.#take(isBinary ? data : data.toString()));
  }

  send(packet) {
    this.socket.send(packet);
  }

  /** Sends an event as the documented client would. */
  emit(event, ...args) {
    this.send(`42${this.namespace},${JSON.stringify([event, ...args])}`);
  }

  /** Subscribes and waits for the answer. */
  async subscribe(topic) {
    const answer = this.next((packet) => packet.includes('"subscribed"') && packet.includes(JSON.stringify(topic)));
    this.emit("subscribe", { topic });
    await answer;
  }

  /** Gives the arguments of every `topic` event to `handle`; nothing is kept. */
  onTopic(topic, handle) {
    const prefix = `42${this.namespace},`;
    const head = `${prefix}[${JSON.stringify(topic)},`;
    this.onPacket = (packet) => {
      if (typeof packet === "string" && packet.startsWith(head)) handle(...JSON.parse(packet.slice(prefix.length)).slice(1));
    };
  }

  /** The next packet that satisfies `accepts`. */
  next(accepts, ms = SOON_MS) {
    const arrival = new Promise((resolve) => this.#waiting.push((packet) => accepts(packet) && (resolve(packet), true)));
    return within("a packet", arrival, ms);
  }

  #take(packet) {
    if (packet === "2") {
      this.pings += 1;
      this.send("3");
      return;
    }
    if (this.onPacket) this.onPacket(packet);
    else this.packets.push(packet);
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((wait) => typeof packet !== "string" || !wait(packet));
  }
}

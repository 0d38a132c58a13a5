// A door between a client and its server that can be shut, and moved to another server, while the client's address stays.
import net from "node:net";
import { once } from "node:events";

import { defer } from "./defer.mjs";
import { splitAddress } from "./server.mjs";

/** Opens a gate on a port of the system's choice; it is gone with the test. */
export async function openGate(t, address) {
  const gate = new Gate(address);
  await gate.open();
  defer(t, () => gate.close());
  return gate;
}

class Gate {
  #connections = new Set();
  #target;
  #isShut = false;
  #isMute = false;
  #listener = net.createServer((from) => this.#pass(from));

  constructor(address) {
    this.#target = splitAddress(address);
  }

  async open() {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
  }

  /** `host:port` for clients. */
  get address() {
    return `127.0.0.1:${this.#listener.address().port}`;
  }

  /** New connections go there. */
  lead(address) {
    this.#target = splitAddress(address);
  }

  /** Cuts all connections without a word, as a network does. */
  cut() {
    for (const socket of this.#connections) socket.resetAndDestroy();
  }

  /** Cuts all connections, and those that come. */
  shut() {
    this.#isShut = true;
    this.cut();
  }

  /** Takes the connections that come, and says nothing. */
  mute() {
    this.#isMute = true;
  }

  /** Lets connections through again. */
  unshut() {
    this.#isShut = false;
    this.#isMute = false;
  }

  async close() {
    this.shut();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #pass(from) {
    if (this.#isShut) return void from.resetAndDestroy();
    if (this.#isMute) return this.#keep(from);
    const [host, port] = this.#target;
    const to = net.connect({ host, port });
    for (const [socket, other] of [[from, to], [to, from]]) {
      this.#keep(socket);
      socket.on("close", () => other.destroy());
    }
    from.pipe(to).pipe(from);
  }

  #keep(socket) {
    this.#connections.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => this.#connections.delete(socket));
  }
}

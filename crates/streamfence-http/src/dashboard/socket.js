// A Socket.IO client in one namespace over a websocket: as much of the protocol as the test subscriber needs.

/** Whoever listens hears `onConnected()`, `onEvent(name, args)` and `onClosed(why)`, the last one once. */
export class Socket {
  #socket;
  #namespace;
  #listener;
  #isDone = false;
  /** An event whose attachments are still to come. */
  #partial;

  constructor(url, { namespace, auth, ...listener }) {
    this.#namespace = namespace;
    this.#listener = listener;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.addEventListener("message", ({ data }) => this.#hear(data, auth));
    this.#socket.addEventListener("close", ({ reason }) => this.#done(reason || "the connection has ended"));
  }

  emit(name, argument) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(`42${this.#namespace},${JSON.stringify([name, argument])}`);
  }

  close() {
    this.#done("stopped");
  }

  #done(why) {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#socket.close();
    this.#listener.onClosed(why);
  }

  #hear(data, auth) {
    if (this.#isDone) return;
    if (typeof data !== "string") {
      this.#attach(data);
      return;
    }
    switch (data[0]) {
      case "0": // Engine.IO is open: enter the namespace.
        this.#socket.send(`40${this.#namespace},${JSON.stringify(auth ?? {})}`);
        break;
      case "1":
        this.#done("the server closed the connection");
        break;
      case "2": // ping
        this.#socket.send("3");
        break;
      case "4":
        this.#read(data.slice(1));
        break;
    }
  }

  /** `type [attachments -] [/namespace ,] [id] [json]` */
  #read(packet) {
    const [, type, attachments, , , json] = /^(\d)(?:(\d+)-)?((\/[^,]*),)?\d*(.*)$/s.exec(packet) ?? [];
    const value = json ? JSON.parse(json) : undefined;
    switch (type) {
      case "0":
        this.#listener.onConnected();
        break;
      case "1":
        this.#done("the server closed the session");
        break;
      case "2":
        this.#listener.onEvent(value[0], value.slice(1));
        break;
      case "4":
        this.#done(value?.message ?? "refused");
        break;
      case "5":
        this.#partial = { value, left: Number(attachments), found: [] };
        break;
    }
  }

  #attach(data) {
    if (!this.#partial) return;
    this.#partial.found.push(data);
    if (--this.#partial.left > 0) return;
    const { value, found } = this.#partial;
    this.#partial = undefined;
    // Bytes are shown as how many they are.
    const text = JSON.stringify(value, (_, part) => (part?._placeholder ? `(${found[part.num]?.byteLength ?? 0} bytes)` : part));
    const [name, ...args] = JSON.parse(text);
    this.#listener.onEvent(name, args);
  }
}

// The test subscriber: a client of the public server, from this page.
import { TopicChoice } from "./choice.js";
import { List, h, say, scrolled } from "./dom.js";
import { clock, plural } from "./format.js";
import { Socket } from "./socket.js";

/** How many messages are shown. */
const MOST = 50;

export class Subscriber {
  #server = h("select", { name: "server", required: true });
  #servers = "";
  #topic = new TopicChoice("topic");
  #token = h("input", { name: "token", type: "password", autocomplete: "off", placeholder: "none" });
  #acks = h("input", { type: "checkbox", name: "acks", checked: true });
  #button = h("button", { class: "main", text: "Subscribe" });
  #answer = h("p", { class: "answer", role: "status" });
  #list;
  #socket;
  #messages = [];
  #received = 0;
  #isDue = false;

  constructor(section) {
    const form = h(
      "form",
      { class: "fields" },
      h("label", {}, "Server", this.#server),
      h("label", {}, "Topic", this.#topic.node),
      h("label", {}, "Token", this.#token),
      h("div", { class: "buttons whole" }, this.#button, h("label", { class: "check" }, this.#acks, "ack what asks for it")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#socket) this.#socket.close();
      else this.#subscribe();
    });
    const { list, node } = scrolled("Messages received, the newest first", "timeline short");
    this.#list = new List(list, (message) => message.number, row);
    section.append(h("h3", { id: "subscriber-title", text: "Subscribe as a client" }), form, this.#answer, node);
  }

  update({ topics, servers }) {
    this.#topic.show(topics);
    const urls = servers.filter(({ address }) => !address.startsWith("unix:")).map((server) => ({ name: server.name, url: urlOf(server) }));
    const now = JSON.stringify(urls);
    if (now === this.#servers) return;
    this.#servers = now;
    this.#server.replaceChildren(...urls.map(({ name, url }) => h("option", { value: url, text: `${name}, ${new URL(url).host}` })));
  }

  #subscribe() {
    const { namespace, topic } = this.#topic.value ?? {};
    this.#messages = [];
    this.#received = 0;
    this.#show();
    say(this.#button, "Stop");
    this.#say("connecting…");
    let wasIn = false;
    this.#socket = new Socket(this.#server.value, {
      namespace,
      auth: this.#token.value ? { token: this.#token.value } : undefined,
      onConnected: () => this.#socket.emit("subscribe", { topic }),
      onEvent: (name, args) => {
        wasIn = true;
        this.#hear(topic, name, args);
      },
      onClosed: (why) => {
        this.#socket = undefined;
        say(this.#button, "Subscribe");
        const hint = wasIn ? "" : "; is this page among the server's allowedOrigins, and is the server to be had from here?";
        this.#say(why === "stopped" ? `stopped after ${plural(this.#received, "message")}` : `${why}${hint}`, why !== "stopped");
      },
    });
  }

  #hear(topic, name, args) {
    if (name === "subscribed") {
      this.#say(`subscribed as ${args[0].clientId}`);
    } else if (name === "error" || name === "unsubscribed") {
      this.#say(`${name}: ${args[0].message ?? args[0].reason}`, true);
    } else if (name === topic || name === "topic-message") {
      // In an envelope both are one.
      const [payload, metadata] = name === topic ? args : [args[0].payload, args[0].metadata];
      if (metadata?.ackRequired && this.#acks.checked) this.#socket.emit("ack", { topic, messageId: metadata.messageId });
      this.#received += 1;
      this.#messages.unshift({ number: this.#received, at: Date.now(), payload, metadata });
      this.#messages.length = Math.min(this.#messages.length, MOST);
      this.#showSoon();
    }
  }

  #say(text, isWrong = false) {
    say(this.#answer, text);
    this.#answer.classList.toggle("wrong", isWrong);
  }

  /** Many messages are drawn once. */
  #showSoon() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#show();
    }, 200);
  }

  #show() {
    this.#list.show(this.#messages);
  }
}

/** Where a browser finds a server: on this page's host, where it listens on every address. */
function urlOf({ address, transport, path }) {
  const port = address.slice(address.lastIndexOf(":") + 1);
  const host = address.slice(0, -port.length - 1);
  const isAny = ["0.0.0.0", "[::]", "::"].includes(host);
  const name = isAny ? location.hostname : host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${transport === "WSS" ? "wss" : "ws"}://${name}:${port}${path.replace(/\/$/, "")}/?EIO=4&transport=websocket`;
}

function row({ at, payload, metadata }) {
  const text = JSON.stringify(payload) ?? "";
  const what = h("div", { class: "what" }, h("span", { class: "payload", text: text.length > 400 ? `${text.slice(0, 400)}…` : text }));
  if (metadata?.attempt > 1) what.append(` attempt ${metadata.attempt}`);
  return { node: h("li", {}, h("time", { text: clock(at) }), what) };
}

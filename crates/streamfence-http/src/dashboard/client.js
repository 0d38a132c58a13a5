// One client in full: its lanes, why it is slow, and what can be done about it.
import { Problem, get, post } from "./api.js";
import { REASONS } from "./clients.js";
import { confirm } from "./dialog.js";
import { List, Table, h, mark, say, scrolled } from "./dom.js";
import { bytes, count, span } from "./format.js";
import { follow } from "./stream.js";
import { remember, row } from "./timeline.js";
import { policy } from "./topics.js";

/** How many events are kept. */
const MOST_EVENTS = 100;

export class ClientPage {
  #id;
  #stop = new AbortController();
  #title = h("h1", { tabindex: -1 });
  #answer = h("p", { class: "answer", role: "status" });
  #facts = h("dl", { class: "facts" });
  #disconnect = h("button", { type: "button", class: "danger", text: "Disconnect…" });
  #known = new Map();
  #lanes;
  #events = [];
  #heard = 0;
  #list;
  /** A name is not given twice: who is gone does not come back under it. */
  #isGone = false;

  constructor(place, id) {
    this.#id = id;
    this.#title.append("Client ", h("span", { class: "id", text: id }));
    this.#lanes = new Table({ label: "Lanes", keyOf: (lane) => lane.topic, none: "It is subscribed to nothing.", columns: this.#columns() });
    const { list, node: events } = scrolled("Events of this client", "timeline short");
    this.#list = new List(list, (event) => event.number, row);
    this.#disconnect.addEventListener("click", () => this.#sendAway());
    place.replaceChildren(
      h("p", { class: "note" }, h("a", { href: "#/clients", text: "← All clients" })),
      h("div", { class: "head" }, this.#title, h("span", { class: "note" }), this.#disconnect),
      this.#answer,
      this.#facts,
      h("section", {}, h("div", { class: "head" }, h("h2", { text: "Lanes" }), h("p", { class: "note", text: "a bounded queue for each topic; the policy says what gives way when it is full" })), this.#lanes.node),
      h("section", {}, h("div", { class: "head" }, h("h2", { text: "Events" }), h("p", { class: "note", text: "from now on" })), events),
    );
    this.#title.focus();
    follow(`admin/v1/events?client=${encodeURIComponent(id)}`, this.#stop.signal, { onEvent: (event) => this.#hear(event) });
  }

  /** Looks again. */
  async update() {
    if (this.#isGone) return;
    try {
      this.#show(await get(`admin/v1/clients/${encodeURIComponent(this.#id)}`, { signal: this.#stop.signal }));
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (!(error instanceof Problem) || ![400, 404].includes(error.status)) throw error;
      this.#isGone = true;
      this.#disconnect.disabled = true;
      this.#lanes.show([]);
      say(this.#answer, "This client is not here any more; below is what was seen of it last.");
    }
  }

  end() {
    this.#stop.abort();
  }

  #show(client) {
    const transport = client.detachedMs === undefined ? client.transport : `away for ${span(client.detachedMs)}; its session waits for it`;
    const room = client.blockedMs === undefined ? (client.room ? `takes ${count(client.room.frames)} frames, ${bytes(client.room.bytes)}` : "–") : `has taken nothing for ${span(client.blockedMs)}`;
    this.#fact("Is it slow?", client.slow ? `${REASONS[client.reason] ?? client.reason}, for ${span(client.sinceMs)}` : "no");
    this.#fact("Namespace", client.namespace);
    this.#fact("Principal", client.principal ?? "–");
    this.#fact("Address", client.address ?? "–");
    this.#fact("Connection", transport);
    this.#fact("Tier", client.tier ?? "–");
    this.#fact("Here for", span(client.connectedMs));
    this.#fact("Its connection", room);
    this.#fact("Waiting", `${count(client.depth)} messages, ${bytes(client.bytes)}`);
    this.#fact("Oldest", client.oldestMs > 0 ? span(client.oldestMs) : "–");
    this.#fact("Delivered", `${count(client.delivered)}, now ${count(client.deliveredPerSecond)} /s`);
    this.#fact("Lost", count(client.dropped));
    this.#lanes.show(client.lanes);
  }

  #fact(name, value) {
    if (!this.#known.has(name)) {
      const text = h("dd");
      this.#facts.append(h("div", {}, h("dt", { text: name }), text));
      this.#known.set(name, text);
    }
    say(this.#known.get(name), value);
  }

  #columns() {
    const number = (title, read) => ({ title, number: true, cell: (lane) => count(read(lane)) });
    const outcome = (title, name, read) => ({ title, number: true, cell: coloured(name, read) });
    return [
      { title: "Topic", cell: (lane) => lane.topic },
      { title: "Policy", cell: policy },
      { title: "Waiting", number: true, cell: depth },
      { title: "Bytes", number: true, cell: (lane) => bytes(lane.bytes) },
      { title: "In flight", number: true, cell: (lane) => (lane.window === undefined ? count(lane.inFlight) : `${lane.inFlight} of ${lane.window}`) },
      { title: "Oldest", number: true, cell: (lane) => (lane.oldestMs > 0 ? span(lane.oldestMs) : "–") },
      number("Delivered", (lane) => lane.delivered),
      outcome("Coalesced", "coalesced", (lane) => lane.coalesced),
      outcome("Displaced", "displaced", (lane) => lane.dropped.displaced),
      outcome("Rejected", "rejected", (lane) => lane.dropped.rejected),
      outcome("Expired", "expired", (lane) => lane.dropped.expired),
      number("Given up", (lane) => lane.dropped.exhausted ?? 0),
      number("Retries", (lane) => lane.retries),
      { title: "Action", hideTitle: true, act: true, cell: (lane) => ({ node: this.#unsubscribe(lane.topic) }) },
    ];
  }

  #unsubscribe(topic) {
    const button = h("button", { type: "button", class: "small", "aria-label": `Unsubscribe it from ${topic}`, text: "Unsubscribe…" });
    button.addEventListener("click", async () => {
      const title = `Unsubscribe this client from ${topic}?`;
      if (!(await confirm({ title, text: "What waits for it there is thrown away. It is told, and may subscribe again.", act: "Unsubscribe" }))) return;
      await this.#order("admin/v1/unsubscribe", { client: this.#id, topic }, () => `It is unsubscribed from ${topic}.`);
    });
    return button;
  }

  async #sendAway() {
    const text = "Its connection is closed and what waits for it is thrown away. Most clients connect again by themselves.";
    if (!(await confirm({ title: "Disconnect this client?", text, act: "Disconnect" }))) return;
    await this.#order("admin/v1/disconnect", { client: this.#id, reason: "dashboard" }, () => "It is disconnected.");
    await this.update();
  }

  async #order(path, body, told) {
    try {
      const answer = await post(path, body);
      say(this.#answer, told(answer));
      this.#answer.classList.remove("wrong");
    } catch (error) {
      say(this.#answer, error.message);
      this.#answer.classList.add("wrong");
    }
  }

  #hear({ kind, data }) {
    const told = JSON.parse(data);
    remember(this.#events, { number: this.#heard++, kind, told, times: 1 }, MOST_EVENTS);
    this.#list.show(this.#events);
  }
}

/** A depth, and how much of its limit that is. */
function depth(lane) {
  const text = h("span");
  const bar = h("span");
  const level = h("span", { class: "level", "aria-hidden": "true" }, bar);
  const update = ({ depth, limits, spilled }) => {
    const share = Math.min(1, depth / limits.messages);
    const onDisk = spilled?.messages > 0 ? `, ${count(spilled.messages)} on disk` : "";
    say(text, `${count(depth)} of ${count(limits.messages)}${onDisk}`);
    bar.style.width = `${(share * 100).toFixed(0)}%`;
    level.classList.toggle("full", share >= 0.9);
  };
  update(lane);
  return { node: h("span", {}, text, level), update };
}

/** A number in the colour of its outcome, once there is one. */
function coloured(name, read) {
  return (lane) => {
    const node = h("span");
    const update = (lane) => {
      const value = read(lane);
      say(node, count(value));
      node.className = value > 0 ? "outcome" : "zero";
      mark(node, "data-outcome", value > 0 ? name : undefined);
    };
    update(lane);
    return { node, update };
  };
}

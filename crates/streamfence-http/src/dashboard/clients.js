// Who is there, and who is slow.
import { Table, h, say } from "./dom.js";
import { bytes, count, plural, span } from "./format.js";

/** Why a client counts as slow. */
export const REASONS = {
  depth: "too much waits for it",
  blocked: "its connection takes nothing",
  unacked: "it does not ack what it has",
  overflow: "it loses messages",
  age: "its oldest message waits too long",
};

const SORTS = { depth: "most waiting", bytes: "most bytes waiting", age: "oldest message", drops: "most lost", rate: "most delivered", connected: "longest here" };

export class SlowClients {
  #table = new Table({
    label: "Slow clients",
    keyOf: (client) => client.id,
    none: "Nobody is slow: every client takes what is sent to it in time.",
    columns: [
      { title: "Client", cell: link },
      { title: "Namespace", cell: (client) => client.namespace },
      { title: "Why", cell: (client) => REASONS[client.reason] ?? client.reason },
      { title: "Since", number: true, cell: (client) => span(client.sinceMs) },
      ...waiting(),
    ],
  });
  #note = h("p", { class: "note" });

  constructor(section) {
    section.append(h("div", { class: "head" }, h("h2", { id: "slow-title", tabindex: -1, text: "Slow clients" }), this.#note), this.#table.node);
  }

  update({ slow }) {
    const more = slow.total > slow.clients.length ? `, of which the first ${count(slow.clients.length)} are shown` : "";
    say(this.#note, slow.total > 0 ? `${plural(slow.total, "client")}${more}; nobody waits for them` : "");
    this.#table.show(slow.clients);
  }
}

export class Clients {
  /** By what they are sorted; the next look asks for it. */
  sort = "depth";
  #note = h("p", { class: "note" });
  #table = new Table({
    label: "Clients",
    keyOf: (client) => client.id,
    none: "No client is connected.",
    columns: [
      { title: "Client", cell: link },
      { title: "Namespace", cell: (client) => client.namespace },
      { title: "Principal", cell: (client) => client.principal ?? "–" },
      { title: "Connection", cell: (client) => (client.detachedMs === undefined ? client.transport : "away") },
      { title: "Here for", number: true, cell: (client) => span(client.connectedMs) },
      { title: "Lanes", number: true, cell: (client) => count(client.lanes) },
      ...waiting(),
    ],
  });

  constructor(section, look) {
    const options = Object.entries(SORTS).map(([value, text]) => h("option", { value, text }));
    const select = h("select", { name: "sort" }, ...options);
    select.addEventListener("change", () => {
      this.sort = select.value;
      look();
    });
    section.append(
      h("div", { class: "head" }, h("h2", { id: "clients-title", tabindex: -1, text: "Clients" }), this.#note, h("label", { class: "note" }, "First: ", select)),
      this.#table.node,
    );
  }

  update({ clients }) {
    const more = clients.total > clients.clients.length ? `, the first ${count(clients.clients.length)} of them` : "";
    say(this.#note, `${plural(clients.total, "client")}${more}`);
    this.#table.show(clients.clients);
  }
}

function waiting() {
  return [
    { title: "Waiting", number: true, cell: (client) => count(client.depth) },
    { title: "Bytes", number: true, cell: (client) => bytes(client.bytes) },
    { title: "In flight", number: true, cell: (client) => count(client.inFlight) },
    { title: "Oldest", number: true, cell: (client) => (client.oldestMs > 0 ? span(client.oldestMs) : "–") },
    { title: "Lost", number: true, cell: (client) => count(client.dropped) },
    { title: "Delivered", number: true, cell: (client) => count(client.delivered) },
    { title: "Now /s", number: true, cell: (client) => count(client.deliveredPerSecond) },
  ];
}

function link({ id }) {
  return { node: h("a", { class: "id", href: `#/clients/${id}`, text: id }) };
}

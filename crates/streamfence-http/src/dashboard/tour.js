// The tour: clients that one can start and watch, where the server runs its demo. Elsewhere there is none of this.
import { get, post } from "./api.js";
import { List, h, say } from "./dom.js";
import { span } from "./format.js";

const KINDS = {
  slow: {
    start: "Start a slow client",
    name: "Reads 2 KiB a second",
    see: "It is sent some 13 KiB. Within seconds its lanes are full, and each topic’s policy decides what gives way.",
  },
  silent: {
    start: "Start one that never acks",
    name: "Reads everything, acks nothing",
    see: "Alerts are sent to it five times, two seconds apart; then each is a dead letter.",
  },
};

export class Tour {
  #section;
  #list;
  #buttons = new Map();
  #answer = h("p", { class: "answer", role: "status" });

  constructor(section) {
    this.#section = section;
    for (const [kind, { start }] of Object.entries(KINDS)) {
      const button = h("button", { type: "button", class: kind === "slow" ? "main" : undefined, text: start });
      button.addEventListener("click", () => this.#order("start", { kind }));
      this.#buttons.set(kind, button);
    }
    const list = h("ul");
    // One whose name has become known is drawn anew, with a link.
    this.#list = new List(list, (client) => `${client.id} ${client.clientId ?? ""}`, (client) => this.#row(client));
    section.className = "tour";
    section.append(
      h("h2", { id: "tour-title", text: "Watch a slow client" }),
      h("p", { text: "This is a demo. Five topics are published to, each with another policy, and some clients keep up. Start one that does not, and watch: the others go on undisturbed, and for the slow one each policy decides what it gets. Its name below leads to its lanes." }),
      h("div", { class: "buttons" }, ...this.#buttons.values()),
      this.#answer,
      list,
    );
  }

  /** Looks whether there is a tour, and how its clients are. */
  async update() {
    this.#show(await get("demo/v1/clients"));
  }

  async #order(what, body) {
    try {
      this.#show(await post(`demo/v1/clients/${what}`, body));
      say(this.#answer, "");
    } catch (error) {
      say(this.#answer, error.message);
    }
  }

  #show({ clients, most }) {
    this.#section.hidden = false;
    for (const button of this.#buttons.values()) button.disabled = clients.length >= most;
    this.#list.show(clients);
  }

  #row({ id, kind, clientId }) {
    const left = h("span", { class: "note" });
    const link = clientId ? h("a", { class: "id", href: `#/clients/${clientId}`, text: clientId }) : h("span", { class: "note", text: "connecting…" });
    const stop = h("button", { type: "button", class: "small", "aria-label": `Stop the client that ${KINDS[kind].name.toLowerCase()}`, text: "Stop" });
    stop.addEventListener("click", () => this.#order("stop", { id }));
    const node = h("li", {}, h("b", { text: KINDS[kind].name }), h("span", { class: "see", text: KINDS[kind].see }), link, left, stop);
    return { node, update: ({ endsInMs }) => say(left, `ends by itself in ${span(endsInMs)}`) };
  }
}

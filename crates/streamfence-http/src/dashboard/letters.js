// Dead letters: what was given up, to be tried again or thrown away.
import { post } from "./api.js";
import { confirm } from "./dialog.js";
import { List, Table, h, mark, say } from "./dom.js";
import { clock, count, plural } from "./format.js";
import { nameOf } from "./topics.js";

const REASONS = { retries_exhausted: "never acked", exhausted: "never acked", expired: "waited too long", disconnected: "its client left" };

export class DeadLetters {
  #note = h("p", { class: "note" });
  #answer = h("p", { class: "answer", role: "status" });
  #topics = h("div", { class: "buttons" });
  #orders;
  #table;
  #look;

  constructor(section, look) {
    this.#look = look;
    this.#orders = new List(this.#topics, (topic) => nameOf(topic), (topic) => this.#ordersFor(topic));
    this.#table = new Table({
      label: "Dead letters",
      keyOf: (letter) => `${letter.namespace} ${letter.topic} ${letter.client} ${letter.id} ${letter.at}`,
      none: "There are none: nothing that had to arrive was given up.",
      columns: [
        { title: "At", cell: (letter) => clock(letter.at) },
        { title: "Topic", cell: nameOf },
        { title: "Client", cell: ({ client }) => ({ node: h("a", { class: "id", href: `#/clients/${client}`, text: client }) }) },
        { title: "Why", cell: (letter) => REASONS[letter.reason] ?? letter.reason },
        { title: "Attempts", number: true, cell: (letter) => count(letter.attempts) },
        { title: "Payload", cell: payload },
        { title: "Actions", hideTitle: true, act: true, cell: (letter) => ({ node: this.#ordersForOne(letter) }) },
      ],
    });
    section.append(
      h("div", { class: "head" }, h("h2", { id: "dead-letters-title", tabindex: -1, text: "Dead letters" }), this.#note, this.#topics),
      this.#answer,
      this.#table.node,
    );
  }

  update({ letters }) {
    const shown = letters.deadLetters;
    const more = letters.total > shown.length ? `, the newest ${count(shown.length)} of them` : "";
    say(this.#note, letters.total > 0 ? `${plural(letters.total, "message")}${more}` : "");
    const topics = new Map(shown.map((letter) => [nameOf(letter), letter]));
    this.#orders.show([...topics.values()]);
    this.#table.show(shown);
  }

  #ordersFor({ namespace, topic }) {
    const name = nameOf({ namespace, topic });
    const replay = h("button", { type: "button", class: "small", text: `Replay all of ${name}` });
    replay.addEventListener("click", () => this.#order("replay", { namespace, topic }));
    const purge = h("button", { type: "button", class: "small danger", text: `Purge ${name}…` });
    purge.addEventListener("click", async () => {
      const question = { title: `Purge the dead letters of ${name}?`, text: "They are thrown away for good.", act: "Purge" };
      if (await confirm(question)) await this.#order("purge", { namespace, topic });
    });
    return { node: h("span", { class: "buttons" }, replay, purge) };
  }

  #ordersForOne({ namespace, topic, client, id }) {
    const replay = h("button", { type: "button", class: "small", "aria-label": `Replay ${id}`, text: "Replay" });
    replay.addEventListener("click", () => this.#order("replay", { namespace, topic, client, ids: [id] }));
    return replay;
  }

  async #order(what, chosen) {
    try {
      const { count: done } = await post(`admin/v1/dead-letters/${what}`, chosen);
      say(this.#answer, what === "replay" ? `${plural(done, "message is", "messages are")} on the way again.` : `${plural(done, "message is", "messages are")} gone.`);
      this.#answer.classList.remove("wrong");
    } catch (error) {
      say(this.#answer, error.message);
      this.#answer.classList.add("wrong");
    }
    this.#look();
  }
}

function payload(letter) {
  const text = letter.payload === undefined ? (letter.payloadBase64 === undefined ? "too large to be shown" : "binary") : JSON.stringify(letter.payload);
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  const node = h("span", { class: "payload", text: short });
  mark(node, "title", text === short ? undefined : text.slice(0, 2_000));
  return { node };
}

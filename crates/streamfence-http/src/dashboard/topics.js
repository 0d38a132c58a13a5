// Topics: their policies, how deep and old their lanes are, and what became of their messages.
import { Table, h, say } from "./dom.js";
import { count, plural, span } from "./format.js";
import { POLICIES, ofPolicy } from "./outcomes.js";

export class Topics {
  #table;
  #note = h("p", { class: "note" });
  #rates;

  constructor(section, rates) {
    this.#rates = rates;
    const number = (title, read, hint) => ({ title, number: true, hint, cell: (topic) => count(read(topic)) });
    const perSecond = (title, name, hint) => ({ title, number: true, hint, cell: (topic) => quiet(topic, (topic) => this.#rates.of(nameOf(topic), name)) });
    this.#table = new Table({
      label: "Topics",
      keyOf: nameOf,
      none: "There are no topics.",
      columns: [
        { title: "Topic", cell: nameOf },
        { title: "Policy", cell: policy },
        number("Lanes", (topic) => topic.subscribers, "one for each client that is subscribed"),
        number("Deepest", (topic) => topic.depthMax, "messages in the lane that has the most"),
        number("Waiting", (topic) => topic.queued, "messages in all lanes, those on disk included"),
        { title: "Oldest", number: true, hint: "for how long the oldest message has waited", cell: (topic) => (topic.oldestMs > 0 ? span(topic.oldestMs) : "–") },
        perSecond("Published", "published"),
        perSecond("Delivered", "delivered"),
        perSecond("Coalesced", "coalesced"),
        perSecond("Displaced", "displaced"),
        perSecond("Rejected", "rejected"),
        perSecond("Expired", "expired"),
        perSecond("Spilled", "spilled"),
        perSecond("Retries", "retries"),
      ],
    });
    section.append(h("div", { class: "head" }, h("h2", { id: "topics-title", tabindex: -1, text: "Topics" }), this.#note), this.#table.node);
  }

  update({ topics, info }) {
    say(this.#note, `${plural(info.lanes, "lane")} in ${plural(topics.length, "topic")}; from Published on, messages a second`);
    this.#table.show(topics);
  }
}

/** A name for a topic, everywhere. */
export function nameOf({ namespace, topic }) {
  return `${namespace} ${topic}`;
}

/** A policy in its colour; what it means on asking. */
export function policy(item) {
  const name = h("span", { class: "outcome" });
  const node = h("span", {}, name);
  const update = ({ overflow, delivery }) => {
    name.dataset.outcome = ofPolicy(overflow);
    name.title = POLICIES[overflow] ?? "";
    say(name, delivery === "AT_LEAST_ONCE" ? `${overflow}, until acked` : overflow);
  };
  update(item);
  return { node, update };
}

/** A number that is mostly nothing is soft while it is. */
function quiet(topic, read) {
  const node = h("span");
  const update = (topic) => {
    const value = read(topic);
    say(node, count(value));
    node.classList.toggle("zero", !(value > 0));
  };
  update(topic);
  return { node, update };
}

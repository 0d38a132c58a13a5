// A select of topics that keeps what was chosen while the topics it offers change.
import { h } from "./dom.js";

/** A pattern stands for topics; it is none itself. */
const isName = ({ topic }) => !topic.includes("*");

export class TopicChoice {
  #known = "";

  constructor(name) {
    this.node = h("select", { name, required: true });
  }

  /** `{namespace, topic, delivery}`, or nothing. */
  get value() {
    const { selectedOptions } = this.node;
    return selectedOptions.length > 0 ? JSON.parse(selectedOptions[0].value) : undefined;
  }

  show(topics) {
    const wanted = topics.filter(isName).map(({ namespace, topic, delivery }) => ({ namespace, topic, delivery }));
    const now = JSON.stringify(wanted);
    if (now === this.#known) return;
    this.#known = now;
    const chosen = this.node.value;
    const options = wanted.map((topic) => h("option", { value: JSON.stringify(topic), text: `${topic.namespace} ${topic.topic}` }));
    this.node.replaceChildren(...options);
    if (chosen && options.some((option) => option.value === chosen)) this.node.value = chosen;
  }
}

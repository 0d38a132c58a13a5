// The test publisher: a message in, what became of it out.
import { post } from "./api.js";
import { TopicChoice } from "./choice.js";
import { h } from "./dom.js";
import { plural } from "./format.js";
import { OUTCOMES } from "./outcomes.js";

/** How long it is waited for acks. */
const PATIENCE_MS = 5_000;

export class Publisher {
  #topic = new TopicChoice("topic");
  #payload = h("textarea", { name: "payload", spellcheck: "false", required: true });
  #key = h("input", { name: "key", autocomplete: "off" });
  #to = h("input", { name: "to", autocomplete: "off", placeholder: "everyone" });
  #wait = h("input", { type: "checkbox", name: "wait" });
  #answer = h("p", { class: "answer", role: "status" });

  constructor(section) {
    this.#payload.value = '{"hello": "from the dashboard"}';
    const form = h(
      "form",
      { class: "fields" },
      h("label", {}, "Topic", this.#topic.node),
      h("label", {}, "To a client", this.#to),
      h("label", {}, "Key", this.#key),
      h("label", { class: "whole" }, "Payload, JSON", this.#payload),
      h("div", { class: "buttons whole" }, h("button", { class: "main", text: "Publish" }), h("label", { class: "check" }, this.#wait, "wait for acks")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#publish();
    });
    const offer = () => {
      // Only what is sent until it is acked can be waited for.
      this.#wait.disabled = this.#topic.value?.delivery !== "AT_LEAST_ONCE";
      if (this.#wait.disabled) this.#wait.checked = false;
    };
    this.#topic.node.addEventListener("change", offer);
    this.offer = offer;
    section.append(h("h3", { id: "publisher-title", text: "Publish a message" }), form, this.#answer);
  }

  update({ topics }) {
    this.#topic.show(topics);
    this.offer();
  }

  async #publish() {
    const { namespace, topic } = this.#topic.value ?? {};
    const message = { namespace, topic };
    try {
      message.payload = JSON.parse(this.#payload.value);
    } catch (error) {
      this.#refused(`The payload is not JSON: ${error.message}`);
      return;
    }
    if (this.#key.value) message.key = this.#key.value;
    if (this.#to.value.trim()) message.to = this.#to.value.trim();
    if (this.#wait.checked) message.wait = { for: "acked", count: "all", timeoutMs: PATIENCE_MS };
    try {
      this.#report(await post("v1/publish", message));
    } catch (error) {
      this.#refused(error.message);
    }
  }

  #report({ id, matched, acked, ...report }) {
    const parts = Object.keys(OUTCOMES).filter((name) => report[name] > 0 || (name === "admitted" && matched > 0));
    const shown = parts.map((name) => h("span", { class: "outcome", "data-outcome": name, title: OUTCOMES[name], text: `${report[name]} ${name}` }));
    const matches = matched === 0 ? "nobody is subscribed" : `for ${plural(matched, "client")}`;
    const acks = acked ? [` ${acked.count} of ${plural(acked.wanted, "ack")}${acked.timedOut ? ` within ${PATIENCE_MS / 1_000} s` : ""}`] : [];
    this.#answer.className = "answer";
    this.#answer.replaceChildren(h("span", { class: "id", text: id }), ` ${matches}: `, ...shown, ...acks);
  }

  #refused(why) {
    this.#answer.className = "answer wrong";
    this.#answer.replaceChildren(why);
  }
}

// The figures at the top: how it stands now, each with the last minutes behind it.
import { h, mark, say, svg } from "./dom.js";
import { bytes, count, plural, span } from "./format.js";

const FIGURES = [
  {
    title: "Clients",
    now: ({ info }) => count(info.sessions),
    more: ({ info }) => `on ${plural(info.connections, "connection")}${info.detached > 0 ? `, ${count(info.detached)} away` : ""}`,
    spark: (history) => history.level((sample) => sample.sessions),
  },
  {
    title: "Slow clients",
    now: ({ slow }) => count(slow.total),
    more: ({ slow }) => (slow.total > 0 ? "see below" : "all keep up"),
    isAlarming: ({ slow }) => slow.total > 0,
  },
  rate("Published", (totals) => totals.published, (value) => [count(value), "/s"]),
  rate("Delivered", (totals) => totals.delivered, (value) => [count(value), "/s"]),
  {
    title: "Waiting",
    now: ({ topics }) => count(sum(topics, "queued")),
    more: ({ topics }) => {
      const oldest = Math.max(0, ...topics.map((topic) => topic.oldestMs));
      return oldest > 0 ? `oldest ${span(oldest)}` : "nothing waits";
    },
    spark: (history) => history.level((sample) => sample.queued),
  },
  rate("Out", (totals) => totals.bytesOut, (value) => [bytes(value), "/s"]),
  rate("In", (totals) => totals.bytesIn, (value) => [bytes(value), "/s"]),
  {
    title: "Retries",
    now: ({ history }) => count(history.rate((totals) => totals.retries)),
    unit: "/s",
    more: ({ topics }) => plural(sum(topics, "deadLetters"), "dead letter"),
    spark: (history) => history.rates({ value: (totals) => totals.retries }),
  },
  {
    title: "Memory",
    now: ({ info }) => (info.memory ? bytes(info.memory.usedBytes) : "–"),
    more: ({ info }) => (info.memory ? `for messages, of ${bytes(info.memory.budgetBytes)}` : "no budget"),
    isAlarming: ({ info }) => info.memory && info.memory.usedBytes > 0.9 * info.memory.budgetBytes,
    spark: (history) => history.level((sample) => sample.memoryUsedBytes),
  },
];

export class Figures {
  #figures;

  constructor(list) {
    this.#figures = FIGURES.map((figure) => {
      const value = h("dd");
      const unit = h("small", { text: figure.unit });
      const text = h("span");
      value.append(text, unit);
      const more = h("dd", { class: "more" });
      const line = figure.spark ? svg("path") : undefined;
      const spark = line ? svg("svg", { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" }, line) : null;
      const tail = h("dd", {}, spark);
      list.append(h("div", {}, h("dt", { text: figure.title }), value, figure.more ? more : spark ? tail : null));
      if (figure.more && spark) more.append(h("span"), spark);
      return { figure, value, text, unit, more, line };
    });
  }

  update(seen) {
    for (const { figure, value, text, unit, more, line } of this.#figures) {
      const now = figure.now(seen);
      say(text, Array.isArray(now) ? now[0] : now);
      if (Array.isArray(now)) say(unit, now[1]);
      if (figure.more) say(line ? more.firstChild : more, figure.more(seen));
      value.classList.toggle("alarm", Boolean(figure.isAlarming?.(seen)));
      if (line) mark(line, "d", outline(figure.spark(seen.history)));
    }
  }
}

function rate(title, read, show) {
  return {
    title,
    now: ({ history }) => show(history.rate(read)),
    spark: (history) => history.rates({ value: read }),
  };
}

function sum(topics, name) {
  return topics.reduce((sum, topic) => sum + topic[name], 0);
}

/** A line through the values, from nothing to the most there was. */
function outline(points) {
  if (points.length < 2) return "";
  const most = Math.max(1, ...points.map((point) => point.value));
  const place = (point, index) => `${((index / (points.length - 1)) * 100).toFixed(1)},${(19 - (point.value / most) * 18).toFixed(1)}`;
  return `M${points.map(place).join("L")}`;
}

// What policies did with messages, a second, over the last minutes: areas upon each other, and the same as a table.
import { List, h, mark, say, svg } from "./dom.js";
import { clock, count } from "./format.js";
import { OUTCOMES } from "./outcomes.js";

/** From the bottom up. An admitted message that also did something else counts as that. */
const READS = {
  admitted: (totals) => totals.offered - totals.rejected - totals.coalesced - totals.spilled,
  coalesced: (totals) => totals.coalesced,
  spilled: (totals) => totals.spilled,
  displaced: (totals) => totals.displaced,
  expired: (totals) => totals.expired,
  rejected: (totals) => totals.rejected,
};
const NAMES = Object.keys(READS);

const HEIGHT = 240;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;
/** How far it looks back. */
const SPAN_MS = 5 * 60_000;
/** What a row of the table sums up. */
const ROW_MS = 30_000;

export class Chart {
  #paths = new Map(NAMES.map((name) => [name, svg("path", { "data-outcome": name })]));
  #grid = svg("g");
  #cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, hidden: true });
  #drawing = svg("svg", { role: "img", "aria-labelledby": "fates-title fates-summary" });
  #summary = h("p", { id: "fates-summary", class: "hidden" });
  #note = h("p", { class: "note", text: "messages a second, for all clients together" });
  #legend = new Map();
  #hidden = new Set();
  #rows;
  #rates = [];
  /** The place a pointer or an arrow key is at, as an index of the rates. */
  #at;
  #width = 600;

  constructor(section) {
    this.#drawing.append(...NAMES.map((name) => this.#paths.get(name)), this.#grid, this.#cursor);
    const body = h("tbody");
    const head = ["from", ...NAMES].map((name, index) => h("th", { scope: "col", class: index ? "number" : undefined, text: name }));
    const table = h("table", {}, h("caption", { class: "hidden", text: "Messages a second" }), h("thead", {}, h("tr", {}, ...head)), body);
    this.#rows = new List(body, (row) => row.at, makeRow);
    section.append(
      h("div", { class: "head" }, h("h2", { id: "fates-title", text: "What policies did" }), this.#note),
      h(
        "figure",
        { class: "chart" },
        this.#drawing,
        this.#summary,
        h("ul", { class: "legend", "aria-label": "Outcomes shown" }, ...NAMES.map((name) => this.#entry(name))),
        h("details", {}, h("summary", { text: "The same as a table" }), h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "What policies did, as a table" }, table)),
      ),
    );
    this.#drawing.addEventListener("pointermove", (event) => this.#point(event));
    this.#drawing.addEventListener("pointerleave", () => this.#look(undefined));
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = Math.max(240, contentRect.width);
      this.#draw();
    }).observe(this.#drawing);
  }

  update({ history }) {
    this.#rates = history.rates(READS);
    this.#draw();
    const sums = sumsOf(this.#rates);
    const said = NAMES.map((name) => `${count(sums[name] ?? 0)} ${name}`);
    say(this.#summary, `Messages a second on average over the last ${Math.round(this.#rates.length / 60)} minutes: ${said.join(", ")}.`);
    this.#rows.show(rowsOf(this.#rates));
  }

  #entry(name) {
    const value = h("b", { text: "–" });
    const button = h("button", { type: "button", class: "outcome", "data-outcome": name, "aria-pressed": "true", title: OUTCOMES[name] }, `${name} `, value);
    button.addEventListener("click", () => {
      if (!this.#hidden.delete(name)) this.#hidden.add(name);
      mark(button, "aria-pressed", String(!this.#hidden.has(name)));
      this.#draw();
    });
    this.#legend.set(name, value);
    return h("li", {}, button);
  }

  #draw() {
    const end = this.#rates.at(-1)?.at ?? Date.now();
    const shown = NAMES.filter((name) => !this.#hidden.has(name));
    const highest = Math.max(1, ...this.#rates.map((rate) => shown.reduce((sum, name) => sum + rate[name], 0)));
    const step = niceStep(highest / 3);
    const most = Math.ceil(highest / step) * step;
    const x = (at) => LEFT + ((at - end + SPAN_MS) / SPAN_MS) * (this.#width - LEFT);
    const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
    mark(this.#drawing, "viewBox", `0 0 ${this.#width} ${HEIGHT}`);

    const floor = this.#rates.map(() => 0);
    for (const name of NAMES) {
      const lower = this.#rates.map((rate, i) => `${x(rate.at).toFixed(1)},${y(floor[i]).toFixed(1)}`);
      if (shown.includes(name)) this.#rates.forEach((rate, i) => (floor[i] += rate[name]));
      const upper = this.#rates.map((rate, i) => `${x(rate.at).toFixed(1)},${y(floor[i]).toFixed(1)}`);
      const outline = shown.includes(name) && upper.length > 1 ? `M${upper.join("L")}L${lower.reverse().join("L")}Z` : "";
      mark(this.#paths.get(name), "d", outline);
    }
    this.#drawGrid(x, y, step, most, end);
    this.#drawCursor(x);
  }

  #drawGrid(x, y, step, most, end) {
    const lines = [];
    for (let value = 0; value <= most; value += step) {
      const at = y(value).toFixed(1);
      lines.push(svg("line", { class: "grid", x1: LEFT, x2: this.#width, y1: at, y2: at }));
      lines.push(svg("text", { x: LEFT - 6, y: Number(at) + 4, "text-anchor": "end", text: count(value) }));
    }
    for (let minutes = 0; minutes <= 5; minutes++) {
      const anchor = minutes === 0 ? "end" : minutes === 5 ? "start" : "middle";
      const text = minutes === 0 ? "now" : `−${minutes} min`;
      lines.push(svg("text", { x: x(end - minutes * 60_000), y: HEIGHT - 5, "text-anchor": anchor, text }));
    }
    this.#grid.replaceChildren(...lines);
  }

  #drawCursor(x) {
    const rate = this.#rates[this.#at ?? this.#rates.length - 1];
    const isNow = this.#at === undefined || !rate;
    this.#cursor.toggleAttribute("hidden", isNow);
    if (!isNow) {
      mark(this.#cursor, "x1", x(rate.at));
      mark(this.#cursor, "x2", x(rate.at));
    }
    // Now is the mean of a few seconds: single ones flicker.
    const values = isNow ? sumsOf(this.#rates.slice(-3)) : rate;
    for (const [name, value] of this.#legend) say(value, count(values[name] ?? Number.NaN));
    say(this.#note, isNow ? "messages a second, for all clients together" : `messages a second at ${clock(rate.at)}`);
  }

  #point({ clientX }) {
    const { left } = this.#drawing.getBoundingClientRect();
    const end = this.#rates.at(-1)?.at ?? 0;
    const at = end - SPAN_MS + ((clientX - left - LEFT) / (this.#width - LEFT)) * SPAN_MS;
    const index = this.#rates.findLastIndex((rate) => rate.at <= at);
    this.#look(index < 0 ? undefined : index);
  }

  #look(index) {
    this.#at = index;
    this.#draw();
  }
}

function makeRow() {
  const cells = NAMES.map(() => h("td", { class: "number" }));
  const head = h("th", { scope: "row" });
  const update = (row) => {
    say(head, clock(row.at));
    NAMES.forEach((name, i) => say(cells[i], count(row[name])));
  };
  return { node: h("tr", {}, head, ...cells), update };
}

/** Half minutes, the newest first. */
function rowsOf(rates) {
  const groups = Map.groupBy(rates, (rate) => Math.floor(rate.at / ROW_MS) * ROW_MS);
  return [...groups].map(([at, rates]) => ({ at, ...sumsOf(rates) })).reverse();
}

/** The mean of each outcome. */
function sumsOf(rates) {
  if (rates.length === 0) return {};
  const mean = (name) => rates.reduce((sum, rate) => sum + rate[name], 0) / rates.length;
  return Object.fromEntries(NAMES.map((name) => [name, mean(name)]));
}

/** 1, 2 or 5 times a power of ten, at least this. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? 10 * power;
}

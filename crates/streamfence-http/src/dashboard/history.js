// The last minutes: what the server kept for whoever comes, and what was seen since.

/** How many samples, of about a second each, are looked back upon. */
const MOST = 300;
const LEAST_MS = 500;

export class History {
  #samples = [];

  /** Begins with what the server has kept. */
  begin({ samples }) {
    this.#samples = samples.slice(-MOST);
  }

  add(sample) {
    const last = this.#samples.at(-1);
    // A server that has begun anew counts from nothing.
    if (last && sample.totals.published < last.totals.published) this.#samples = [];
    // Two that lie close together make a rate of nothing but noise.
    if (last && sample.at - last.at < LEAST_MS) return;
    this.#samples.push(sample);
    if (this.#samples.length > MOST) this.#samples.shift();
  }

  /** When the newest sample was taken, in milliseconds since 1970. */
  get newest() {
    return this.#samples.at(-1)?.at ?? 0;
  }

  /** A level over time: `[{at, value}]`. */
  level(read) {
    return this.#samples.map((sample) => ({ at: sample.at, value: read(sample) }));
  }

  /** What grows, as a rate over time: `[{at, ...}]` with a number a second for each name of `reads`. */
  rates(reads) {
    const names = Object.entries(reads);
    return this.#samples.slice(1).map((sample, index) => {
      const before = this.#samples[index];
      const seconds = Math.max((sample.at - before.at) / 1_000, 0.001);
      const rate = ([name, read]) => [name, Math.max(0, read(sample.totals) - read(before.totals)) / seconds];
      return { at: sample.at, ...Object.fromEntries(names.map(rate)) };
    });
  }

  /** A rate now: over the last few samples, so that it can be read. */
  rate(read) {
    const last = this.#samples.at(-1);
    const first = this.#samples.at(-4) ?? this.#samples[0];
    if (!last || last === first) return Number.NaN;
    return Math.max(0, read(last.totals) - read(first.totals)) / ((last.at - first.at) / 1_000);
  }
}

/** Rates of many things by name, from their totals at two looks. */
export class Rates {
  #looks = [];

  /** `totals` is a map from a name to an object of numbers. */
  look(at, totals) {
    this.#looks.push({ at, totals });
    if (this.#looks.length > 5) this.#looks.shift();
  }

  /** A second's worth of one of the numbers. */
  of(name, number) {
    const last = this.#looks.at(-1);
    const first = this.#looks.find((look) => look.totals.has(name));
    if (!last?.totals.has(name) || first === last) return Number.NaN;
    const grown = last.totals.get(name)[number] - first.totals.get(name)[number];
    return Math.max(0, grown) / ((last.at - first.at) / 1_000);
  }
}

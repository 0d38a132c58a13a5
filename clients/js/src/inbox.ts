/**
 * What waits for a handler, in order, and how many run at once.
 *
 * Bounded: beyond `limit` the oldest that is not owed gives way, and is told as lost before the next one. What is owed,
 * for which the server waits, is bounded by the server's window.
 */
export class Inbox<Item> {
  #waiting: Item[] = [];
  #running = 0;
  #lost = 0;
  readonly #limits: Limits<Item>;
  readonly #handle: (item: Item) => Promise<void>;

  /** `handle` never rejects. */
  constructor(limits: Limits<Item>, handle: (item: Item) => Promise<void>) {
    this.#limits = limits;
    this.#handle = handle;
  }

  push(item: Item): void {
    this.#waiting.push(item);
    if (this.#waiting.length > this.#limits.limit) this.#giveWay();
    this.#next();
  }

  /** Forgets all that waits; what runs runs on. */
  clear(): void {
    this.#waiting = [];
    this.#lost = 0;
  }

  #giveWay(): void {
    const place = this.#waiting.findIndex((item) => !this.#limits.isOwed(item));
    if (place < 0) return;
    const [item] = this.#waiting.splice(place, 1) as [Item];
    this.#lost += this.#limits.giveUp(item);
  }

  #next(): void {
    while (this.#running < this.#limits.concurrency) {
      const item = this.#lost > 0 ? this.#limits.lost(this.#lost) : this.#waiting.shift();
      this.#lost = 0;
      if (item === undefined) return;
      this.#running += 1;
      void this.#handle(item).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }
}

interface Limits<Item> {
  limit: number;
  concurrency: number;
  /** Whether the server waits for an ack of it. */
  isOwed(item: Item): boolean;
  /** It gives way; how many messages are lost with it. */
  giveUp(item: Item): number;
  /** What tells of `count` messages that gave way. */
  lost(count: number): Item;
}

import { FenceError } from "./errors.js";
import type { Answer } from "./wire.js";

/** How many wishes may be unanswered at once: the server reads no further beyond 64, and refuses some beyond that. */
const UNANSWERED = 32;

/** How many wishes wait to be said; they are about topics and tokens, and few. */
const WISHES = 1_000;

/** Asks the server; rejects with `DISCONNECTED` or `NO_ANSWER`. */
export type Ask = (event: string, body: object) => Promise<Answer>;

/**
 * Wishes on their way, in order, never more unanswered than the server likes. Wishes about subscriptions and tokens go
 * before publishes.
 *
 * Publishes wait for a connection, `limit` of them; the next one is refused, because whoever publishes can be told. Other
 * wishes are for the connection there is: without one they are rejected, and whoever made them makes them again.
 */
export class Outbox {
  #wishes: Waiting[] = [];
  #publishes: Waiting[] = [];
  #unanswered = 0;
  #isOpen = false;
  readonly #limit: number;
  readonly #ask: Ask;

  constructor(limit: number, ask: Ask) {
    this.#limit = limit;
    this.#ask = ask;
  }

  /** Publishes now or when there is a connection. `ttlMs` counts from now on. */
  publish(body: { topic: string; payload: unknown; ttlMs?: number }): Promise<Answer> {
    if (!this.#hasRoom && this.#publishes.length >= this.#limit) {
      const found = `${this.#publishes.length} messages wait already; wanted at most ${this.#limit}`;
      return Promise.reject(new FenceError("OUTBOX_FULL", found, { topic: body.topic }));
    }
    const { ttlMs } = body;
    const expires = ttlMs === undefined ? Infinity : performance.now() + ttlMs;
    return this.#push(this.#publishes, "publish", body, expires);
  }

  wish(event: string, body: object): Promise<Answer> {
    if (!this.#isOpen) return Promise.reject(new FenceError("DISCONNECTED", "there is no connection"));
    if (this.#wishes.length >= WISHES) {
      const found = `${WISHES} wishes wait already to be said`;
      return Promise.reject(new FenceError("OUTBOX_FULL", found));
    }
    return this.#push(this.#wishes, event, body, Infinity);
  }

  open(): void {
    this.#isOpen = true;
    queueMicrotask(() => this.#next());
  }

  /** The connection is gone: publishes wait for the next one. */
  shut(): void {
    this.#isOpen = false;
    reject(this.#wishes.splice(0), new FenceError("DISCONNECTED", "the connection was lost before it was said"));
  }

  /** Rejects all that waits. */
  clear(error: FenceError): void {
    reject(this.#wishes.splice(0), error);
    reject(this.#publishes.splice(0), error);
  }

  get #hasRoom(): boolean {
    return this.#isOpen && this.#unanswered < UNANSWERED;
  }

  #push(queue: Waiting[], event: string, body: object, expires: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      queue.push({ event, body, expires, resolve, reject });
      // Not at once: wishes that are made behind it in the same turn go before it, if it is a publish.
      queueMicrotask(() => this.#next());
    });
  }

  #next(): void {
    while (this.#hasRoom) {
      const waiting = this.#wishes.shift() ?? this.#publishes.shift();
      if (waiting === undefined) return;
      const body = inTime(waiting);
      if (body === undefined) {
        waiting.reject(new FenceError("EXPIRED", "its ttlMs was over before there was a connection"));
        continue;
      }
      this.#unanswered += 1;
      const answered = this.#ask(waiting.event, body).finally(() => (this.#unanswered -= 1));
      answered.then(waiting.resolve, waiting.reject).finally(() => this.#next());
    }
  }
}

interface Waiting {
  event: string;
  body: object;
  /** On the clock of `performance.now()`. */
  expires: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** The body with what is left of its time to live; nothing when that is over. */
function inTime({ body, expires }: Waiting): object | undefined {
  if (expires === Infinity) return body;
  const left = Math.floor(expires - performance.now());
  return left >= 1 ? { ...body, ttlMs: left } : undefined;
}

function reject(queue: Waiting[], error: FenceError): void {
  for (const waiting of queue) waiting.reject(error);
}

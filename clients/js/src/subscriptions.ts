import { Backoff } from "./backoff.js";
import { FenceError } from "./errors.js";
import type { Outbox } from "./outbox.js";
import type { Subscription } from "./subscription.js";
import type { Answer, Position, Unsubscribed } from "./wire.js";

/** How many topics one wish names at most. */
const TOPICS_AT_ONCE = 256;

/** Refusals that are about the moment and not about the topic. */
const PASSING = new Set(["RATE_LIMITED", "BACK_PRESSURE", "AUTH_RATE_LIMITED", "NO_ANSWER", "OUTBOX_FULL"]);

/** The topics a client wants, and their way to the server, which is asked for them on every connection. */
export class Subscriptions {
  readonly #wanted = new Map<string, Subscription<any>>();
  readonly #outbox: Outbox;
  readonly #ended: (ended: Unsubscribed) => void;
  readonly #backoff: Backoff;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  /** Those the server was asked for and has not answered. */
  readonly #asked = new Set<Subscription<any>>();

  /** `ended` hears of a subscription that had stood and that the server ended, or would not give again. */
  constructor(outbox: Outbox, backoff: Backoff, ended: (ended: Unsubscribed) => void) {
    this.#outbox = outbox;
    this.#backoff = backoff;
    this.#ended = ended;
  }

  get(topic: string): Subscription<any> | undefined {
    return this.#wanted.get(topic);
  }

  add(subscription: Subscription<any>): void {
    if (this.#wanted.has(subscription.topic)) {
      throw new Error(`topic ${JSON.stringify(subscription.topic)} has a handler already; unsubscribe first`);
    }
    this.#wanted.set(subscription.topic, subscription);
    if (this.#isOpen) this.#ask([subscription]);
  }

  /** Takes it back; fulfilled when the server knows, which a server that cannot be reached is told later. */
  async remove(topic: string): Promise<void> {
    const subscription = this.#wanted.get(topic);
    if (subscription === undefined) return;
    this.#wanted.delete(topic);
    subscription.end(new FenceError("UNSUBSCRIBED", "it was given back before it stood", { topic }));
    if (this.#isOpen) await this.#drop([topic]);
  }

  /** There is a connection: asks for all, also for what a session may have kept. Asking twice changes nothing. */
  open(): void {
    this.#isOpen = true;
    this.#ask([...this.#wanted.values()]);
  }

  /** A session has kept these topics: gives back what is not wanted, or no longer. */
  resume(kept: string[]): void {
    const unwanted = kept.filter((topic) => !this.#wanted.has(topic));
    if (unwanted.length > 0) void this.#drop(unwanted);
  }

  /** The connection is gone. */
  shut(): void {
    this.#isOpen = false;
    for (const subscription of this.#wanted.values()) subscription.lose();
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#asked.clear();
  }

  /** The server says that a topic has ended. */
  ended({ topic, reason }: Unsubscribed): void {
    // A wish of this client was answered already, and the topic may be wanted again.
    if (reason !== "client") this.#end(topic, reason, `the server ended it: ${reason}`);
  }

  /** Ends all. */
  clear(error: FenceError): void {
    for (const subscription of this.#wanted.values()) subscription.end(error);
    this.#wanted.clear();
  }

  /** Rejects those that have never stood; they are wanted no more. */
  refuseWaiting(error: FenceError): void {
    for (const subscription of this.#wanted.values()) {
      if (subscription.hasStood) continue;
      subscription.end(error);
      this.#wanted.delete(subscription.topic);
    }
  }

  #ask(subscriptions: Subscription<any>[]): void {
    for (const subscription of subscriptions) this.#asked.add(subscription);
    for (const [wishes, alike] of grouped(subscriptions)) {
      for (let from = 0; from < alike.length; from += TOPICS_AT_ONCE) {
        const some = alike.slice(from, from + TOPICS_AT_ONCE);
        const body = { ...(JSON.parse(wishes) as object), topics: some.map(({ topic }) => topic) };
        void this.#outbox.wish("subscribe", body).then(
          (answer) => some.forEach((subscription, i) => this.#answered(subscription, answerOf(answer, i))),
          (error: FenceError) => some.forEach((subscription) => this.#answered(subscription, refusal(error))),
        );
      }
    }
  }

  #answered(subscription: Subscription<any>, answer: Answer): void {
    const { topic } = subscription;
    // An answer that comes late: the next connection asks again, and the application may have changed its mind.
    if (!this.#asked.delete(subscription) || subscription.isEnded) return;
    if (answer.ok) {
      this.#backoff.reset();
      subscription.stand(answer as unknown as Position);
    } else if (PASSING.has(answer.code)) {
      this.#retry ??= setTimeout(() => this.#askAgain(), this.#backoff.next());
    } else if (answer.code !== "DISCONNECTED") {
      this.#end(topic, answer.code, answer.message);
    }
  }

  #askAgain(): void {
    this.#retry = undefined;
    const missing = [...this.#wanted.values()].filter((one) => !one.isStanding && !this.#asked.has(one));
    this.#ask(missing);
  }

  #end(topic: string, reason: string, message: string): void {
    const subscription = this.#wanted.get(topic);
    if (subscription === undefined) return;
    const hadStood = subscription.hasStood;
    this.#wanted.delete(topic);
    this.#asked.delete(subscription);
    subscription.end(new FenceError(reason, message, { topic }));
    if (hadStood) this.#ended({ topic, reason });
  }

  async #drop(topics: string[]): Promise<void> {
    for (let from = 0; from < topics.length; from += TOPICS_AT_ONCE) {
      const some = topics.slice(from, from + TOPICS_AT_ONCE);
      // Without an answer the connection is gone, and what the next one finds standing is dropped then.
      await this.#outbox.wish("unsubscribe", { topics: some }).catch(() => {});
    }
  }
}

/** Those that ask for the same go together: a wish for many topics counts as one. */
function grouped(subscriptions: Subscription<any>[]): Map<string, Subscription<any>[]> {
  const groups = new Map<string, Subscription<any>[]>();
  for (const subscription of subscriptions) {
    const { window, maxFrequency, token } = subscription.options;
    const wishes = JSON.stringify({ window, maxFrequency, token });
    const group = groups.get(wishes) ?? [];
    groups.set(wishes, group);
    group.push(subscription);
  }
  return groups;
}

/** The answer for one of the topics of a wish; a wish that was not understood has one for all. */
function answerOf(answer: Answer, i: number): Answer {
  const { results } = answer as { results?: Answer[] };
  return results?.[i] ?? answer;
}

function refusal({ code, message }: FenceError): Answer {
  return { ok: false, code, message };
}

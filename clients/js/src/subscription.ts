import type { Acks } from "./acks.js";
import { delayMs } from "./backoff.js";
import { FenceError } from "./errors.js";
import { Inbox } from "./inbox.js";
import { Memory } from "./memory.js";
import { demand, type SubscribeOptions, type Verdict } from "./options.js";
import type { Gap, Metadata, Position } from "./wire.js";

/** Called with each message; when what it returns is fulfilled, the message is acked. */
export type Handler<Payload> = (payload: Payload, metadata: Metadata | undefined) => unknown;

/** What a subscription needs of its client. */
export interface House {
  /** Counts connections; a message is acked on the one it came on, or came again on. */
  connection: number;
  acks: Acks;
  nack(topic: string, messageId: string, delayMs: number): void;
  failed(error: FenceError): void;
  gap(gap: Gap): void;
}

/**
 * One topic of a client: its handler, what waits for it, and what it has had already.
 *
 * ```text
 * wanted ──answer──► standing ──lost connection──► wanted
 *    └──refused, unsubscribed──► ended ◄──┘
 * ```
 */
export class Subscription<Payload = unknown> {
  readonly topic: string;
  readonly options: SubscribeOptions;
  /** Fulfilled when it stands for the first time; rejected when it ends before. */
  readonly stood: Promise<Position>;
  #state: "wanted" | "standing" | "ended" = "wanted";
  #hasStood = false;
  #stand!: (position: Position) => void;
  #refuse!: (error: FenceError) => void;
  /** What waits for the handler, or is with it. */
  readonly #underway = new Map<string, Message<Payload>>();
  readonly #handled: Memory<true>;
  readonly #failures: Memory<number>;
  readonly #inbox: Inbox<Item<Payload>>;
  readonly #handler: Handler<Payload>;
  readonly #house: House;

  constructor(topic: string, handler: Handler<Payload>, options: SubscribeOptions, house: House) {
    const { concurrency = 1, maxWaiting = 1_000, remember = 4_096 } = options;
    demand("concurrency", concurrency, 1);
    demand("maxWaiting", maxWaiting, 1);
    demand("remember", remember, 1);
    this.topic = topic;
    this.options = options;
    this.#handler = handler;
    this.#house = house;
    this.#handled = new Memory(remember);
    this.#failures = new Memory(remember);
    this.stood = new Promise((resolve, reject) => ([this.#stand, this.#refuse] = [resolve, reject]));
    // Whoever does not ask for it hears of a refusal by the event.
    this.stood.catch(() => {});
    this.#inbox = new Inbox(
      {
        limit: maxWaiting,
        concurrency,
        isOwed: (item) => "metadata" in item && this.#isOwed(item),
        giveUp: (item) => this.#giveUp(item),
        lost: (count) => ({ gap: { topic, count, reason: "overflow" } }),
      },
      (item) => this.#handle(item),
    );
  }

  /** Whether the server has it. */
  get isStanding(): boolean {
    return this.#state === "standing";
  }

  /** Whether the server has ever had it. */
  get hasStood(): boolean {
    return this.#hasStood;
  }

  /** Whether it is over. */
  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** The server has it. */
  stand(position: Position): void {
    if (this.isEnded) return;
    this.#state = "standing";
    this.#hasStood = true;
    this.#stand(position);
  }

  /** The connection is gone, and the server is to be asked again. */
  lose(): void {
    this.#state = "wanted";
  }

  /** Nothing of it is handled any more. */
  end(why: FenceError): void {
    this.#state = "ended";
    this.#refuse(why);
    this.#inbox.clear();
    this.#underway.clear();
  }

  /** A message came. One that is underway or was handled is not handled again. */
  deliver(payload: Payload, metadata: Metadata | undefined): void {
    const id = metadata?.messageId;
    const item = { payload, metadata, connection: this.#house.connection };
    if (id !== undefined) {
      const underway = this.#underway.get(id);
      if (underway !== undefined) {
        // It is acked for the attempt that came last.
        underway.connection = this.#house.connection;
        return;
      }
      if (this.#handled.get(id)) return this.#ack(item);
      this.#underway.set(id, item);
    }
    this.#inbox.push(item);
  }

  /** A notice came, before the first message after what was missed. */
  miss(gap: Gap): void {
    this.#inbox.push({ gap });
  }

  async #handle(item: Item<Payload>): Promise<void> {
    try {
      if ("gap" in item) return await this.#tell(item.gap);
      await this.#handler(item.payload, item.metadata);
      this.#settle(item);
    } catch (error) {
      this.#fail(item, error);
    }
  }

  /** Forgets a message that waits, which may come again; says how many messages the application misses by it. */
  #giveUp(item: Item<Payload>): number {
    if ("gap" in item) return item.gap.count;
    if (item.metadata !== undefined) this.#underway.delete(item.metadata.messageId);
    return 1;
  }

  async #tell(gap: Gap): Promise<void> {
    this.#house.gap(gap);
    await this.options.onGap?.(gap);
  }

  #settle(message: Message<Payload>): void {
    const id = message.metadata?.messageId;
    if (id === undefined || this.isEnded) return;
    this.#underway.delete(id);
    this.#failures.delete(id);
    this.#handled.set(id, true);
    this.#ack(message);
  }

  #ack(message: Message<Payload>): void {
    if (this.#isOwed(message)) this.#house.acks.add(this.topic, message.metadata!.messageId);
  }

  /** The server waits for an ack of it, or for a nack. */
  #isOwed({ metadata, connection }: Message<Payload>): boolean {
    return metadata?.ackRequired === true && connection === this.#house.connection;
  }

  #fail(item: Item<Payload>, cause: unknown): void {
    const what = "gap" in item ? "onGap" : `the handler of message ${item.metadata?.messageId ?? ""}`;
    this.#house.failed(new FenceError("HANDLER_FAILED", `${what} failed: ${cause}`, { topic: this.topic, cause }));
    if ("gap" in item || this.isEnded || item.metadata === undefined) return;
    const { messageId } = item.metadata;
    const failures = (this.#failures.get(messageId) ?? 0) + 1;
    const verdict = this.#verdict(cause, failures, item.metadata);
    if (verdict === "ack") return this.#settle(item);
    this.#underway.delete(messageId);
    this.#failures.set(messageId, failures);
    if (verdict !== "leave" && this.#isOwed(item)) this.#house.nack(this.topic, messageId, Math.round(verdict.nackAfterMs));
  }

  #verdict(cause: unknown, failures: number, metadata: Metadata): Verdict {
    const { onFailure = { nackAfterMs: delayMs(failures, 1_000, 30_000) } } = this.options;
    if (typeof onFailure !== "function") return onFailure;
    try {
      return onFailure(cause, failures, metadata);
    } catch (error) {
      this.#house.failed(new FenceError("HANDLER_FAILED", `onFailure failed: ${error}`, { topic: this.topic, cause: error }));
      return "leave";
    }
  }
}

interface Message<Payload> {
  payload: Payload;
  metadata: Metadata | undefined;
  connection: number;
}

type Item<Payload> = Message<Payload> | { gap: Gap };

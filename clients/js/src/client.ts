import { Acks } from "./acks.js";
import { Backoff } from "./backoff.js";
import { Connection, type State } from "./connection.js";
import { Emitter } from "./emitter.js";
import { FenceError } from "./errors.js";
import { settle, type FenceOptions, type SubscribeOptions } from "./options.js";
import { Outbox } from "./outbox.js";
import { Subscription, type Handler, type House } from "./subscription.js";
import { Subscriptions } from "./subscriptions.js";
import type { Answer, Gap, Metadata, Position, Refusal, SessionAnswer, Unsubscribed } from "./wire.js";

/** Errors that answer a wish: whoever made it has them as a rejection. */
const ANSWERS = new Set([
  "UNKNOWN_TOPIC",
  "AUTH_RATE_LIMITED",
  "TRANSPORT_REJECTED",
  "PAYLOAD_TOO_LARGE",
  "LIMIT_EXCEEDED",
  "RATE_LIMITED",
  "PUBLISH_REJECTED",
  "BAD_REQUEST",
  "BACK_PRESSURE",
]);

/** What a client tells of itself: `client.on("gap", (gap) => ..)`. */
export interface ClientEvents {
  /** The server hears the client. */
  connected: [];
  /** Follows: with `resumed` it is the session of before, and nothing was missed; with `retentionMs` 0 none is kept. */
  session: [{ resumed: boolean; retentionMs: number }];
  /** The connection was lost. `retryInMs` is missing where no try follows. */
  disconnected: [{ reason: string; retryInMs?: number }];
  /** It is known now who the client is. */
  authenticated: [{ principal: string }];
  /** The server has ended a subscription, or would not give it again after a reconnect. */
  unsubscribed: [Unsubscribed];
  /** Something was missed, on any topic. */
  gap: [Gap];
  /** What is nobody's rejection. Without a listener it is written to the console. */
  error: [FenceError];
}

/** Ways to publish; all of it may be left out. */
export interface PublishOptions {
  /** What the message is the newest value of, on a topic that coalesces. */
  key?: string;
  /** How long it is worth sending, in milliseconds; the wait for a connection counts. */
  ttlMs?: number;
  /** A token for this message alone. */
  token?: string;
}

/**
 * A client of one fenced namespace.
 *
 * `Topics` names the topics and the types of their payloads; without it payloads are `any`.
 *
 * ```ts
 * const alerts = new FenceClient<{ alert: Alert }>("https://example.org/alerts");
 * await alerts.subscribe("alert", async (alert) => store(alert)); // acked when stored
 * ```
 */
export class FenceClient<Topics extends object = Record<string, any>> extends Emitter<ClientEvents> {
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #house: House = {
    connection: 0,
    acks: new Acks((body) => this.#connection.tell("ack", body)),
    nack: (topic, messageId, delayMs) => this.#connection.tell("nack", { topic, messageId, delayMs }),
    failed: (error) => this.#fail(error),
    gap: (gap) => void this.emit("gap", gap),
  };
  /** How many tokens are being looked at. */
  #authenticating = 0;
  /** What waits for a connection to be said on: the newest token. */
  #awaiting: { resolve(): void; reject(error: FenceError): void } | undefined;

  /**
   * `url` ends with the path of the namespace.
   *
   * Subscribe before anything is awaited, or with `autoConnect: false` before `connect()`: topics of a session that
   * nobody has asked for when it is resumed are given back.
   *
   * @throws RangeError for an option out of its range.
   */
  constructor(url: string, options: FenceOptions = {}) {
    super();
    const settings = settle(options);
    const { minMs, maxMs } = settings.backoff;
    this.#connection = new Connection(url, settings, {
      up: () => this.#up(),
      session: (answer) => this.#session(answer),
      down: (reason, retryInMs) => this.#down(reason, retryInMs),
      heard: (event, args) => this.#heard(event, args),
      refused: (error) => this.#refused(error),
      failed: (error) => this.#fail(error),
    });
    this.#outbox = new Outbox(settings.outboxLimit, (event, body) => this.#connection.ask(event, body));
    this.#subscriptions = new Subscriptions(this.#outbox, new Backoff(minMs, maxMs), (ended) =>
      this.emit("unsubscribed", ended),
    );
    if (settings.autoConnect) this.connect();
  }

  /** Where the connection is. */
  get state(): State {
    return this.#connection.state;
  }

  /**
   * Connects now: for the first time, without waiting for the next try, or after the token was refused.
   *
   * @throws FenceError `CLOSED` once the client was closed.
   */
  connect(): void {
    this.#connection.start();
  }

  /**
   * Has a topic's messages handled, from now on and over all reconnects.
   *
   * A message that asks for an ack is acked when the handler has succeeded; what happens when it throws is the option
   * `onFailure`. A message that comes again is not handled again.
   *
   * Fulfilled when the server has the subscription, which is the next connection if there is none, with where it begins:
   * everything after that `offset` comes. Rejected with the server's code, such as `UNKNOWN_TOPIC`; then the topic is not
   * wanted any more. Rejected, too, with an `Error` for a topic that has a handler and a `RangeError` for an option out of
   * its range.
   */
  async subscribe<Topic extends keyof Topics & string>(
    topic: Topic,
    handler: Handler<Topics[Topic]>,
    options: SubscribeOptions = {},
  ): Promise<Position> {
    this.#demandOpen();
    const subscription = new Subscription(topic, handler, options, this.#house);
    this.#subscriptions.add(subscription);
    return await subscription.stood;
  }

  /** Ends a subscription: nothing that waits for its handler is handled. Fulfilled when the server knows, too. */
  unsubscribe(topic: keyof Topics & string): Promise<void> {
    return this.#subscriptions.remove(topic);
  }

  /**
   * Publishes a message, or keeps it until there is a connection. What the server says of it is the answer.
   *
   * Rejected with the server's code, or `OUTBOX_FULL`, `EXPIRED`, `CLOSED`: then it was not published. With
   * `DISCONNECTED` and `NO_ANSWER` it may have been: publishing it again may double it.
   */
  async publish<Topic extends keyof Topics & string>(
    topic: Topic,
    payload: Topics[Topic],
    options: PublishOptions = {},
  ): Promise<Record<string, unknown>> {
    this.#demandOpen();
    return accepted(await this.#outbox.publish({ topic, payload, ...options }), topic);
  }

  /**
   * Says who the client is, now and with every connection from now on.
   *
   * Without a connection it waits for one. Rejected when the server refuses the token; then the one before is shown again.
   */
  async authenticate(token: string): Promise<{ principal: string }> {
    this.#demandOpen();
    const before = this.#connection.token;
    this.#connection.token = token;
    this.#authenticating += 1;
    try {
      this.connect();
      const answer = accepted(await this.#askOnceConnected("authenticate", { token }));
      return { principal: String(answer.principal) };
    } catch (error) {
      if (this.#connection.token === token) this.#connection.token = before;
      throw error;
    } finally {
      this.#authenticating -= 1;
    }
  }

  /**
   * Ends the client for good. What waits to be published is rejected with `CLOSED`; acks of handled messages still go.
   *
   * The server is told, and its session ends; with `keepSession` it is not told, so that another client with the same
   * store has what it missed.
   */
  async close({ keepSession = false }: { keepSession?: boolean } = {}): Promise<void> {
    if (this.state === "closed") return;
    this.#house.acks.flush();
    const wasConnected = this.state === "connected";
    const closed = this.#connection.close(!keepSession);
    this.#quit(new FenceError("CLOSED", "the client was closed"));
    if (wasConnected) this.emit("disconnected", { reason: "closed" });
    await closed;
  }

  #up(): void {
    this.#house.connection += 1;
    this.#outbox.open();
    this.#subscriptions.open();
    this.#awaiting?.resolve();
    this.#awaiting = undefined;
    this.emit("connected");
  }

  #session({ resumed, retentionMs, topics }: SessionAnswer): void {
    this.#subscriptions.resume(topics);
    this.emit("session", { resumed, retentionMs });
  }

  #down(reason: string, retryInMs: number | undefined): void {
    this.#leave();
    this.emit("disconnected", retryInMs === undefined ? { reason } : { reason, retryInMs });
  }

  #heard(event: string, args: unknown[]): void {
    const [body, second] = args;
    switch (event) {
      case "subscribed":
        return;
      case "authenticated":
        return void this.emit("authenticated", body as { principal: string });
      case "unsubscribed":
        return this.#subscriptions.ended(body as Unsubscribed);
      case "gap":
        return this.#subscriptions.get((body as Gap).topic)?.miss(body as Gap);
      case "error":
        return this.#told(body as Refusal);
    }
    const subscription = this.#subscriptions.get(event);
    // A topic's event has the metadata second, if at all; with `ack: native` a callback may stand there.
    const metadata = typeof second === "object" ? ((second as Metadata | null) ?? undefined) : undefined;
    if (subscription) return subscription.deliver(body, metadata);
    if (event === "topic-message") {
      const { metadata, payload } = body as { metadata: Metadata; payload: unknown };
      this.#subscriptions.get(metadata.topic)?.deliver(payload, metadata);
    }
  }

  #told(refusal: Refusal): void {
    const { code, message, topic } = refusal;
    const isAnswer = ANSWERS.has(code) || (code === "AUTH_REJECTED" && (topic !== undefined || this.#authenticating > 0));
    if (isAnswer) return;
    this.#connection.expectEnd(refusal);
    this.#fail(new FenceError(code, message, { topic }));
  }

  /** Asks, and asks the next connection when this one is lost before the answer. */
  async #askOnceConnected(event: string, body: object): Promise<Answer> {
    for (;;) {
      await this.#connected();
      try {
        return await this.#outbox.wish(event, body);
      } catch (error) {
        if (!(error instanceof FenceError) || error.code !== "DISCONNECTED" || this.state === "closed") throw error;
      }
    }
  }

  #connected(): Promise<void> {
    if (this.state === "connected") return Promise.resolve();
    this.#awaiting?.reject(new FenceError("SUPERSEDED", "a newer token was shown before there was a connection"));
    return new Promise((resolve, reject) => (this.#awaiting = { resolve, reject }));
  }

  #refused(error: FenceError): void {
    this.#stopWaiting(error);
    this.#outbox.clear(error);
    this.#subscriptions.refuseWaiting(error);
    this.#fail(error);
  }

  #quit(error: FenceError): void {
    this.#stopWaiting(error);
    this.#leave();
    this.#subscriptions.clear(error);
    this.#outbox.clear(error);
  }

  #stopWaiting(error: FenceError): void {
    this.#awaiting?.reject(error);
    this.#awaiting = undefined;
  }

  /** Nothing counts on the connection there was: what is sent again comes on another. */
  #leave(): void {
    this.#house.connection += 1;
    this.#house.acks.clear();
    this.#subscriptions.shut();
    this.#outbox.shut();
  }

  #fail(error: FenceError): void {
    if (!this.emit("error", error)) console.error(error);
  }

  #demandOpen(): void {
    if (this.state === "closed") throw new FenceError("CLOSED", "the client was closed");
  }
}

/** What the server says, or throws what it says against it. */
function accepted(answer: Answer, topic?: string): Record<string, unknown> {
  if (!answer.ok) throw new FenceError(answer.code, answer.message, { topic: answer.topic ?? topic });
  const { ok, ...rest } = answer;
  return rest;
}

/** What the server answers a wish with, or says before it disconnects a client: docs/protocol.md tells each. */
export type ServerCode =
  | "UNKNOWN_TOPIC"
  | "AUTH_REJECTED"
  | "AUTH_RATE_LIMITED"
  | "TRANSPORT_REJECTED"
  | "PAYLOAD_TOO_LARGE"
  | "LIMIT_EXCEEDED"
  | "RATE_LIMITED"
  | "PUBLISH_REJECTED"
  | "BAD_REQUEST"
  | "BACK_PRESSURE"
  | "SPILL_FULL"
  | "SLOW_CLIENT"
  | "RETRIES_EXHAUSTED"
  | "SHUTTING_DOWN";

/** What this client says itself. */
export type ClientCode =
  /** The outbox is full; nothing was sent. */
  | "OUTBOX_FULL"
  /** The message's `ttlMs` was over before it could be sent. */
  | "EXPIRED"
  /** The connection was lost before the answer came: it may have been carried out or not. */
  | "DISCONNECTED"
  /** No answer came within `answerTimeoutMs`: it may have been carried out or not. */
  | "NO_ANSWER"
  /** The client was closed. */
  | "CLOSED"
  /** A newer token was shown while this one waited for a connection. */
  | "SUPERSEDED"
  /** The subscription was given back before it stood. */
  | "UNSUBSCRIBED"
  /** There is no connection; the next try is on its way. */
  | "CONNECT_FAILED"
  /** The application's `token()` failed. */
  | "TOKEN_FAILED"
  /** The application's session store failed; the session ends with this client. */
  | "STORE_FAILED"
  /** A handler threw; `cause` is what it threw. */
  | "HANDLER_FAILED";

/** Whatever goes wrong, as a rejection or as the event `error`. */
export class FenceError extends Error {
  /** One of the codes above; a newer server may have more. */
  readonly code: ServerCode | ClientCode | (string & {});
  /** The topic it is about, if it is about one. */
  readonly topic: string | undefined;

  constructor(code: FenceError["code"], message: string, more: { topic?: string | undefined; cause?: unknown } = {}) {
    super(`${code}: ${message}`, "cause" in more ? { cause: more.cause } : undefined);
    this.name = "FenceError";
    this.code = code;
    this.topic = more.topic;
  }
}

// What goes over the wire, as docs/protocol.md has it.

/** What comes beside a payload: always where an ack is wanted, elsewhere as the topic's `metadata` says. */
export interface Metadata {
  namespace: string;
  topic: string;
  /** `<epoch>:<offset>`: unique over restarts of the server, and the same on every retry. */
  messageId: string;
  ackRequired: boolean;
  /** With `metadata: full`. */
  epoch?: string;
  /** With `metadata: full`. */
  offset?: number;
  /** Milliseconds since 1970, with `metadata: full`. */
  publishedAt?: number;
  /** From the second attempt on, with `metadata: full`. */
  attempt?: number;
  /** Where the message stands in a distributed trace, if its publisher is part of one: the span to begin another under. */
  traceparent?: string;
  /** What tracing systems say beside it. */
  tracestate?: string;
}

/** Where a subscription begins: everything after `offset` comes. */
export interface Position {
  topic: string;
  clientId: string;
  epoch: string;
  offset: number;
}

/** What was missed. */
export interface Gap {
  topic: string;
  /** The first offset that was missed; not known of an overflow. */
  from?: number;
  /** The last one. */
  to?: number;
  /** How many messages of this client's lie between. */
  count: number;
  /** The server's reason; `overflow` is this client's own: handlers were slower than `maxWaiting` allows. */
  reason: "displaced" | "expired" | "rejected" | "damaged" | "overflow" | (string & {});
}

/** What opens a session again; `secret` is to be kept as a token is. */
export interface Ticket {
  id: string;
  secret: string;
}

/** The server's answer to the wish for a session; without a ticket, and with 0, where it keeps none. */
export interface SessionAnswer extends Partial<Ticket> {
  retentionMs: number;
  resumed: boolean;
  /** The subscriptions that stand. */
  topics: string[];
}

/** A topic's end. */
export interface Unsubscribed {
  topic: string;
  /** `client` is this client's own wish; a code of an error says why the topic was not had again after a reconnect. */
  reason: "client" | "server" | "slow_client" | "removed" | "auth_rejected" | (string & {});
}

/** The object of the event `error`, and of an answer that refuses. */
export interface Refusal {
  code: string;
  message: string;
  topic?: string;
  reconnectAfterMs?: number;
}

/** The answer to a wish. */
export type Answer = ({ ok: true } & Record<string, unknown>) | ({ ok: false } & Refusal);

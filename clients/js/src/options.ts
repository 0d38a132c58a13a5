import type { ManagerOptions, SocketOptions } from "socket.io-client";

import { memoryStore, type SessionStore } from "./session.js";
import type { Gap, Metadata } from "./wire.js";

/** A token, or where to get one; asked anew for each connection. */
export type TokenSource = string | (() => string | Promise<string>);

/** How a client behaves; all of it may be left out. */
export interface FenceOptions {
  /** Shown with every connection. A text that is refused stops the client; a function is asked again later. */
  token?: TokenSource | undefined;
  /**
   * Whether the client asks for a session, so that it gets what it missed when its connection was lost. Default: `true`,
   * with the ticket in memory; a store keeps it elsewhere, such as `webStore(sessionStorage, "alerts")`.
   */
  session?: boolean | SessionStore;
  /** Milliseconds between tries to connect: about `minMs` (default 500), twice as long each time, to `maxMs` (30,000). */
  backoff?: { minMs?: number; maxMs?: number };
  /** How many publishes may wait for a connection. Default: 1,000; 0 lets none wait. */
  outboxLimit?: number;
  /** How long the server may take to answer, and to let the client in, in milliseconds. Default: 20,000. */
  answerTimeoutMs?: number;
  /** Whether to connect at once. Default: `true`; otherwise `connect()` does. */
  autoConnect?: boolean;
  /** What else socket.io-client is told: `transports`, `path`, `extraHeaders`, certificates. */
  io?: Omit<Partial<ManagerOptions & SocketOptions>, OwnOption>;
}

/** The client connects by itself, on a connection of its own: a session lies on one shard of the server. */
type OwnOption = "auth" | "autoConnect" | "forceNew" | "multiplex" | "randomizationFactor" | `reconnection${string}`;

/** How one topic is handled; all of it may be left out. */
export interface SubscribeOptions {
  /** Asks for a smaller window than the topic's `maxInFlight` or `receiptWindow`. */
  window?: number;
  /** Asks for fewer values a second than the topic's `maxFrequency`. */
  maxFrequency?: number;
  /** A token for this topic alone. */
  token?: string;
  /** How many handlers run at once. Default: 1, which keeps the order. */
  concurrency?: number;
  /**
   * How many messages may wait for the handler, besides those the server waits to hear of, which its window bounds.
   * Beyond, the oldest gives way and is told as a gap with `reason: "overflow"`. Default: 1,000.
   */
  maxWaiting?: number;
  /** How many messages that were handled are remembered, to know them when they come again. Default: 4,096. */
  remember?: number;
  /** Called in order with the messages. */
  onGap?: (gap: Gap) => unknown;
  /** What the server hears when the handler throws. Default: `nack` after 1 s, twice as long each time, to 30 s. */
  onFailure?: Verdict | ((error: unknown, failures: number, metadata: Metadata) => Verdict);
}

/**
 * What becomes of a message whose handler threw.
 *
 * `{nackAfterMs}`: the server sends it again after that. `"leave"`: nothing is said, and the server sends it again when
 * its `ackTimeoutMs` is over. `"ack"`: it is done with; right for a topic with `receiptWindow`, where nothing is sent
 * again and what is not confirmed takes its place in the window for good.
 */
export type Verdict = { nackAfterMs: number } | "leave" | "ack";

/** The same with nothing left out. */
export interface Settings {
  token: TokenSource | undefined;
  store: SessionStore | undefined;
  backoff: { minMs: number; maxMs: number };
  outboxLimit: number;
  answerTimeoutMs: number;
  autoConnect: boolean;
  io: Partial<ManagerOptions & SocketOptions>;
}

/** Throws a `RangeError` that names what was found and what is wanted. */
export function settle(options: FenceOptions): Settings {
  const { session = true, backoff: { minMs = 500, maxMs = 30_000 } = {}, outboxLimit = 1_000 } = options;
  const { answerTimeoutMs = 20_000, autoConnect = true } = options;
  demand("backoff.minMs", minMs, 1);
  demand("backoff.maxMs", maxMs, minMs);
  demand("outboxLimit", outboxLimit, 0);
  demand("answerTimeoutMs", answerTimeoutMs, 1);
  const store = session === true ? memoryStore() : session || undefined;
  return {
    token: options.token,
    store,
    backoff: { minMs, maxMs },
    outboxLimit,
    answerTimeoutMs,
    autoConnect,
    io: options.io ?? {},
  };
}

/** Throws a `RangeError` unless the value is a number of at least that. */
export function demand(name: string, value: number, least: number): void {
  if (!(value >= least)) throw new RangeError(`${name} is ${value}; wanted at least ${least}`);
}

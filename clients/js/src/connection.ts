import { io, type Socket } from "socket.io-client";

import { Backoff } from "./backoff.js";
import { FenceError } from "./errors.js";
import type { Settings, TokenSource } from "./options.js";
import type { Answer, Refusal, SessionAnswer, Ticket } from "./wire.js";

/** Where a client's connection is. */
export type State =
  /** Nobody has asked for a connection. */
  | "idle"
  /** One is being made. */
  | "connecting"
  /** There is one. */
  | "connected"
  /** The last one failed or was lost, and the next try has its time. */
  | "waiting"
  /** The server refused the token; there is no next try before `connect` or `authenticate`. */
  | "refused"
  /** The client was closed, for good. */
  | "closed";

/** Who hears of a connection. */
export interface Ears {
  /** It is up. */
  up(): void;
  /** What the server says of the session that was asked for, at once after `up`; without a ticket where it keeps none. */
  session(answer: SessionAnswer): void;
  /** It was lost; the next try is in so many milliseconds, if there is one. */
  down(reason: string, retryInMs: number | undefined): void;
  /** Anything that is said over it. */
  heard(event: string, args: unknown[]): void;
  /** The token was refused, and there is no other. */
  refused(error: FenceError): void;
  failed(error: FenceError): void;
}

/** Lasted a connection as long as this, the next try is a first one: else a server that lets in and puts out is asked in vain. */
const LASTED_MS = 5_000;

/** One connection after the other: shows the token and the ticket, and tries again when it is lost. */
export class Connection {
  /** Shown with the next connection. */
  token: TokenSource | undefined;
  #state: State = "idle";
  /** The token of the connection there is, or of the last try. */
  #shown: TokenSource | undefined;
  /** What the server gave last; the store is for the client that comes after this one. */
  #ticket: Ticket | undefined;
  #upSince = 0;
  #farewell: Refusal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts tries, so that what an earlier one still waits for changes nothing. */
  #try = 0;
  readonly #socket: Socket;
  readonly #backoff: Backoff;
  readonly #settings: Settings;
  readonly #ears: Ears;

  constructor(url: string, settings: Settings, ears: Ears) {
    this.token = settings.token;
    this.#settings = settings;
    this.#ears = ears;
    this.#backoff = new Backoff(settings.backoff.minMs, settings.backoff.maxMs);
    this.#socket = io(url, { ...settings.io, forceNew: true, autoConnect: false, reconnection: false });
    this.#socket.on("connect", () => this.#up());
    this.#socket.on("connect_error", (error) => this.#lost("connect_error", refusalOf(error)));
    this.#socket.on("disconnect", (reason) => this.#lost(reason, this.#farewell));
    this.#socket.onAny((event: string, ...args: unknown[]) => this.#heard(event, args));
  }

  get state(): State {
    return this.#state;
  }

  /** Connects now, unless there is a connection or one on its way. */
  start(): void {
    if (this.#state === "closed") throw new FenceError("CLOSED", "the client was closed");
    if (this.#state === "connected" || this.#state === "connecting") return;
    clearTimeout(this.#timer);
    this.#state = "connecting";
    void this.#connect(++this.#try);
  }

  /** Ends it for good. Without a goodbye the server keeps the session for a while. */
  async close(saysGoodbye: boolean): Promise<void> {
    this.#state = "closed";
    clearTimeout(this.#timer);
    const engine = this.#socket.io.engine;
    if (saysGoodbye) this.#socket.disconnect();
    // An engine that is still on its way, or that has said no goodbye. What is written goes first.
    engine?.close();
    if (saysGoodbye) await this.#keep((store) => store.clear());
  }

  /** Asks, and waits for the answer. */
  ask(event: string, body: object): Promise<Answer> {
    const { answerTimeoutMs } = this.#settings;
    return new Promise((resolve, reject) => {
      this.#socket.timeout(answerTimeoutMs).emit(event, body, (error: Error | null, answer: Answer) => {
        if (error === null) return resolve(answer);
        const silence = new FenceError("NO_ANSWER", `no answer to ${event} within ${answerTimeoutMs} ms`);
        const loss = new FenceError("DISCONNECTED", `the connection was lost before ${event} was answered`);
        reject(this.#socket.connected ? silence : loss);
      });
    });
  }

  /** The server is about to disconnect the client, for this reason. */
  expectEnd(why: Refusal): void {
    this.#farewell = why;
  }

  /** Says something that has no answer. */
  tell(event: string, body: object): void {
    this.#socket.emit(event, body);
  }

  async #connect(mine: number): Promise<void> {
    const isOver = () => this.#try !== mine || this.#state !== "connecting";
    this.#timer = setTimeout(() => this.#giveUp(), this.#settings.answerTimeoutMs);
    this.#shown = this.token;
    let auth: Record<string, unknown>;
    try {
      auth = await this.#papers();
    } catch (error) {
      const failure = new FenceError("TOKEN_FAILED", `token() failed: ${error}`, { cause: error });
      return isOver() ? undefined : this.#lost("token", failure);
    }
    if (isOver()) return;
    this.#socket.auth = auth;
    this.#socket.connect();
  }

  /** What a CONNECT shows. */
  async #papers(): Promise<Record<string, unknown>> {
    const token = typeof this.#shown === "function" ? await this.#shown() : this.#shown;
    const papers = token === undefined ? {} : { token };
    if (this.#settings.store === undefined) return papers;
    this.#ticket ??= await this.#keep((store) => store.load());
    return { ...papers, session: this.#ticket ?? true };
  }

  /** A try has taken too long: whatever it waits for would come late or not at all. */
  #giveUp(): void {
    this.#socket.io.engine?.close();
    this.#socket.disconnect();
    this.#lost("timeout", new FenceError("CONNECT_FAILED", `not in within ${this.#settings.answerTimeoutMs} ms`));
  }

  #heard(event: string, args: unknown[]): void {
    if (this.#state === "closed") return;
    if (event !== "session") return this.#ears.heard(event, args);
    const answer = args[0] as SessionAnswer;
    const { id, secret } = answer;
    if (id !== undefined && secret !== undefined) {
      const ticket = (this.#ticket = { id, secret });
      void this.#keep((store) => store.save(ticket));
    }
    this.#ears.session(answer);
  }

  #up(): void {
    clearTimeout(this.#timer);
    this.#state = "connected";
    this.#upSince = performance.now();
    this.#farewell = undefined;
    this.#ears.up();
  }

  /** A try failed, or a connection was lost. */
  #lost(reason: string, why: FenceError | Refusal | undefined): void {
    const before = this.#state;
    if (before !== "connecting" && before !== "connected") return;
    clearTimeout(this.#timer);
    this.#try += 1;
    const wasPutOut = reason === "connect_error" || reason === "io server disconnect";
    // A function may give another token next time, and another may have come meanwhile.
    const hasOther = typeof this.token === "function" || this.token !== this.#shown;
    const isRefused = wasPutOut && why?.code === "AUTH_REJECTED" && !hasOther;
    if (before === "connected" && performance.now() - this.#upSince > LASTED_MS) this.#backoff.reset();
    let delay: number | undefined;
    if (!isRefused) {
      delay = this.#backoff.next();
      // The server that stops gives each client a time of its own.
      if (why !== undefined && "reconnectAfterMs" in why) delay = why.reconnectAfterMs ?? delay;
      this.#timer = setTimeout(() => this.start(), delay);
    }
    this.#state = isRefused ? "refused" : "waiting";
    this.#farewell = undefined;
    if (before === "connected") this.#ears.down(reason, delay);
    else if (why instanceof FenceError && !isRefused) this.#ears.failed(why);
    if (isRefused) this.#ears.refused(new FenceError("AUTH_REJECTED", "the server refused the token, and there is no other"));
  }

  /** Has the store do something; that it fails costs nothing on the next connection of this client. */
  async #keep<Kept>(use: (store: NonNullable<Settings["store"]>) => Kept | Promise<Kept>): Promise<Kept | undefined> {
    try {
      return this.#settings.store && (await use(this.#settings.store));
    } catch (error) {
      this.#ears.failed(new FenceError("STORE_FAILED", `the session store failed: ${error}`, { cause: error }));
      return undefined;
    }
  }
}

/** Why a CONNECT failed: the server's code where it has said one. */
function refusalOf(error: Error): FenceError {
  // The library puts a `data` on what the server refused, and none on what the network did.
  const isServers = "data" in error && /^[A-Z_]+$/.test(error.message);
  if (isServers) return new FenceError(error.message, "the server does not let the client in");
  return new FenceError("CONNECT_FAILED", error.message, { cause: error });
}

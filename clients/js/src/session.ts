import type { Ticket } from "./wire.js";

/** Where the ticket of a session is kept between connections; one for each client and namespace. */
export interface SessionStore {
  load(): Ticket | undefined | Promise<Ticket | undefined>;
  save(ticket: Ticket): void | Promise<void>;
  clear(): void | Promise<void>;
}

/** The part of the browser's `Storage` that is used. */
export interface WebStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Keeps the ticket as long as the client lives: it survives lost connections, and not the page. */
export function memoryStore(): SessionStore {
  let kept: Ticket | undefined;
  return {
    load: () => kept,
    save: (ticket) => void (kept = ticket),
    clear: () => void (kept = undefined),
  };
}

/**
 * Keeps the ticket in `sessionStorage`, so that a page that is loaded again has its session back.
 *
 * With `localStorage` all tabs have one ticket, and each that connects takes the session from the one before.
 */
export function webStore(storage: WebStorage, key: string): SessionStore {
  return {
    load: () => parse(storage.getItem(key)),
    save: ({ id, secret }) => storage.setItem(key, JSON.stringify({ id, secret })),
    clear: () => storage.removeItem(key),
  };
}

/** Whatever else lies under the key is no ticket. */
function parse(text: string | null): Ticket | undefined {
  try {
    const { id, secret } = JSON.parse(text ?? "{}") as Partial<Ticket>;
    return typeof id === "string" && typeof secret === "string" ? { id, secret } : undefined;
  } catch {
    return undefined;
  }
}

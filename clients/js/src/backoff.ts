/** How long to wait before the next try: twice as long each time, and a random part of it, so that clients that were
 * lost together do not come back together. */
export class Backoff {
  #failures = 0;
  readonly #minMs: number;
  readonly #maxMs: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** Milliseconds, and one failure more. */
  next(): number {
    return delayMs(++this.#failures, this.#minMs, this.#maxMs);
  }

  /** It went well: the next failure is the first. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Between half and all of `minMs * 2^(failures - 1)`, which is at most `maxMs`. */
export function delayMs(failures: number, minMs: number, maxMs: number): number {
  const longest = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 52));
  return Math.round(longest * (0.5 + Math.random() / 2));
}

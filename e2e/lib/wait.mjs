// Waiting for conditions. A test never sleeps to give something time to happen: it says what it waits for.
import { setTimeout as pause } from "node:timers/promises";

/** How long anything may take that should happen at once; generous, because a busy machine is no bug. */
export const SOON_MS = 10_000;

/** Asks again and again until the answer is true (or truthy), and returns it. */
export async function until(what, condition, ms = SOON_MS) {
  const deadline = performance.now() + ms;
  let last;
  for (;;) {
    last = await condition();
    if (last) return last;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(20);
  }
}

/** The promise, or an error that names what was waited for. */
export async function within(what, promise, ms = SOON_MS) {
  const stop = new AbortController();
  const late = pause(ms, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`not within ${ms} ms: ${what}`);
  });
  // The loser of the race is silenced, not left as an unhandled rejection.
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}

/** Lets time pass in which nothing must happen. The one kind of sleep there is: an absence has no other proof. */
export function quiet(ms) {
  return pause(ms);
}

/** Runs `task(i)` for `count` values of i, at most `inFlight` at a time. */
export async function inParallel(count, inFlight, task) {
  let next = 0;
  const results = new Array(count);
  const worker = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await task(i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
  return results;
}

/**
 * Calls `task(i)` at a steady rate for a while, one after the other, and returns how often.
 * A call that is late is made up for, never left out.
 */
export async function steadily(perSecond, seconds, task) {
  const started = performance.now();
  const total = Math.round(perSecond * seconds);
  for (let i = 0; i < total; i++) {
    const early = started + (i * 1000) / perSecond - performance.now();
    if (early > 1) await pause(early);
    await task(i);
  }
  return total;
}

// What a scenario may say of what it sees; runs in Node and in a page.

/** How long anything may take that should happen at once; generous, because a busy machine is no bug. */
export const SOON_MS = 10_000;

/** Throws unless both are the same as JSON. */
export function equal(found, wanted, what = "") {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: found ${a}, wanted ${b}`);
}

export function ok(holds, what) {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** Waits for a rejection with this code, and returns the error. */
export async function refused(promise, code) {
  const outcome = await within(`a rejection with ${code}`, promise).then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  if (!("error" in outcome)) throw new Error(`fulfilled with ${JSON.stringify(outcome.value)}; wanted ${code}`);
  if (outcome.error.code !== code) throw outcome.error;
  return outcome.error;
}

/** Asks again and again until the answer is true. */
export async function until(what, condition, ms = SOON_MS) {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(10);
  }
}

export async function within(what, promise, ms = SOON_MS) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets time pass in which nothing must happen: an absence has no other proof. */
export const quiet = (ms) => pause(ms);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A promise and what settles it. */
export function deferred() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

// What a test leaves behind is cleared away in the opposite order: clients before the server they talk to.
const stacks = new WeakMap();

/** Runs `cleanUp` after the test `t`, before everything that was deferred earlier. */
export function defer(t, cleanUp) {
  if (!stacks.has(t)) {
    const stack = [];
    stacks.set(t, stack);
    t.after(async () => {
      const failures = [];
      // One failure must not leave the rest behind.
      for (const each of stack.reverse()) await Promise.resolve().then(each).catch((error) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    });
  }
  stacks.get(t).push(cleanUp);
}

/** Events with types: `Events` has the arguments of each. */
export class Emitter<Events extends { [event in keyof Events]: unknown[] }> {
  readonly #listeners: { [Name in keyof Events]?: Set<(...args: Events[Name]) => void> } = {};

  /** Listens until the function that is returned is called. */
  on<Name extends keyof Events>(event: Name, listener: (...args: Events[Name]) => void): () => void {
    const listeners = (this.#listeners[event] ??= new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Tells all listeners, and says whether there was one. */
  protected emit<Name extends keyof Events>(event: Name, ...args: Events[Name]): boolean {
    const listeners = [...(this.#listeners[event] ?? [])];
    for (const listener of listeners) {
      try {
        listener(...args);
      } catch (error) {
        // A listener's mistake is the application's to hear of, and none of what goes on here.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    return listeners.length > 0;
  }
}

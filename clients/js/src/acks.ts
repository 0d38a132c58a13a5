/** How many ids one `ack` names at most. */
const IDS_AT_ONCE = 256;

/**
 * Acks on their way: those of one turn of the event loop go together, and those of a time without a connection wait.
 *
 * Bounded: beyond `limit` the oldest is forgotten. Its message comes again, is known, and is acked then.
 */
export class Acks {
  /** Topics and ids, in the order in which they were acked. */
  #waiting = new Map<string, { topic: string; messageId: string }>();
  #isOpen = false;
  #isDue = false;
  readonly #limit: number;
  readonly #tell: (body: object) => void;

  constructor(limit: number, tell: (body: object) => void) {
    this.#limit = limit;
    this.#tell = tell;
  }

  add(topic: string, messageId: string): void {
    this.#waiting.set(`${messageId} ${topic}`, { topic, messageId });
    if (this.#waiting.size > this.#limit) this.#waiting.delete(this.#waiting.keys().next().value!);
    if (!this.#isOpen || this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.flush();
    });
  }

  /** There is a connection that the acks count on. */
  open(): void {
    this.#isOpen = true;
    this.flush();
  }

  /** There is none. */
  shut(): void {
    this.#isOpen = false;
  }

  /** Nobody waits for them any more. */
  clear(): void {
    this.#waiting.clear();
  }

  /** Sends what waits, if there is a connection. */
  flush(): void {
    if (!this.#isOpen) return;
    const byTopic = new Map<string, string[]>();
    for (const { topic, messageId } of this.#waiting.values()) {
      const ids = byTopic.get(topic) ?? [];
      byTopic.set(topic, ids);
      ids.push(messageId);
    }
    this.#waiting.clear();
    for (const [topic, ids] of byTopic) {
      for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
        const messageIds = ids.slice(from, from + IDS_AT_ONCE);
        this.#tell(messageIds.length === 1 ? { topic, messageId: messageIds[0] } : { topic, messageIds });
      }
    }
  }
}

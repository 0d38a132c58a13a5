/** How many ids one `ack` names at most: less than 4 KiB of them, which every server takes, whatever its `maxPayloadBytes`. */
const IDS_AT_ONCE = 100;

/**
 * Acks on their way: those of one turn of the event loop go together.
 *
 * None waits for a connection. A session that is resumed begins with what was not acked, so a message that was handled
 * meanwhile comes again, is known, and is acked then; without a session nobody waits for its ack.
 */
export class Acks {
  /** The ids of each topic, in the order in which they were acked. */
  #waiting = new Map<string, string[]>();
  readonly #tell: (body: object) => void;

  constructor(tell: (body: object) => void) {
    this.#tell = tell;
  }

  /** Acks a message that came on the connection there is. */
  add(topic: string, messageId: string): void {
    if (this.#waiting.size === 0) queueMicrotask(() => this.flush());
    const ids = this.#waiting.get(topic) ?? [];
    this.#waiting.set(topic, ids);
    ids.push(messageId);
  }

  /** The connection is gone, and with it what was not said. */
  clear(): void {
    this.#waiting.clear();
  }

  /** Says what there is to say, now. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [topic, ids] of waiting) {
      for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
        const messageIds = ids.slice(from, from + IDS_AT_ONCE);
        this.#tell(messageIds.length === 1 ? { topic, messageId: messageIds[0] } : { topic, messageIds });
      }
    }
  }
}

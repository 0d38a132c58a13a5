// The slow clients of slow_client.py, as seen from a test.
import { spawn } from "node:child_process";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

import { defer } from "./defer.mjs";
import { splitAddress } from "./server.mjs";
import { until, within } from "./wait.mjs";

const PROGRAM = fileURLToPath(new URL("slow_client.py", import.meta.url));

/** Opens `count` clients with a tiny receive buffer, subscribed and reading; with TLS where they are told whom to trust. */
export async function openSlow(t, address, { count, namespace, topic, rcvbuf = 4096, ca }) {
  const clients = new SlowClients();
  defer(t, () => clients.end());
  const [host, port] = splitAddress(address);
  await clients.order({ cmd: "open", count, host, port, namespace, topic, rcvbuf, ca }, 60_000);
  await until("every slow client is subscribed", async () => (await clients.order({ cmd: "ready" })).ready);
  return clients;
}

class SlowClients {
  #child = spawn("python3", [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  #waiting = [];

  constructor() {
    readline.createInterface({ input: this.#child.stdout }).on("line", (line) => {
      // Answers come in the order of the commands.
      this.#waiting.shift()(JSON.parse(line));
    });
  }

  stopReading() {
    return this.order({ cmd: "stop" });
  }

  /** Each client reads this many bytes a second. */
  readAt(bps) {
    return this.order({ cmd: "read", bps });
  }

  resume() {
    return this.order({ cmd: "resume" });
  }

  /** Reports count from here on. */
  mark() {
    return this.order({ cmd: "mark" });
  }

  /** What each client got since the mark: `{messages, bytes, last, pings, closed, said, seqs?}`. */
  async report({ seqs = false } = {}) {
    return (await this.order({ cmd: "report", seqs })).clients;
  }

  async order(order, ms) {
    const answer = new Promise((resolve) => this.#waiting.push(resolve));
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    const said = await within(`the slow clients' answer to ${order.cmd}`, answer, ms);
    if (said.error) throw new Error(`slow clients, ${order.cmd}: ${said.error}`);
    return said;
  }

  /** They end with their standard input, also when the test dies. */
  end() {
    this.#child.stdin.end();
  }
}

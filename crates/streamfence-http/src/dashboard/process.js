// The process: its servers and configuration, and what can be asked of it.
import { Problem, post } from "./api.js";
import { confirm } from "./dialog.js";
import { List, Table, h, say } from "./dom.js";
import { count, span } from "./format.js";

const LEVELS = ["error", "warn", "info", "debug", "trace"];

export class Process {
  #facts = h("dl", { class: "facts" });
  #known = new Map();
  #level = h("select", { name: "level" }, ...LEVELS.map((level) => h("option", { text: level })));
  #reload = h("button", { type: "button", text: "Reload the configuration…" });
  #drain = h("button", { type: "button", class: "danger", text: "Drain and stop…" });
  #answer = h("p", { class: "answer", role: "status" });
  #changes = h("ul");
  #changeList = new List(this.#changes, (change) => change.key, makeChange);
  #servers = new Table({
    label: "Servers",
    keyOf: (server) => server.name,
    none: "This process tells of no servers.",
    columns: [
      { title: "Server", cell: (server) => server.name },
      { title: "Address", cell: (server) => server.address },
      { title: "Transport", cell: (server) => server.transport },
      { title: "Path", cell: (server) => server.path },
      { title: "Connections", number: true, cell: (server) => count(server.connections) },
      { title: "Certificate", cell: expiry },
    ],
  });

  constructor(section) {
    this.#reload.addEventListener("click", () => this.#lookAtReload());
    this.#drain.addEventListener("click", () => this.#askToDrain());
    this.#level.addEventListener("change", () => {
      const level = this.#level.value;
      this.#order("admin/v1/log-level", { level }, ({ before }) => `The log level is ${level}; it was ${before}.`);
    });
    section.append(
      h("div", { class: "head" }, h("h2", { id: "process-title", tabindex: -1, text: "Process" }), h("span", { class: "note" }), h("label", { class: "note" }, "Log level: ", this.#level), this.#reload, this.#drain),
      this.#answer,
      this.#changes,
      this.#facts,
      this.#servers.node,
    );
  }

  update({ info, servers }) {
    this.#fact("State", info.state);
    this.#fact("Running for", span(info.uptimeMs));
    this.#fact("Version", info.version);
    this.#fact("Configuration", info.configFile ?? "built in");
    this.#fact("Generation", count(info.generation));
    this.#fact("Shards", count(info.shards));
    this.#level.parentElement.hidden = info.logLevel === undefined;
    if (document.activeElement !== this.#level && LEVELS.includes(info.logLevel)) this.#level.value = info.logLevel;
    this.#reload.hidden = info.configFile === undefined;
    this.#drain.disabled = info.state !== "running";
    this.#servers.show(servers);
  }

  #fact(name, value) {
    if (!this.#known.has(name)) {
      const text = h("dd");
      this.#facts.append(h("div", {}, h("dt", { text: name }), text));
      this.#known.set(name, text);
    }
    say(this.#known.get(name), value);
  }

  /** First it is said what would change. */
  async #lookAtReload() {
    const found = await this.#order("admin/v1/reload", { dryRun: true }, ({ changes }) => (changes.length === 0 ? "Nothing in the file has changed." : "What would change:"));
    if (!found || found.changes.length === 0) return;
    const title = `Let ${found.changes.length === 1 ? "this change" : `these ${found.changes.length} changes`} hold?`;
    if (!(await confirm({ title, text: "All of them hold together, or none.", act: "Reload" }))) return;
    await this.#order("admin/v1/reload", {}, ({ generation, needsRestart }) => `Generation ${generation} holds${waiting(needsRestart)}.`);
  }

  async #askToDrain() {
    const text = "No more clients and messages are taken, what waits is sent, then the process ends. It cannot be taken back.";
    if (await confirm({ title: "Drain and stop?", text, act: "Drain" })) await this.#order("admin/v1/drain", {}, () => "It drains.");
  }

  async #order(path, body, told) {
    try {
      const answer = await post(path, body);
      say(this.#answer, told(answer));
      this.#answer.classList.remove("wrong");
      this.#changeList.show(answer.changes ?? []);
      return answer;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const errors = Array.isArray(error.rest.errors) ? `: ${error.rest.errors.join("; ")}` : "";
      say(this.#answer, `${error.message}${errors}`);
      this.#answer.classList.add("wrong");
      this.#changeList.show([]);
      return undefined;
    }
  }
}

function waiting(keys) {
  return keys.length === 0 ? "" : `, but for what waits for a restart: ${keys.join(", ")}`;
}

function makeChange() {
  const node = h("li");
  return { node, update: ({ key, from, to, effect }) => say(node, `${key}: ${from} → ${to} (${effect})`) };
}

function expiry({ certificateExpiresAt }) {
  if (certificateExpiresAt === undefined) return "–";
  const left = certificateExpiresAt - Date.now();
  return left > 0 ? `good for ${span(left)}` : `expired ${span(-left)} ago`;
}

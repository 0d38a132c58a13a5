// The page: looks at the server once a second while somebody looks at it, and shows what it saw.
import { Problem, askForKeysWith, get } from "./api.js";
import { Chart } from "./chart.js";
import { ClientPage } from "./client.js";
import { Clients, SlowClients } from "./clients.js";
import { askForKey } from "./dialog.js";
import { mark, say } from "./dom.js";
import { Figures } from "./figures.js";
import { History, Rates } from "./history.js";
import { DeadLetters } from "./letters.js";
import { Process } from "./process.js";
import { Publisher } from "./publisher.js";
import { Subscriber } from "./subscriber.js";
import { switchThemeWith } from "./theme.js";
import { Timeline } from "./timeline.js";
import { Topics, nameOf } from "./topics.js";
import { Tour } from "./tour.js";

const LOOK_MS = 1_000;
/** Every how many looks it is also looked at what seldom changes. */
const SELDOM = 3;
/** What lies longer ago than this was missed, and the server is asked what it has kept. */
const GAP_MS = 5_000;

const at = (id) => document.getElementById(id);

class Page {
  #history = new History();
  #rates = new Rates();
  #clients = new Clients(at("clients"), () => this.#lookNow());
  #tour = new Tour(at("tour"));
  #timeline = new Timeline(at("events"));
  #views;
  #client;
  #seen = {};
  #looks = 0;
  #timer;
  #isLooking = false;
  #title = "StreamFence";

  constructor() {
    this.#views = [
      new Figures(at("figures")),
      new Chart(at("fates")),
      new SlowClients(at("slow")),
      new Topics(at("topics"), this.#rates),
      this.#clients,
      new DeadLetters(at("dead-letters"), () => this.#lookNow(true)),
      new Publisher(at("publisher")),
      new Subscriber(at("subscriber")),
      new Process(at("process")),
    ];
    switchThemeWith(at("theme"));
    askForKeysWith(askForKey);
    window.addEventListener("hashchange", () => this.#go(true));
    document.addEventListener("visibilitychange", () => this.#lookNow());
  }

  begin() {
    this.#go(false);
    this.#lookNow(true);
    this.#timeline.begin(new AbortController().signal);
  }

  /** Shows the place that the address names. */
  #go(isAsked) {
    const [, place, id] = location.hash.replace(/^#/, "").split("/");
    this.#client?.end();
    const isClient = place === "clients" && Boolean(id);
    at("overview").hidden = isClient;
    at("client").hidden = !isClient;
    this.#client = isClient ? new ClientPage(at("client"), decodeURIComponent(id)) : undefined;
    document.title = isClient ? `Client ${id} · StreamFence` : this.#title;
    for (const link of document.querySelectorAll("nav a")) {
      mark(link, "aria-current", link.hash === `#/${place ?? ""}` ? "true" : undefined);
    }
    if (isClient) this.#lookNow();
    else if (place) this.#focus(at(`${place}-title`), at(place));
    else if (isAsked) this.#focus(at("main"), document.body);
  }

  #focus(element, section) {
    element?.focus({ preventScroll: true });
    section?.scrollIntoView();
  }

  #lookNow(isSeldom = false) {
    if (isSeldom) this.#looks = 0;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), 0);
  }

  async #look() {
    // Nobody sees it, or the one before is still on its way.
    if (document.hidden || this.#isLooking) return this.#again();
    this.#isLooking = true;
    try {
      await this.#see();
      await this.#client?.update();
      this.#show();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isLooking = false;
      this.#looks += 1;
      this.#again();
    }
  }

  #again() {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  async #see() {
    const seldom = async () => {
      if (this.#looks % SELDOM !== 0) return {};
      const [{ servers }, letters] = await Promise.all([get("admin/v1/servers"), get("admin/v1/dead-letters?limit=50")]);
      return { servers, letters };
    };
    const [info, { topics }, slow, clients, more] = await Promise.all([
      get("admin/v1/info"),
      get("admin/v1/topics"),
      get("admin/v1/slow?limit=20"),
      get(`admin/v1/clients?sort=${this.#clients.sort}&limit=20`),
      seldom(),
    ]);
    const now = Date.now();
    if (now - this.#history.newest > GAP_MS) this.#history.begin(await get("admin/v1/history"));
    const queued = topics.reduce((sum, topic) => sum + topic.queued, 0);
    const { connections, sessions, lanes, totals } = info;
    this.#history.add({ at: now, connections, sessions, lanes, queued, memoryUsedBytes: info.memory?.usedBytes ?? 0, totals });
    this.#rates.look(now, new Map(topics.map((topic) => [nameOf(topic), topic.totals])));
    this.#seen = { ...this.#seen, ...more, info, topics, slow, clients, history: this.#history };
    // Only a demo has no file; asking elsewhere would be an error.
    if (info.configFile === undefined) await this.#tour.update().catch(() => {});
  }

  #show() {
    const { info, slow } = this.#seen;
    mark(at("state"), "data-state", info.state);
    say(at("state"), info.state);
    at("trouble").hidden = true;
    say(at("version"), `StreamFence ${info.version}`);
    this.#title = slow.total > 0 ? `(${slow.total} slow) StreamFence` : "StreamFence";
    if (!this.#client) document.title = this.#title;
    for (const view of this.#views) view.update(this.#seen);
  }

  #fail(error) {
    const isRefused = error instanceof Problem;
    if (!isRefused && !(error instanceof TypeError)) console.error(error);
    mark(at("state"), "data-state", isRefused ? undefined : "unreachable");
    say(at("state"), isRefused ? "refused" : "unreachable");
    say(at("trouble"), isRefused ? error.message : "The server does not answer; what is shown is what was seen last.");
    at("trouble").hidden = false;
  }
}

new Page().begin();

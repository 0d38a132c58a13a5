// What happens, as it happens: the newest first, filtered here so that a filter can look back.
import { List, h, say, scrolled } from "./dom.js";
import { bytes, clock, count, span } from "./format.js";
import { follow } from "./stream.js";

/** How many events are kept, and how many of those shown. */
const MOST = 1_000;
const MOST_SHOWN = 100;
/** What happens again to the same within this time is told once, with a number. */
const SAME_MS = 10_000;

const GROUPS = {
  "everything": () => true,
  "slow and lost": (kind) => /^(slow_client|overflow|spill|pressure|publish_rejected)/.test(kind),
  "come and go": (kind) => /^(connected|disconnected|session|subscribed|unsubscribed|authenticated)/.test(kind),
  "retries and dead letters": (kind) => /^(retried|retries|dead_lettered)/.test(kind),
  "refused at the door": (kind) => /^(refused|auth|handshake)/.test(kind),
  "server and configuration": (kind) => /^(server|tls|reload)/.test(kind),
};

/** Events as sentences; the words of one that is not here are those of its kind. */
const WORDS = {
  slow_client_began: "A client is slow",
  slow_client_ended: "A client is slow no more",
  overflow_began: "A lane is full, its policy decides",
  overflow_ended: "A lane has room again",
  spill_began: "A lane goes on on disk",
  spill_ended: "A lane is back from disk",
  pressure_began: "The memory budget is used up",
  pressure_ended: "There is memory again",
  dead_lettered: "A message was given up",
  retries_exhausted: "The last try was in vain",
  retried: "Sent again, for want of an ack",
  connected: "A client came",
  disconnected: "A client left",
  session_detached: "A client is away, its session waits",
  session_resumed: "A client is back with its session",
  session_expired: "A client has not come back",
  subscribed: "Subscribed",
  unsubscribed: "Unsubscribed",
  publish_rejected: "A client's publish was refused",
  refused: "A limit let nobody in",
  auth_rejected: "A token was refused",
  auth_rate_limited: "Too many wrong tokens",
  auth_alarm: "Somebody tries tokens",
  reloaded: "The configuration was reloaded",
  reload_refused: "A configuration was refused",
  tls_loaded: "A certificate was loaded",
};

/** The colour of what some of them tell. */
const OUTCOME = { slow_client_began: "displaced", overflow_began: "displaced", spill_began: "spilled", dead_lettered: "rejected", retries_exhausted: "rejected", retried: "retried", publish_rejected: "rejected", pressure_began: "rejected", refused: "rejected", auth_rejected: "rejected", auth_alarm: "rejected" };

export class Timeline {
  #events = [];
  #number = 0;
  #group = "everything";
  #text = "";
  #isPaused = false;
  #missed = 0;
  #isDue = false;
  #list;
  #note = h("p", { class: "note" });

  constructor(section) {
    const group = h("select", { "aria-label": "Kind of event" }, ...Object.keys(GROUPS).map((name) => h("option", { text: name })));
    group.addEventListener("change", () => this.#filter({ group: group.value }));
    const text = h("input", { type: "search", "aria-label": "Namespace, topic or client", placeholder: "topic, client …" });
    text.addEventListener("input", () => this.#filter({ text: text.value }));
    const pause = h("button", { type: "button", "aria-pressed": "false", text: "Pause" });
    pause.addEventListener("click", () => {
      this.#isPaused = !this.#isPaused;
      pause.setAttribute("aria-pressed", String(this.#isPaused));
      this.#show();
    });
    // Not live to a screen reader: it would never be silent.
    const { list, node } = scrolled("Events, the newest first", "timeline");
    this.#list = new List(list, (event) => event.number, row);
    section.append(
      h("div", { class: "head" }, h("h2", { id: "events-title", tabindex: -1, text: "Events" }), this.#note),
      h("div", { class: "filters" }, group, text, pause),
      node,
    );
  }

  /** Listens from now on. */
  begin(signal) {
    follow("admin/v1/events", signal, {
      onEvent: ({ kind, data }) => this.#hear(kind, JSON.parse(data)),
      onOpen: () => this.#state("live"),
      onEnd: () => this.#state("not connected"),
    });
  }

  #state(text) {
    say(this.#note, this.#missed > 0 ? `${text}; ${count(this.#missed)} missed, too many at once` : text);
  }

  #hear(kind, told) {
    if (kind === "missed") {
      this.#missed += told.count;
      this.#state("live");
      return;
    }
    remember(this.#events, { number: this.#number++, kind, told, times: 1 }, MOST);
    if (this.#isDue || this.#isPaused) return;
    // A burst is drawn once.
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#show();
    }, 100);
  }

  #filter({ group = this.#group, text = this.#text }) {
    this.#group = group;
    this.#text = text.trim();
    this.#show(true);
  }

  #show(isAsked = false) {
    if (this.#isPaused && !isAsked) return;
    const isOf = ({ namespace, topic, client }) => `${namespace} ${topic} ${client}`.includes(this.#text);
    const wanted = this.#events.filter((event) => GROUPS[this.#group](event.kind) && (this.#text === "" || isOf(event.told)));
    this.#list.show(wanted.slice(0, MOST_SHOWN));
  }
}

/** Puts an event before the others, or counts it with one of the same that was just there. */
export function remember(events, event, most) {
  const name = ({ kind, told }) => [kind, told.namespace, told.topic, told.client].join(" ");
  const recent = events.slice(0, 20);
  const same = event.told.client && recent.find((other) => name(other) === name(event) && event.told.at - other.told.at < SAME_MS);
  if (same) {
    same.times += 1;
    return;
  }
  events.unshift(event);
  events.length = Math.min(events.length, most);
}

/** One event as an entry of a list. */
export function row({ kind, told }) {
  const words = h("b", { class: "outcome", "data-outcome": OUTCOME[kind], text: WORDS[kind] ?? kind.replaceAll("_", " ") });
  if (!OUTCOME[kind]) words.className = "";
  const what = h("div", { class: "what" }, words);
  const { namespace, topic, client } = told;
  const place = [namespace, topic].filter(Boolean).join(" ");
  const more = details(told).join(", ");
  if (place || more) what.append(h("span", { text: ` ${[place, more].filter(Boolean).join(": ")}` }));
  if (client) what.append(" ", h("a", { class: "id", href: `#/clients/${client}`, text: client }));
  const times = h("b");
  words.after(times);
  const time = h("time", { datetime: new Date(told.at).toISOString(), text: clock(told.at) });
  return { node: h("li", {}, time, what), update: (event) => say(times, event.times > 1 ? ` × ${count(event.times)}` : "") };
}

/** Whatever else is told, as it is named. */
function details({ kind, at, namespace, topic, client, ...rest }) {
  return Object.entries(rest).map(([name, value]) => {
    if (name === "lastedMs") return `after ${span(value)}`;
    if (/bytes$/i.test(name)) return `${bytes(value)}`;
    if (typeof value === "number" && value < 1e12) return `${name} ${count(value)}`;
    return name === "reason" || name === "transport" ? String(value).replaceAll("_", " ") : `${name} ${value}`;
  });
}

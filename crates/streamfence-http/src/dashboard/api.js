// Requests to the admin address this page came from, with the key that was given, if one is asked for.

const KEY = "streamfence-key";
let asking;

/** Why a request was refused, as problem+json says it. */
export class Problem extends Error {
  constructor(status, { code, detail, title, ...rest } = {}) {
    super(detail ?? title ?? `the server answered ${status}`);
    this.status = status;
    this.code = code;
    this.rest = rest;
  }
}

/** `ask` is called once for all requests that want a key, and resolves with it. */
export function askForKeysWith(ask) {
  asking = { ask, pending: undefined };
}

export function get(path, options) {
  return json(path, options);
}

export function post(path, body) {
  return json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

async function json(path, options) {
  const response = await request(path, options);
  return response.json();
}

/** The response, once it is one that was wished for. */
export async function request(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...(key ? { authorization: `Bearer ${key}` } : {}) };
    const response = await fetch(path, { ...options, headers, cache: "no-store" });
    if (response.ok) return response;
    const problem = new Problem(response.status, await response.json().catch(() => ({})));
    // A key that may not even look is no better than none; one that may not do something is told so.
    const isShut = response.status === 401 || (problem.code === "FORBIDDEN" && !options.method);
    if (!isShut) throw problem;
    // Somebody may have given one since.
    if (sessionStorage.getItem(KEY) === key) await newKey(key === null ? undefined : problem.message);
  }
}

function newKey(why) {
  asking.pending ??= asking.ask(why).then((key) => {
    sessionStorage.setItem(KEY, key);
    asking.pending = undefined;
  });
  return asking.pending;
}

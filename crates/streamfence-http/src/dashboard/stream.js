// Server-sent events over fetch: an EventSource cannot show a key.
import { request } from "./api.js";

/** How long after a stream has ended it is opened again. */
const AGAIN_MS = 2_000;

/** Reads a stream of events until `signal` says stop, and opens it again whenever it ends. */
export async function follow(path, signal, { onEvent, onOpen, onEnd }) {
  while (!signal.aborted) {
    try {
      const response = await request(path, { signal });
      onOpen?.();
      await read(response.body.pipeThrough(new TextDecoderStream()), onEvent);
    } catch {
      // Whatever it was, it is tried again.
    }
    if (signal.aborted) return;
    onEnd?.();
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function read(stream, onEvent) {
  let rest = "";
  let event = fresh();
  const reader = stream.getReader();
  for (;;) {
    const { done, value: text } = await reader.read();
    if (done) return;
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (line === "") {
        if (event.data.length > 0) onEvent({ ...event, data: event.data.join("\n") });
        event = fresh();
      } else if (colon > 0) {
        take(event, line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ""));
      }
    }
  }
}

const fresh = () => ({ kind: "message", id: undefined, data: [] });

function take(event, field, value) {
  if (field === "data") event.data.push(value);
  if (field === "event") event.kind = value;
  if (field === "id") event.id = value;
}

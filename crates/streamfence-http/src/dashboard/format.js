// Numbers and times as people read them.

/** A count or a rate: `0`, `7`, `12.5`, `1,234`, `56.1 k`. */
export function count(value) {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 9.95 && !Number.isInteger(value)) return value.toFixed(1);
  if (Math.abs(value) < 10_000) return Math.round(value).toLocaleString("en");
  return scaled(value, 1_000, ["k", "M", "G", "T"]);
}

/** A size: `0 B`, `512 B`, `1.4 KiB`. */
export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  return value < 1_024 ? `${Math.round(value)} B` : scaled(value, 1_024, ["KiB", "MiB", "GiB", "TiB"]);
}

function scaled(value, step, units) {
  let unit = -1;
  let rest = value;
  do {
    rest /= step;
    unit += 1;
  } while (Math.abs(rest) >= step && unit < units.length - 1);
  return `${rest.toFixed(rest < 100 ? 1 : 0)} ${units[unit]}`;
}

/** A span of time: `0 ms`, `850 ms`, `4.2 s`, `3 min`, `2 h 5 min`, `4 d 1 h`. */
export function span(ms) {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes < 10 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The time of day, to the second. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** One and many: `1 client`, `2 clients`. */
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

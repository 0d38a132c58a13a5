// What the documentation tells people to type is typed here: configurations are checked, commands run, clients connected.
//
// A block says what it is by its language and the words behind it:
//   yaml              a whole configuration: `streamfence check` takes it
//   yaml server       keys of one server       yaml namespace   one namespace
//   sh serve          a command that goes on: the demo, as the page's other blocks want it
//   js part           some lines of a client that are parsed: they want another server, or more around them
//   sh, js            run against the demo, with its addresses in place of the usual ones; js until it has logged something
//   sh once           run without the demo
//   sh machine        run where the programs that change a machine, or need a daemon or a cluster, are `lib/stand-ins.mjs`
//   json              parsed
//   rust              a doc test of the crate that includes the page
//   nginx, http, text and others are read, not run; a block for a shell or in JavaScript that is not to be run does not exist
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import test from "node:test";

import { anchors, links, pages, ROOT } from "./lib/book.mjs";
import { makeClients, makeIdentity } from "./lib/certificate.mjs";
import { defer } from "./lib/defer.mjs";
import { until, within } from "./lib/wait.mjs";

const BIN = process.env.STREAMFENCE_BIN;
/** Read, and not run: protocols, other programs' files, pictures. */
const READ_ONLY = ["text", "http", "nginx", "ini", "promql", "dockerfile", "toml", "ts", "html"];
const LONG_MS = 30_000;

for (const page of pages()) {
  test(page.name, async (t) => {
    await t.test("links", () => leadSomewhere(page));
    const wantsDemo = ({ language, words }) => ["sh", "js"].includes(language) && !["once", "part", "machine"].includes(words[0]);
    const demo = page.blocks.some(wantsDemo) ? await startDemo(t) : undefined;
    for (const block of page.blocks) {
      await t.test(`line ${block.line}: ${[block.language, ...block.words].join(" ")}`, (t) => take(t, page, block, demo));
    }
  });
}

test("the table of contents has every page, and no other", () => {
  const summary = readFileSync(path.join(ROOT, "docs", "SUMMARY.md"), "utf8");
  const listed = links(summary).map(({ target }) => target);
  const there = readdirSync(path.join(ROOT, "docs")).filter((name) => name.endsWith(".md") && name !== "SUMMARY.md");
  assert.deepEqual([...listed].sort(), there.sort());
});

function leadSomewhere({ name, text }) {
  for (const { target, line } of links(text)) {
    const [file, anchor] = target.split("#");
    const to = file === "" ? path.join(ROOT, name) : path.join(ROOT, path.dirname(name), file);
    assert.ok(existsSync(to), `${name}:${line}: ${target} is not there`);
    if (anchor !== undefined && to.endsWith(".md")) {
      assert.ok(anchors(readFileSync(to, "utf8")).includes(anchor), `${name}:${line}: ${file} has no heading #${anchor}`);
    }
  }
}

function take(t, page, block, demo) {
  const { language, words, text } = block;
  if (READ_ONLY.includes(language)) return undefined;
  switch (language) {
    case "yaml":
      return check(t, whole(words[0], text));
    case "json":
      return void JSON.parse(text);
    case "sh":
      if (words[0] === "machine") return machine(t, text);
      return words[0] === "serve" ? isTheDemo(text) : shell(t, text, words[0] === "once" ? undefined : demo);
    case "js":
      return words[0] === "part" ? isJavaScript(t, text) : script(t, text, demo);
    case "rust":
      return isTested(page.name);
    default:
      return assert.fail(`a block of ${JSON.stringify(language)}: say how it is to be taken`);
  }
}

/** A part of a configuration, in the least there is around it. */
function whole(part, text) {
  const indented = (by) => text.replaceAll(/^(?=.)/gm, " ".repeat(by));
  if (part === undefined) return text;
  if (part === "server") return `servers:\n  main:\n    namespaces: [{path: /feed, topics: [tick]}]\n${indented(4)}`;
  assert.equal(part, "namespace", "a part of a configuration is a server or a namespace");
  return `servers:\n  main:\n    spillRootPath: spill\n    namespaces:\n      -\n${indented(8)}`;
}

/** What pages name beside a configuration: certificates, keys, secrets. */
function propertyOf(folder) {
  const { ca, chain, key } = makeIdentity();
  const clients = makeClients();
  const jwk = { ...generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "jwk" }), kid: "1" };
  const files = {
    "ca.pem": ca,
    "chain.pem": chain,
    "key.pem": key,
    "clients.pem": clients.ca,
    "revoked.pem": clients.crl,
    "keys/jwks.json": JSON.stringify({ keys: [jwk] }),
    "secrets/ops": "a-key-of-operators-long-enough",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.join(folder, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  }
  return folder;
}

const SECRETS = {
  DASHBOARD_TOKEN: "a token of a dashboard",
  PUBLISH_KEY: "a-key-of-a-backend-long-enough",
  ADMIN_KEY: "a-key-of-an-operator-long-enough",
};

async function check(t, yaml) {
  const folder = propertyOf(temporary(t));
  writeFileSync(path.join(folder, "streamfence.yaml"), yaml, { mode: 0o600 });
  const { code, output } = await run(BIN, ["check", "streamfence.yaml"], { cwd: folder, env: { ...process.env, ...SECRETS } });
  assert.equal(code, 0, `${yaml}\n${output}`);
}

/** The demo, on addresses of the system's choice. */
async function startDemo(t) {
  const folder = temporary(t);
  const args = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"];
  const child = spawn(BIN, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  defer(t, () => child.kill("SIGKILL"));
  const addresses = {};
  readline.createInterface({ input: child.stderr }).on("line", (line) => {
    const event = JSON.parse(line);
    const { message, server, address } = event.fields ?? event;
    if (message === "listening") addresses[server] = address;
  });
  await until("the demo listens", () => addresses.demo && addresses.admin);
  return { folder, here: (text) => text.replaceAll("127.0.0.1:3000", addresses.demo).replaceAll("127.0.0.1:9093", addresses.admin), addresses };
}

function isTheDemo(text) {
  assert.match(text.trim(), /^(cargo run --release --|streamfence) serve$/, "a command that goes on is the demo's");
}

/** Commands as they are typed; the first that fails ends them. */
async function shell(t, text, demo) {
  const bin = path.join(demo?.folder ?? propertyOf(temporary(t)), "bin");
  mkdirSync(bin, { recursive: true });
  if (!existsSync(path.join(bin, "streamfence"))) symlinkSync(BIN, path.join(bin, "streamfence"));
  const env = { ...process.env, ...SECRETS, PATH: `${bin}:${process.env.PATH}`, NO_COLOR: "1" };
  if (demo) Object.assign(env, { STREAMFENCE_ADMIN: `http://${demo.addresses.admin}`, STREAMFENCE_SERVER: `http://${demo.addresses.demo}` });
  const typed = (demo ? demo.here(text) : text).replaceAll("cargo run --release -- ", "streamfence ");
  const { code, output } = await run("bash", ["-e", "-o", "pipefail", "-c", typed], { cwd: path.dirname(bin), env });
  assert.equal(code, 0, `${typed}\n${output}`);
}

/** Commands to a machine, in a folder that has of the repository what they name. */
async function machine(t, text) {
  const folder = temporary(t);
  const [stage, bin] = [path.join(folder, "stage"), path.join(folder, "bin")];
  for (const made of [stage, bin]) mkdirSync(made);
  for (const name of ["deploy", "Cargo.toml"]) symlinkSync(path.join(ROOT, name), path.join(folder, name));
  symlinkSync(BIN, path.join(folder, "streamfence"));
  copyFileSync(path.join(ROOT, "deploy", "container", "streamfence.yaml"), path.join(folder, "streamfence.yaml"));
  const standIns = path.join(ROOT, "e2e", "lib", "stand-ins.mjs");
  for (const program of ["install", "systemctl", "podman", "kubectl"]) {
    const script = `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(standIns)} ${program} "$@"\n`;
    writeFileSync(path.join(bin, program), script, { mode: 0o755 });
  }
  const env = { ...process.env, STAGE: stage, PATH: `${bin}:${process.env.PATH}` };
  const { code, output } = await run("bash", ["-e", "-o", "pipefail", "-c", text], { cwd: folder, env });
  assert.equal(code, 0, `${text}\n${output}`);
}

const quoted = (word) => `'${word.replaceAll("'", `'\\''`)}'`;

/** A client, until it has logged something, which is what each of them does with what it hears. */
async function script(t, text, demo) {
  const folder = temporary(t, path.join(ROOT, "e2e", "node_modules", ".docs-"));
  writeFileSync(path.join(folder, "client.mjs"), demo.here(text));
  const child = spawn(process.execPath, [path.join(folder, "client.mjs")], { stdio: ["ignore", "pipe", "pipe"] });
  defer(t, () => child.kill("SIGKILL"));
  const said = [];
  const heard = new Promise((resolve, reject) => {
    child.stdout.once("data", resolve);
    child.stderr.on("data", (text) => said.push(text));
    child.once("exit", (code) => reject(new Error(`it ended with ${code}:\n${said.join("")}`)));
  });
  await within("the client hears something", heard, LONG_MS);
}

async function isJavaScript(t, text) {
  const file = path.join(temporary(t), "part.mjs");
  writeFileSync(file, text);
  const { code, output } = await run(process.execPath, ["--check", file], {});
  assert.equal(code, 0, output);
}

/** Rust's own tests run it: some crate includes the page. */
function isTested(page) {
  const crates = readdirSync(path.join(ROOT, "crates"));
  const includes = crates.some((name) => {
    const book = path.join(ROOT, "crates", name, "src", "book.rs");
    return existsSync(book) && readFileSync(book, "utf8").includes(`"../../../${page}"`);
  });
  assert.ok(includes, `no crate has the page among its doc tests: #[doc = include_str!("../../../${page}")]`);
}

function temporary(t, prefix = path.join(os.tmpdir(), "streamfence-docs-")) {
  const folder = mkdtempSync(prefix);
  defer(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A command to its end: `{code, output}`. */
function run(program, args, options) {
  return new Promise((resolve) => {
    execFile(program, args, { ...options, timeout: LONG_MS }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, output: stdout + stderr });
    });
  });
}

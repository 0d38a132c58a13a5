// The package as it would be published: what is in it, and that both kinds of module and their types can be used.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const TSC = path.join(PACKAGE, "node_modules/typescript/bin/tsc");

/** A project that has installed the package and socket.io-client, and nothing else. */
let project;
let files;

before(() => {
  project = mkdtempSync(path.join(os.tmpdir(), "streamfence-client-"));
  const modules = path.join(project, "node_modules");
  cpSync(path.join(PACKAGE, "node_modules"), modules, {
    recursive: true,
    filter: (from) => path.basename(from) !== "typescript",
  });
  const pack = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", project];
  const [packed] = JSON.parse(execFileSync("npm", pack, { cwd: PACKAGE, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  files = packed.files.map(({ path }) => path);
  const home = path.join(modules, "streamfence-client");
  mkdirSync(home);
  execFileSync("tar", ["-xzf", path.join(project, packed.filename), "-C", home, "--strip-components=1"]);
});
after(() => rmSync(project, { recursive: true, force: true }));

test("it holds what is built, and no sources or tests", () => {
  for (const wanted of ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "dist/esm/index.js", "dist/esm/index.d.ts", "dist/cjs/index.js"]) {
    assert.ok(files.includes(wanted), `${wanted} is missing from ${files}`);
  }
  assert.deepEqual(files.filter((file) => !/^(dist\/|README|LICENSE|package\.json)/.test(file)), []);
});

test("it depends on nothing but socket.io-client", () => {
  const manifest = JSON.parse(readFileSync(path.join(PACKAGE, "package.json"), "utf8"));
  assert.equal(manifest.dependencies, undefined);
  assert.deepEqual(Object.keys(manifest.peerDependencies), ["socket.io-client"]);
});

test("its lock names no registry", () => {
  assert.ok(!readFileSync(path.join(PACKAGE, "package-lock.json"), "utf8").includes("resolved"));
});

const USE = `
const client = new FenceClient("http://127.0.0.1:1/alerts", { autoConnect: false, session: memoryStore() });
console.log(client.state, typeof webStore, new FenceError("CLOSED", "over") instanceof Error);
client.close();
`;

test("it is imported, and required", () => {
  writeFileSync(path.join(project, "use.mjs"), `import { FenceClient, FenceError, memoryStore, webStore } from "streamfence-client";${USE}`);
  writeFileSync(path.join(project, "use.cjs"), `const { FenceClient, FenceError, memoryStore, webStore } = require("streamfence-client");${USE}`);
  for (const file of ["use.mjs", "use.cjs"]) {
    assert.equal(execFileSync(process.execPath, [file], { cwd: project, encoding: "utf8" }), "idle function true\n", file);
  }
});

const TYPED = `
import { FenceClient, type Gap, type Metadata } from "streamfence-client";
interface Topics { alert: { id: number }; chat: string }
const client = new FenceClient<Topics>("http://127.0.0.1:1/a", { autoConnect: false });
client.subscribe("alert", ({ id }, metadata: Metadata | undefined) => id + (metadata?.offset ?? 0), { onFailure: "ack" });
client.publish("chat", "hello", { ttlMs: 5 });
client.on("gap", (gap: Gap) => gap.count);
client.on("disconnected", ({ retryInMs }) => retryInMs?.toFixed());
// @ts-expect-error: no such topic
client.subscribe("nothing", () => {});
// @ts-expect-error: another payload
client.publish("alert", { id: "1" });
// @ts-expect-error: the client reconnects by itself
new FenceClient("http://127.0.0.1:1/a", { io: { reconnection: true } });
// @ts-expect-error: no such event
client.on("message", () => {});
new FenceClient("http://127.0.0.1:1/a").subscribe("any", (payload) => payload.whatever);
`;

/** Compiles these files of the project, strictly. */
function compile(names, ...more) {
  const args = [TSC, "--noEmit", "--strict", "--target", "ES2022", ...more, ...names];
  return spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
}

test("its types hold for both kinds of module, and for bundlers", () => {
  for (const name of ["typed.mts", "typed.cts", "typed.ts"]) writeFileSync(path.join(project, name), TYPED);
  const both = compile(["typed.mts", "typed.cts"], "--module", "NodeNext", "--exactOptionalPropertyTypes");
  assert.equal(both.status, 0, both.stdout);
  const bundled = compile(["typed.ts"], "--module", "ESNext", "--moduleResolution", "Bundler", "--skipLibCheck");
  assert.equal(bundled.status, 0, bundled.stdout);
});

test("what the README and the documentation show compiles", () => {
  const names = [];
  for (const file of ["README.md", "../../docs/javascript.md"]) {
    const text = readFileSync(path.join(PACKAGE, file), "utf8");
    const snippets = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
    assert.notEqual(snippets.length, 0, file);
    for (const code of snippets) {
      const name = `${path.basename(file, ".md")}-${names.length}.mts`;
      writeFileSync(path.join(project, name), code);
      names.push(name);
    }
  }
  const { status, stdout } = compile(names, "--module", "NodeNext", "--lib", "ES2022,DOM", "--skipLibCheck");
  assert.equal(status, 0, stdout);
});

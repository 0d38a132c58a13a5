#!/usr/bin/env node
// What pages tell people to type to programs that change a machine, or need a daemon or a cluster, typed where neither is:
// `stand-ins.mjs PROGRAM ARGS..` does all of it that can be done in a folder (`STAGE`), and fails where the rest could not
// go well, by what lies in `deploy/`. An argument that it does not know is wrong, too.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

const STAGE = process.env.STAGE;
const [program, ...args] = process.argv.slice(2);

const PROGRAMS = { install, systemctl, podman, kubectl };
try {
  PROGRAMS[program](args);
} catch (error) {
  console.error(`${program} ${args.join(" ")}: ${error.message}`);
  process.exit(1);
}

function wants(condition, why) {
  if (!condition) throw new Error(why);
}

/** Files go to where they would go, below the stage. */
function install(args) {
  const target = args.pop();
  wants(path.isAbsolute(target), `${target} is no place on the machine`);
  mkdirSync(path.join(STAGE, target.endsWith("/") ? target : path.dirname(target)), { recursive: true });
  execFileSync("/usr/bin/install", [...args, `${STAGE}${target}`], { stdio: "inherit" });
}

/** The unit is enabled there, and what it starts takes the configuration that it names. */
function systemctl(args) {
  const unit = args.at(-1);
  wants(args.slice(0, -1).join(" ") === "enable --now", "this enables units and starts them");
  execFileSync("/usr/bin/systemctl", [`--root=${STAGE}`, "enable", unit], { stdio: "inherit" });
  const text = readFileSync(path.join(STAGE, "etc/systemd/system", `${unit}.service`), "utf8");
  const [binary, ...words] = /^ExecStart=(.*)$/m.exec(text)[1].split(" ");
  const config = words[words.indexOf("--config") + 1];
  wants(statSync(STAGE + binary).mode & 0o001, `${binary} is not to be run by everybody`);
  // The user of the unit is nobody whom a file belongs to.
  if (/^DynamicUser=yes$/m.test(text)) wants(statSync(STAGE + config).mode & 0o004, `${config} is not for everybody to read`);
  execFileSync(STAGE + binary, ["check", STAGE + config], { stdio: "inherit" });
}

/** What is built is run, with mounts and ports that the image is made for. */
function podman([command, ...args]) {
  const image = path.join(STAGE, "image");
  const { options, rest } = read(args, ["-f", "-t", "-p", "-v"], ["--read-only", "--cap-drop=all", "--stop-timeout=20"]);
  if (command === "build") {
    wants(rest.length === 1 && existsSync(path.join(rest[0], "Cargo.toml")), "it is built from the top of the repository");
    return writeFileSync(image, JSON.stringify({ name: options["-t"][0], file: readFileSync(options["-f"][0], "utf8") }));
  }
  wants(command === "run" && existsSync(image), "an image is built and then run");
  const { name, file } = JSON.parse(readFileSync(image, "utf8"));
  wants(rest.length === 1 && rest[0] === name, `${rest} is not what was built`);
  for (const port of options["-p"]) wants(file.includes(`\nEXPOSE ${port.split(":")[1]}\n`), `${port} is not exposed`);
  for (const mount of options["-v"]) {
    const [from, to] = mount.split(":");
    wants(!from.includes("/") || existsSync(from), `${from} is not there`);
    wants(file.includes(to), `${to} is nowhere in the image`);
  }
  return undefined;
}

/** The secret is the one that the pods mount, with the keys that their configuration reads, and what is applied is there. */
function kubectl([command, ...args]) {
  const manifest = (name) => readFileSync(path.join("deploy", "kubernetes", name), "utf8");
  if (command === "create") {
    const [kind, type, name, ...literals] = args;
    wants(`${kind} ${type}` === "secret generic", "this makes secrets");
    wants(manifest("statefulset.yaml").includes(`secret: {secretName: ${name},`), `no pod mounts ${name}`);
    const read = [...manifest("configmap.yaml").matchAll(/\$\{file:\/etc\/streamfence-keys\/([\w-]+)\}/g)].map(([, key]) => key);
    const given = literals.map((literal) => /^--from-literal=([\w-]+)=.{24,}$/.exec(literal)?.[1]);
    wants(read.length > 0 && String(read.sort()) === String(given.sort()), `the configuration reads ${read}`);
    return;
  }
  wants(command === "apply" && args[0] === "-k" && args.length === 2, "this applies a folder");
  const listed = readFileSync(path.join(args[1], "kustomization.yaml"), "utf8").matchAll(/^ {2}- (\S+\.yaml)$/gm);
  const missing = [...listed].filter(([, file]) => !existsSync(path.join(args[1], file)));
  wants(missing.length === 0, `there is no ${missing.map(([, file]) => file)}`);
}

/** Options with a value, flags, and what is neither. */
function read(args, withValue, flags) {
  const options = Object.fromEntries(withValue.map((name) => [name, []]));
  const rest = [];
  for (let at = 0; at < args.length; at += 1) {
    if (withValue.includes(args[at])) options[args[at]].push(args[(at += 1)]);
    else if (args[at].startsWith("-")) wants(flags.includes(args[at]), `${args[at]} is not known here`);
    else rest.push(args[at]);
  }
  return { options, rest };
}

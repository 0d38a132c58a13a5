// A real Prometheus scrapes the real binary: it understands the page, every query of the dashboard and of the alerts has an
// answer, and an alert is on its way when there is cause.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { connect, subscribe } from "./lib/client.mjs";
import { defer } from "./lib/defer.mjs";
import { startServer } from "./lib/server.mjs";
import { until, within } from "./lib/wait.mjs";

const DEPLOY = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "deploy");
const WHOLE = `
watch: false
servers:
  feed:
    host: 127.0.0.1
    port: 0
    spillRootPath: spill
    namespaces:
      - { path: /feed, topics: [tick], overflowAction: DROP_OLDEST }
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxRetries: 3
        overflowAction: SPILL_TO_DISK
`;
/** Queries that have no answer while all is well: they show what there is only where there is any, or want TLS. */
const QUIET = /> 0\)?$|== 0$|tls_certificate|messages_dropped_total.* \/ /;

test("Prometheus understands what is scraped, and the dashboard and the alerts have answers", async (t) => {
  const server = await startServer(t, WHOLE);
  const client = await connect(t, server.url(), "/alerts");
  client.on("alert", (_, { topic, messageId }) => client.emit("ack", { topic, messageId }));
  await subscribe(client, "alert");
  await subscribe(await connect(t, server.url(), "/feed"), "tick");
  const prometheus = await startPrometheus(t, server.address("admin"));
  // Totals must move between two scrapes for a rate to be anything.
  const [tick, ask] = [() => server.publish("/feed", "tick", 1), (query) => prometheus.ask(query)];
  await until("messages are counted in both topics", async () => {
    await Promise.all([tick(), server.publish("/alerts", "alert", 1)]);
    const moved = await ask("sum by (topic) (rate(streamfence_messages_delivered_total[10s])) > 0");
    return moved.length === 2;
  }, 30_000);

  for (const query of queries()) {
    const answer = await ask(query.replaceAll("$__rate_interval", "10s").replaceAll(/"\$\w+"/g, '".*"'));
    assert.ok(answer.length > 0 || QUIET.test(query), `no answer to ${query}`);
  }
  const median = await ask("histogram_quantile(0.5, sum by (le) (rate(streamfence_sent_to_acked_seconds_bucket[10s])))");
  assert.ok(Number(median[0].value[1]) < 1, `an ack takes ${median[0].value[1]} s`);
  const rules = await until("every rule has been looked at", async () => {
    const { groups } = await prometheus.get("rules");
    const all = groups.flatMap((group) => group.rules);
    return all.every((rule) => rule.health !== "unknown") && all;
  });
  assert.deepEqual(rules.filter((rule) => rule.health !== "ok"), []);
  assert.deepEqual((await prometheus.get("alerts")).alerts, [], "all is well");

  writeFileSync(path.join(server.folder, "streamfence.yaml"), "servers: {feed: {}}");
  server.child.kill("SIGHUP");
  await until("an alert is on its way", async () => {
    const { alerts } = await prometheus.get("alerts");
    return alerts.some(({ labels, state }) => labels.alertname === "StreamFenceReloadRefused" && state === "pending");
  });
});

/** Every query of the dashboard. */
function queries() {
  const found = [];
  const look = (value) => {
    if (value === null || typeof value !== "object") return;
    if (typeof value.expr === "string") found.push(value.expr);
    Object.values(value).forEach(look);
  };
  look(JSON.parse(readFileSync(path.join(DEPLOY, "grafana", "streamfence.json"), "utf8")));
  assert.ok(found.length > 60);
  return found;
}

/** A Prometheus that scrapes this address every second, with the alerts that are shipped. */
async function startPrometheus(t, target) {
  assert.ok(process.env.PROMETHEUS_BIN, "PROMETHEUS_BIN names the binary: run `cargo xtask e2e`");
  const folder = mkdtempSync(path.join(os.tmpdir(), "streamfence-prometheus-"));
  defer(t, () => rmSync(folder, { recursive: true, force: true }));
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [path.join(DEPLOY, "prometheus", "alerts.yaml")],
    scrape_configs: [{ job_name: "streamfence", static_configs: [{ targets: [target] }] }],
  };
  // What is JSON is YAML, too.
  writeFileSync(path.join(folder, "prometheus.yml"), JSON.stringify(config));
  const args = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"];
  const child = spawn(process.env.PROMETHEUS_BIN, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const [ended, log] = [once(child, "exit"), []];
  // A test that dies takes it along.
  process.on("exit", () => child.kill("SIGKILL"));
  defer(t, async () => {
    child.kill("SIGTERM");
    await within("Prometheus ends", ended);
  });
  const address = new Promise((resolve) => {
    readline.createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      const found = line.match(/msg="Listening on".* address=(\S+)/);
      if (found) resolve(found[1]);
    });
  });
  const died = ended.then(() => assert.fail(`Prometheus has ended:\n${log.join("\n")}`));
  // Its end is looked at only while it starts.
  died.catch(() => {});
  const url = `http://${await within("Prometheus listens", Promise.race([address, died]), 30_000)}/api/v1`;
  const get = async (what) => {
    const { status, data, error } = await (await fetch(`${url}/${what}`)).json();
    assert.equal(status, "success", `${what}: ${error}`);
    return data;
  };
  await until("it is ready", async () => (await fetch(url.replace("/api/v1", "/-/ready"))).ok);
  const ask = async (query) => (await get(`query?query=${encodeURIComponent(query)}`)).result;
  return { get, ask };
}

//! `cargo xtask deploy`: what lies in `deploy/`, judged by tools of those who are to read it.
//!
//! That it fits our own binary and our own metrics, tests of those crates say.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::tools;

/// The most that may be exposed, by what `systemd-analyze security` counts: tenths of 0 (nothing) to 10 (everything).
const EXPOSURE: &str = "15";
/// The first systemd that knows `Type=notify-reload`.
const NOTIFY_RELOAD: u32 = 253;

/// Judges all of it, and stops at what is wrong first.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    prometheus(sh).context("deploy/prometheus and deploy/grafana")?;
    systemd(sh).context("deploy/systemd")?;
    manifests(sh).context("deploy/kubernetes and deploy/container")
}

/// The rules are valid and do what their plays say; and what the dashboard asks is PromQL.
fn prometheus(sh: &Shell) -> Result<()> {
    let promtool = tools::program_of(sh, "prometheus", "usr/bin/promtool")?;
    let queries = tools::target_dir(sh)?.join("deploy/dashboard.yaml");
    let dashboard: Value = serde_json::from_str(&sh.read_file("deploy/grafana/streamfence.json")?)?;
    let rules = as_rules(&dashboard);
    sh.create_dir(queries.parent().context("it lies in a folder")?)?;
    // What is JSON is YAML, too.
    sh.write_file(&queries, rules.to_string())?;
    cmd!(sh, "{promtool} check rules {queries}").run()?;
    let _there = sh.push_dir("deploy/prometheus");
    cmd!(sh, "{promtool} check config scrape.yaml").run()?;
    Ok(cmd!(sh, "{promtool} test rules alerts.test.yaml").run()?)
}

/// Each query of a dashboard as a rule, with something in place of what Grafana puts in.
fn as_rules(dashboard: &Value) -> Value {
    let mut queries = Vec::new();
    expressions(dashboard, &mut queries);
    let rules = queries.iter().enumerate().map(|(number, query)| {
        let query = query.replace("$__rate_interval", "5m");
        json!({"record": format!("panel:{number}"), "expr": query})
    });
    json!({"groups": [{"name": "dashboard", "rules": rules.collect::<Vec<_>>()}]})
}

fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// The unit is understood to the last line, and exposes little.
fn systemd(sh: &Shell) -> Result<()> {
    tools::ensure_packages(sh, "checks of the unit", [("systemd", cmd!(sh, "systemd-analyze --version"))])?;
    let version = cmd!(sh, "systemd-analyze --version").quiet().read()?;
    let version: u32 =
        version.split(' ').nth(1).and_then(|number| number.parse().ok()).context("systemd has a version")?;
    let folder = tools::target_dir(sh)?.join("deploy/systemd");
    sh.remove_path(&folder)?;
    sh.create_dir(folder.join("streamfence.service.d"))?;
    let unit = folder.join("streamfence.service");
    // It wants to see the program, which is not installed here.
    sh.write_file(
        &unit,
        sh.read_file("deploy/systemd/streamfence.service")?.replace("/usr/bin/streamfence", "/bin/true"),
    )?;
    let drop_in = || sh.copy_file("deploy/systemd/before-253.conf", folder.join("streamfence.service.d"));
    if version < NOTIFY_RELOAD {
        drop_in()?;
    }
    let verify = || -> Result<()> {
        let said = cmd!(sh, "systemd-analyze verify {unit}").output()?;
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        let wrong: Vec<_> = said.lines().filter(|line| !is_age(line, version)).collect();
        ensure!(wrong.is_empty(), "systemd-analyze verify says:\n{}", wrong.join("\n"));
        Ok(())
    };
    verify()?;
    drop_in()?;
    verify()?;
    let exposure = cmd!(sh, "systemd-analyze security --offline=true --no-pager --threshold={EXPOSURE} {unit}");
    let report = exposure.quiet().ignore_status().ignore_stderr().output()?;
    let words = String::from_utf8_lossy(&report.stdout).into_owned();
    ensure!(report.status.success(), "more is exposed than {EXPOSURE} tenths:\n{words}");
    println!("{}", words.lines().last().unwrap_or_default());
    Ok(())
}

/// What an old systemd says of what it does not know yet, and the drop-in mends.
fn is_age(line: &str, version: u32) -> bool {
    version < NOTIFY_RELOAD && line.ends_with("Failed to parse service type, ignoring: notify-reload")
}

/// The manifests are what Kubernetes takes, to the last key; the image is built as it should be.
fn manifests(sh: &Shell) -> Result<()> {
    let python =
        [("python3", cmd!(sh, "python3 --version")), ("python3-venv", cmd!(sh, "python3 -c 'import venv, ensurepip'"))];
    tools::ensure_packages(sh, "checks of the manifests", python)?;
    let judges = tools::target_dir(sh)?.join("tools/deploy");
    tools::python_environment(sh, "deploy/requirements.txt", &judges)?;
    let (validate, hadolint) = (judges.join("bin/kubernetes-validate"), judges.join("bin/hadolint"));
    let manifests = sh.read_dir("deploy/kubernetes")?;
    // The one of kustomize is no resource of Kubernetes.
    let manifests = manifests.into_iter().filter(|file| !file.ends_with("kustomization.yaml"));
    let manifests: Vec<_> = manifests.collect();
    ensure!(!manifests.is_empty(), "there are no manifests");
    cmd!(sh, "{validate} --strict {manifests...}").run()?;
    Ok(cmd!(sh, "{hadolint} deploy/container/Containerfile").run()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{as_rules, is_age};

    #[test]
    fn every_query_of_a_dashboard_becomes_a_rule() {
        let panels = json!([{"targets": [{"expr": "rate(a[$__rate_interval])"}]}, {"panels": [{"expr": "b"}]}]);
        let rules = as_rules(&json!({"annotations": {"list": [{"expr": "c"}]}, "panels": panels}));
        let rules = rules["groups"][0]["rules"].as_array().expect("it is a list");
        let queries: Vec<_> = rules.iter().map(|rule| rule["expr"].as_str().expect("it is a text")).collect();
        assert_eq!(queries, ["c", "rate(a[5m])", "b"]);
    }

    #[test]
    fn only_an_old_systemd_may_not_know_a_type() {
        let says = "/a/streamfence.service:13: Failed to parse service type, ignoring: notify-reload";
        assert_eq!((is_age(says, 252), is_age(says, 253)), (true, false));
        assert!(!is_age("/a/streamfence.service:14: Unknown key name 'Foo' in section 'Service', ignoring.", 252));
    }
}

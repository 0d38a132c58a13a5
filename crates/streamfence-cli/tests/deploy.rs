//! What lies in `deploy/` starts this binary, as it is shipped there, and the parts of it agree with each other.
//!
//! Whether Kubernetes, systemd and Prometheus understand it, `cargo xtask deploy` asks tools of theirs.

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

mod process;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use process::{Directory, Running, get, request, run};
use serde_json::{Value, json};

#[test]
fn the_image_starts_a_server_that_is_healthy_by_its_own_word() {
    let image = file("container/Containerfile");
    let instruction = |name: &str| -> Vec<String> {
        let line = image.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        let list = &line[line.find('[').unwrap_or_else(|| panic!("{name} is no list: {line}"))..];
        serde_json::from_str(list).unwrap_or_else(|why| panic!("{line}: {why}"))
    };
    assert_eq!(instruction("ENTRYPOINT"), ["/usr/bin/streamfence"]);
    assert!(image.contains("\nUSER 65532:65532\n"), "a number other than root's");

    let directory = Directory::new();
    let config = anywhere(&directory, &file("container/streamfence.yaml"));
    let command = instruction("CMD");
    let command = command.iter().map(|word| if word.ends_with(".yaml") { &config } else { word });
    let mut server = Running::start(&command.map(String::as_str).collect::<Vec<_>>());
    let admin = server.address("admin");

    let health = instruction("HEALTHCHECK");
    assert_eq!(health[0], "/usr/bin/streamfence");
    let health: Vec<_> = health[1..].iter().map(|word| if word == "127.0.0.1:9093" { &*admin } else { word }).collect();
    assert!(health.contains(&&*admin), "it asks where the configuration has the admin address: {health:?}");
    assert_eq!(run(&health).code, Some(0));
}

#[test]
fn the_unit_starts_a_server_with_its_configuration() {
    let unit = file("systemd/streamfence.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/streamfence ")).expect("it starts");
    let directory = Directory::new();
    let config = anywhere(&directory, &file("container/streamfence.yaml"));
    let words: Vec<_> = start.split(' ').map(|word| if word.ends_with(".yaml") { &*config } else { word }).collect();
    assert!(words.contains(&&*config), "{start}");
    Running::start(&words).address("main");
}

#[test]
fn the_manifests_agree_with_each_other() {
    let (pods, template) = (manifest("statefulset"), manifest("statefulset")["spec"]["template"].clone());
    let container = &template["spec"]["containers"][0];
    let labels = &template["metadata"]["labels"];
    assert_eq!(&pods["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"], labels);
    assert_eq!(pods["spec"]["serviceName"], manifest("pods")["metadata"]["name"]);

    let names = |list: &Value| -> BTreeSet<String> { each(list).map(|item| text(&item["name"])).collect() };
    let ports = names(&container["ports"]);
    for service in ["service", "pods"] {
        let service = manifest(service);
        assert_eq!(&service["spec"]["selector"], labels);
        assert!(each(&service["spec"]["ports"]).all(|port| ports.contains(&text(&port["targetPort"]))));
    }
    let volumes = names(&template["spec"]["volumes"]);
    assert_eq!(names(&container["volumeMounts"]), volumes);
    let shipped: BTreeSet<_> = each(&manifest("kustomization")["resources"]).map(text).collect();
    let there = std::fs::read_dir(deploy("kubernetes")).expect("it is there");
    let there = there.map(|entry| entry.expect("it can be read").file_name().into_string().expect("it is text"));
    assert_eq!(shipped, there.filter(|name| name != "kustomization.yaml").collect());

    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
    assert_eq!(template["spec"]["securityContext"]["runAsUser"], 65532, "the user of the image");
}

#[test]
fn the_manifests_start_a_server_that_answers_their_probes_and_stops_in_time() {
    let template = manifest("statefulset")["spec"]["template"].clone();
    let container = &template["spec"]["containers"][0];
    let directory = Directory::new();
    let config = text(&manifest("configmap")["data"]["streamfence.yaml"]);
    let mounts: Vec<_> = each(&container["volumeMounts"]).map(|mount| text(&mount["mountPath"])).collect();
    for path in ["/etc/streamfence-keys", "/var/lib/streamfence"] {
        assert!(config.contains(path) && mounts.iter().any(|mount| mount == path), "{path}");
    }
    let settings: Value = serde_saphyr::from_str(&config).expect("it is YAML");
    let [drain, slept, granted] = [
        &settings["servers"]["main"]["shutdownDrainMs"],
        &container["lifecycle"]["preStop"]["sleep"]["seconds"],
        &template["spec"]["terminationGracePeriodSeconds"],
    ]
    .map(|number| number.as_u64().expect("it is a number"));
    assert!(slept * 1_000 + drain + 5_000 <= granted * 1_000, "a pod that drains is not killed");

    let config = anywhere(&directory, &config);
    let words: Vec<_> = each(&container["args"]).map(text).collect();
    let words = words.iter().map(|word| if word.ends_with(".yaml") { &config } else { word });
    let mut server = Running::start(&words.map(String::as_str).collect::<Vec<_>>());
    let public = server.address("main");
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["port"], "clients");
        assert_eq!(get(&public, probe["path"].as_str().expect("it has a path")).0, 200, "{probe}");
    }
    // Publishers publish, Prometheus reads, and nobody else does either.
    let admin = server.address("admin");
    let scrape =
        |key: &str| request(&admin, &format!("GET /metrics HTTP/1.1\r\nauthorization: Bearer {key}\r\n"), "").0;
    assert_eq!([secret("prometheus"), secret("publisher"), "none".into()].map(|key| scrape(&key)), [200, 403, 401]);
    let bearer = format!("content-type: application/json\r\nauthorization: Bearer {}\r\n", secret("publisher"));
    let message = json!({"namespace": "/alerts", "topic": "alert", "payload": 1}).to_string();
    assert_eq!(request(&admin, &format!("POST /v1/publish HTTP/1.1\r\n{bearer}"), &message).0, 202);
}

/// What stands in place of a key.
fn secret(of: &str) -> String {
    format!("the-secret-of-the-{of}")
}

/// A configuration that is shipped, as a file of ours: on ports that the system gives, with its directories below another.
fn anywhere(directory: &Directory, config: &str) -> String {
    for key in ["publisher", "prometheus"] {
        directory.write(key, &secret(key));
    }
    let config = config
        .replace("host: 0.0.0.0", "host: 127.0.0.1")
        .replace("port: 3000", "port: 0")
        .replace("port: 9093", "port: 0")
        .replace("/var/lib/streamfence", &directory.path("lib"))
        .replace("/etc/streamfence-keys", &directory.path(""));
    std::fs::create_dir_all(directory.path("lib")).expect("the directory is ours");
    directory.write("streamfence.yaml", &config)
}

fn manifest(name: &str) -> Value {
    serde_saphyr::from_str(&file(&format!("kubernetes/{name}.yaml"))).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().unwrap_or_else(|| panic!("a list is wanted, this is {list}")).iter()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text is wanted, this is {value}")).to_owned()
}

fn file(path: &str) -> String {
    let path = deploy(path);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

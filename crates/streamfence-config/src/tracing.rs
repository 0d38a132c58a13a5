//! Where traces go: an address, and the secrets of who may bring them there.

use std::time::Duration;

use crate::auth::{is_url, what_no_header_has};
use crate::block::{Block, Report};
use crate::error::Problem;
use crate::keys::Section;
use crate::raw::{Node, Value, shown};
use crate::settings::{Secret, TracingProtocol, TracingSettings};

const PART: &str = "tracing";

/// `None` where the file says nothing of traces, or what cannot be, which is reported.
pub(crate) fn resolve(file: &mut Block, report: &mut Report<'_>) -> Option<TracingSettings> {
    let mut block = Block::read(file.take(PART)?, &[Section::Tracing], PART, report);
    if !block.is_sound {
        return None;
    }
    let is_said = |key: &str| block.place_of(key).map(|at| (at, block.text(key).to_owned()));
    let (endpoint, service_name) = (is_said("endpoint"), is_said("serviceName").map(|(_, name)| name));
    let endpoint = match endpoint {
        Some((at, url)) if !is_url(&url) => {
            // Not the value: what is wrong with it may be that it holds a password.
            let (key, found) = ("endpoint".to_owned(), "not such a URL".to_owned());
            let wanted = "`http://` or `https://` and a host, without a user, a fragment or a space".to_owned();
            report.error(PART, at, Problem::WrongValue { key, found, wanted });
            None
        }
        Some((_, url)) => Some(url),
        None => None,
    };
    Some(TracingSettings {
        endpoint,
        headers: block.take("headers").map(|node| headers(node, report)).unwrap_or_default(),
        protocol: match block.text("protocol") {
            "http/protobuf" => TracingProtocol::HttpProtobuf,
            "http/json" => TracingProtocol::HttpJson,
            other => unreachable!("the table of keys has no protocol {other}"),
        },
        sample_ratio: block.decimal("sampleRatio"),
        timeout: Duration::from_millis(block.number("timeoutMs")),
        service_name,
    })
}

/// Headers that belong to what is sent, and to how.
const OURS: [&str; 9] = [
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
];

fn headers(node: Node, report: &mut Report<'_>) -> Vec<(String, Secret)> {
    let Value::Block(entries) = node.value else { return Vec::new() };
    let part = format!("{PART}.headers");
    let mut headers: Vec<(String, Secret)> = Vec::with_capacity(entries.len());
    for (name, mut node) in entries {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_known = headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name.value));
        let is_ours = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(&name.value));
        if name.value.is_empty() || !name.value.bytes().all(is_token) || is_known || is_ours {
            let wanted = format!("the name of a header, each once, and none of {}", OURS.join(", "));
            let problem = Problem::WrongValue { key: "a header".to_owned(), found: shown(&name.value), wanted };
            report.error(&part, name.at, problem);
            continue;
        }
        if !report.expand(&part, &mut node) {
            continue;
        }
        // Never the value, which is a secret or was meant to be one.
        let value = match &node.value {
            Value::Text(text) if text.value.is_ascii() && what_no_header_has(&text.value).is_none() => &text.value,
            _ => {
                let (key, found) = (format!("the value of {}", shown(&name.value)), "none of a header".to_owned());
                let wanted = "a text of ASCII in quotes, without blanks around it".to_owned();
                report.error(&part, node.at, Problem::WrongValue { key, found, wanted });
                continue;
            }
        };
        headers.push((name.value.clone(), Secret::from(value.as_str())));
        report.secret(&part, &format!("the header {}", name.value), &node);
    }
    headers
}

#[cfg(test)]
mod tests {
    use crate::{Format, TracingProtocol, parse};

    fn read(tracing: &str) -> Result<crate::Settings, String> {
        let text = format!("servers: {{s: {{namespaces: [{{path: /n, topics: [a]}}]}}}}\n{tracing}\n");
        parse(&text, Format::Yaml, "f.yaml", &|_| Err("nothing".into())).map_err(|why| why.to_string())
    }

    #[test]
    fn without_a_word_there_are_no_traces_and_an_empty_block_is_a_word() {
        assert_eq!(read("").expect("it is valid").tracing, None);
        let tracing = read("tracing: {}").expect("it is valid").tracing.expect("there are traces");
        assert_eq!((tracing.endpoint, tracing.service_name, tracing.sample_ratio), (None, None, 0.0));
        let said = "tracing: {endpoint: 'https://otel.example/x?k=hunter2', headers: {Authorization: Bearer hunter2}, \
                    protocol: http/json, sampleRatio: 0.25, timeoutMs: 7, serviceName: feed}";
        let tracing = read(said).expect("it is valid").tracing.expect("there are traces");
        assert_eq!(tracing.headers[0].1.expose(), "Bearer hunter2");
        assert_eq!((tracing.protocol, tracing.sample_ratio), (TracingProtocol::HttpJson, 0.25));
        assert!(!format!("{tracing:?}").contains("hunter2"), "{tracing:?}");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for (wrong, place) in [
            ("endpoint: 'ftp://hunter2'", "2:21"),
            ("endpoint: 'http://a:hunter2@b'", "2:21"),
            ("headers: {'a b': hunter2}", "2:21"),
            ("headers: {a: hunter2, A: hunter2}", "2:33"),
            ("headers: {a: [hunter2]}", "2:24"),
            ("headers: {content-length: hunter2}", "2:21"),
            ("endpoint: 'http://[hunter2'", "2:21"),
            ("endpoint: 'http://hunter2:99999/'", "2:21"),
            ("sampleRatio: 1.5", "2:24"),
        ] {
            let why = read(&format!("tracing: {{{wrong}}}")).expect_err(wrong);
            assert!(why.contains(place) && !why.contains("hunter2"), "{wrong}: {why}");
        }
    }
}

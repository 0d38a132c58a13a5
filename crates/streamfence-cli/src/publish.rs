//! `streamfence publish`: messages over HTTP, and what became of them.

mod source;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use streamfence_client::{Answer, Api};
use tokio::time::{Instant, sleep_until};

use crate::exit::Failure;
use crate::remote::{AdminArgs, as_it_is, client, failure, rate, refusal, run as run_remote, seconds};
use crate::say;
use source::{Payload, Source};

#[derive(Debug, clap::Args)]
pub(crate) struct PublishArgs {
    /// The namespace
    namespace: String,
    /// The topic
    topic: String,
    /// The payload, as JSON; without it and without --file it is read from stdin
    #[arg(allow_negative_numbers = true)]
    payload: Option<String>,
    /// Read the payload from this file; `-` is stdin
    #[arg(short, long, value_name = "FILE", conflicts_with = "payload")]
    file: Option<PathBuf>,
    /// Each line is the payload of a message of its own, published as it comes
    #[arg(long, conflicts_with_all = ["payload", "binary", "count"])]
    ndjson: bool,
    /// The payload is text: it is published as a JSON string
    #[arg(long, conflicts_with = "binary")]
    text: bool,
    /// The payload is bytes and arrives as such
    #[arg(long, conflicts_with = "payload")]
    binary: bool,
    /// Publish it so many times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Publish at most so many messages a second
    #[arg(long, value_name = "PER SECOND", value_parser = rate)]
    rate: Option<f64>,
    /// The key that it is coalesced by
    #[arg(long)]
    key: Option<String>,
    /// How many milliseconds it may wait for a client before it expires
    #[arg(long, value_name = "MS")]
    ttl: Option<NonZeroU32>,
    /// For this client alone; may be given several times
    #[arg(long, value_name = "CLIENT", allow_hyphen_values = true, value_parser = client)]
    to: Vec<String>,
    /// For the clients of this principal alone
    #[arg(long, value_name = "PRINCIPAL", conflicts_with = "to")]
    to_principal: Option<String>,
    /// Not for this client; may be given several times
    #[arg(long, value_name = "CLIENT", allow_hyphen_values = true, value_parser = client)]
    except: Vec<String>,
    /// What is waited for
    #[arg(long, value_name = "WHAT", default_value = "enqueued")]
    wait: Wait,
    /// By how many clients it is to be acked, with `--wait acked`; `all` that it is for, as without it
    #[arg(long, value_name = "N", value_parser = acks)]
    acks: Option<Value>,
    /// How long to wait for acks, in seconds; then the exit code is 8
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    timeout: Duration,
    /// A message of this key is published once within five minutes, however often it is sent; with several messages
    /// each has it with `-1`, `-2` and so on
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print what the server answers, one JSON object a message
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// Until the lanes of all clients have it or have refused it
    Enqueued,
    /// Until clients have acked it, on a topic that is at least once
    Acked,
}

fn acks(text: &str) -> Result<Value, String> {
    match text.parse::<NonZeroU32>() {
        Ok(count) => Ok(count.get().into()),
        Err(_) if text == "all" => Ok(text.into()),
        Err(_) => Err(format!("found {text:?}; wanted a number above 0, or all")),
    }
}

pub(crate) fn run(args: &PublishArgs) -> Result<(), Failure> {
    run_remote(publish(args))
}

async fn publish(args: &PublishArgs) -> Result<(), Failure> {
    if args.acks.is_some() && args.wait != Wait::Acked {
        return Err(Failure::Usage("--acks is for those that are waited for; wanted --wait acked with it".into()));
    }
    let mut source = Source::open(args).await?;
    let mut api = args.admin.api()?;
    let mut told = Tally { is_one: args.count.is_none() && !args.ndjson, ..Tally::default() };
    let begin = Instant::now();
    while let Some(payload) = source.next().await? {
        if let Some(rate) = args.rate {
            sleep_until(begin + Duration::from_secs_f64(told.published as f64 / rate)).await;
        }
        let number = told.published + 1;
        let answer = send(args, &mut api, &payload, (!told.is_one).then_some(number)).await?;
        told.hear(args, &answer)?;
    }
    told.end()
}

async fn send(args: &PublishArgs, api: &mut Api, payload: &Payload, number: Option<u64>) -> Result<Answer, Failure> {
    let mut headers = Vec::new();
    if let Some(key) = &args.idempotency_key {
        let key = number.map_or_else(|| key.clone(), |number| format!("{key}-{number}"));
        let value = HeaderValue::from_str(&key).map_err(|_| {
            Failure::Usage(format!("found the idempotency key {key:?}; wanted one that an HTTP header may hold"))
        })?;
        headers.push(("idempotency-key", value));
    }
    let longer = if args.wait == Wait::Acked { args.timeout } else { Duration::ZERO };
    api.post_with("/v1/publish", body(args, payload).into(), &headers, longer).await.map_err(failure)
}

/// The body of a publish. The payload stands in it as its publisher wrote it.
fn body(args: &PublishArgs, payload: &Payload) -> String {
    let mut body = Map::new();
    let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
    add("namespace", args.namespace.as_str().into());
    add("topic", args.topic.as_str().into());
    if let Some(key) = &args.key {
        add("key", key.as_str().into());
    }
    if let Some(ttl) = args.ttl {
        add("ttlMs", ttl.get().into());
    }
    if let Some(principal) = &args.to_principal {
        add("to", json!({ "principal": principal }));
    } else if !args.to.is_empty() {
        add("to", json!(args.to));
    }
    if !args.except.is_empty() {
        add("except", json!(args.except));
    }
    if args.wait == Wait::Acked {
        let timeout_ms = u64::try_from(args.timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        let count = args.acks.clone().unwrap_or_else(|| "all".into());
        add("wait", json!({ "for": "acked", "count": count, "timeoutMs": timeout_ms }));
    }
    let (name, payload) = match payload {
        Payload::Json(json) => ("payload", json.clone()),
        Payload::Base64(text) => ("payloadBase64", Value::from(text.as_str()).to_string()),
    };
    let rest = Value::Object(body).to_string();
    let rest = rest.strip_suffix('}').expect("an object ends with a brace");
    format!("{rest},\"{name}\":{payload}}}")
}

/// What became of all messages so far.
#[derive(Debug, Default)]
struct Tally {
    /// Whether one message was all that was wanted.
    is_one: bool,
    published: u64,
    /// Messages that somebody's lane refused.
    refused: u64,
    /// Messages that were not acked in time.
    late: u64,
    /// Messages of which everybody has acked who got them, and that more were wanted for: how many, and by how many
    /// clients the last was acked.
    too_few: u64,
    last_acked: u64,
    /// Messages that were given up, or whose clients went, before enough had acked them.
    given_up: u64,
    last_refusal: Option<String>,
}

impl Tally {
    /// Takes in what the server answered, and prints it as long as anybody reads that: what is to be published is
    /// published without readers too.
    fn hear(&mut self, args: &PublishArgs, answer: &Answer) -> Result<(), Failure> {
        self.published += 1;
        // What refuses may say nothing; what has published says what.
        let mut report =
            if answer.is_ok() { answer.json().map_err(failure)? } else { answer.json().unwrap_or_default() };
        if !answer.is_ok() {
            let why = match refusal(answer) {
                // Whatever there was too much of, this message was not taken.
                Failure::Rejected(why) | Failure::Other(why) if answer.status == 429 => why,
                Failure::Rejected(why) => why,
                why => return Err(self.cut_short(why)),
            };
            self.refused += 1;
            self.last_refusal = Some(why);
            // With one, it was published to the others.
            report = report["report"].take();
            if report.is_null() {
                return Ok(());
            }
        } else if report["rejected"].as_u64().is_some_and(|rejected| rejected > 0) {
            self.refused += 1;
        }
        let acked = &report["acked"];
        if acked["timedOut"] == true {
            self.late += 1;
        } else if acked["count"].as_u64() < acked["wanted"].as_u64() {
            match acked["count"].as_u64() {
                Some(count) if report["admitted"].as_u64() == Some(count) => {
                    self.too_few += 1;
                    self.last_acked = count;
                }
                _ => self.given_up += 1,
            }
        }
        match args.json {
            true if answer.is_ok() => say::line(as_it_is(answer)?),
            true => say::line(report),
            false => say::line(text(&report)),
        }
    }

    /// The same failure, and how many messages came before it.
    fn cut_short(&self, why: Failure) -> Failure {
        if !self.is_one {
            say::aside(format_args!("{} messages were published before", self.published - 1));
        }
        why
    }

    fn end(self) -> Result<(), Failure> {
        let Self { is_one, published, refused, late, too_few, last_acked, given_up, last_refusal } = self;
        if refused > 0 {
            let why = last_refusal.unwrap_or_else(|| "a client's lane refused it".into());
            let whole = if is_one { why } else { format!("{refused} of {published} messages were rejected: {why}") };
            return Err(Failure::Rejected(whole));
        }
        let were = |some: u64| match is_one {
            true => "the message was".into(),
            false => format!("{some} of {published} messages were"),
        };
        let late = (late > 0).then(|| format!("{} not acked in time", were(late)));
        let given_up = (given_up > 0)
            .then(|| format!("{} given up, or clients went, before as many had acked as were wanted", were(given_up)));
        let too_few = (too_few > 0).then(|| {
            let all = format!("{} acked by all that got it", were(too_few));
            format!("{all}, who are fewer ({last_acked}) than were wanted")
        });
        let unacked: Vec<_> = late.into_iter().chain(given_up).chain(too_few).collect();
        if !unacked.is_empty() {
            return Err(Failure::TimedOut(unacked.join("; ")));
        }
        if !is_one {
            say::aside(format_args!("{published} messages published"));
        }
        Ok(())
    }
}

/// A report for people.
fn text(report: &Value) -> String {
    let id = say::visible(report["id"].as_str().unwrap_or("?"));
    let numbers = ["matched", "admitted", "coalesced", "displaced", "rejected", "spilled"];
    let numbers: Vec<_> =
        numbers.iter().filter_map(|name| report[name].as_u64().map(|number| format!("{name} {number}"))).collect();
    let mut line = format!("{id}: {}", numbers.join(", "));
    if let Some(acked) = report["acked"].as_object() {
        let number = |key: &str| acked.get(key).and_then(Value::as_u64).unwrap_or_default();
        line += &format!(", acked by {} of {}", number("count"), number("wanted"));
    }
    if let Some(why) = report["spillRefused"].as_str() {
        line += &format!(" (no place on disk: {})", say::visible(why));
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Args, Command};

    fn args(arguments: &[&str]) -> PublishArgs {
        let whole = [&["streamfence", "publish", "/feed", "tick"], arguments].concat();
        match Args::try_parse_from(whole).expect("it is well-formed").command {
            Command::Publish(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_body_has_what_was_asked_for_and_the_payload_as_it_was_written() {
        let plain = body(&args(&["1"]), &Payload::Json("1.50".into()));
        assert_eq!(plain, r#"{"namespace":"/feed","topic":"tick","payload":1.50}"#);
        let all = args(&[
            "--key",
            "k",
            "--ttl",
            "5",
            "--to",
            "aaaaaaaaaaaaaaaa",
            "--to",
            "bbbbbbbbbbbbbbbb",
            "--except",
            "cccccccccccccccc",
            "--wait",
            "acked",
            "--acks",
            "2",
            "--timeout",
            "1.5",
        ]);
        let body: Value = serde_json::from_str(&body(&all, &Payload::Base64("YWJj".into()))).expect("it is JSON");
        let wait = json!({"for": "acked", "count": 2, "timeoutMs": 1500});
        let wanted = json!({"namespace": "/feed", "topic": "tick", "payloadBase64": "YWJj", "key": "k", "ttlMs": 5,
            "to": ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"],
            "except": ["cccccccccccccccc"], "wait": wait});
        assert_eq!(body, wanted);
    }

    #[test]
    fn more_acks_than_there_are_clients_is_told_as_that() {
        let report = |admitted: u64, acked: u64| Answer {
            route: String::new(),
            status: 200,
            body: json!({"id": "a:1", "rejected": 0, "admitted": admitted,
                "acked": {"count": acked, "wanted": 5, "timedOut": false}})
            .to_string()
            .into(),
        };
        let end = |answer: &Answer| {
            let mut tally = Tally { is_one: true, ..Tally::default() };
            tally.hear(&args(&["1", "--json"]), answer).expect("it is an answer");
            tally.end().expect_err("5 were wanted").why().to_owned()
        };
        assert_eq!(end(&report(2, 2)), "the message was acked by all that got it, who are fewer (2) than were wanted");
        assert!(end(&report(6, 2)).starts_with("the message was given up, or clients went"));
    }

    #[test]
    fn what_was_refused_decides_before_what_was_late() {
        let answer = |status, body: Value| Answer { route: String::new(), status, body: body.to_string().into() };
        let args = args(&["1", "--json"]);
        let late = answer(200, json!({"id": "a:1", "rejected": 0, "acked": {"timedOut": true}}));
        let refused = answer(202, json!({"id": "a:2", "rejected": 1}));
        let full = answer(429, json!({"code": "QUEUE_FULL", "detail": "full", "report": {"id": "a:3", "rejected": 1}}));
        let mut tally = Tally::default();
        tally.hear(&args, &late).expect("it is an answer");
        assert!(matches!(Tally { ..tally }.end(), Err(Failure::TimedOut(_))));
        let mut tally = Tally { late: 1, published: 1, ..Tally::default() };
        tally.hear(&args, &refused).expect("it is an answer");
        tally.hear(&args, &full).expect("it is an answer");
        assert!(
            matches!(tally.end(), Err(Failure::Rejected(why)) if why.starts_with("2 of 3 messages were rejected: full"))
        );
        let gone = answer(404, json!({"code": "UNKNOWN_TOPIC", "detail": "unknown"}));
        assert!(matches!(Tally::default().hear(&args, &gone), Err(Failure::Other(_))));
    }
}

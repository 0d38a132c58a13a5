//! What all commands share that talk to a server: how it is found, and how the command ends when that fails.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use streamfence_client::{Answer, Api, ClientError, Connector, Identity, Target, Trust, encoded};

use crate::exit::Failure;
use crate::say;

/// Where the HTTP API is.
#[derive(Debug, clap::Args)]
pub(crate) struct AdminArgs {
    /// Where the HTTP API is: http://HOST:PORT, https://.., or unix:PATH
    #[arg(long, value_name = "URL", env = "STREAMFENCE_ADMIN", default_value = "http://127.0.0.1:9093")]
    admin: Target,
    /// The key to show there
    #[arg(long, value_name = "KEY", env = "STREAMFENCE_KEY", hide_env_values = true)]
    api_key: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// The same for commands that publish nothing, where `--key` can only be this one.
#[derive(Debug, clap::Args)]
pub(crate) struct OperatorArgs {
    /// Where the HTTP API is: http://HOST:PORT, https://.., or unix:PATH
    #[arg(long, value_name = "URL", env = "STREAMFENCE_ADMIN", default_value = "http://127.0.0.1:9093")]
    admin: Target,
    /// The key to show there
    #[arg(long, visible_alias = "api-key", value_name = "KEY", env = "STREAMFENCE_KEY", hide_env_values = true)]
    key: Option<String>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Print what the server answers, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// Trust these certificates, in PEM, instead of those that the system trusts
    #[arg(long, value_name = "FILE", env = "STREAMFENCE_CACERT")]
    cacert: Option<PathBuf>,
    /// Show this certificate to a server that asks for one by TLS, with those between it and who signs for clients, in PEM
    #[arg(long, value_name = "FILE", env = "STREAMFENCE_CLIENT_CERT")]
    client_cert: Option<PathBuf>,
    /// Its private key, in PEM and without a password; in the same file unless this says otherwise
    #[arg(long, value_name = "FILE", env = "STREAMFENCE_CLIENT_KEY")]
    client_key: Option<PathBuf>,
}

impl TrustArgs {
    /// A way to a server.
    pub(crate) fn connector(&self, target: &Target) -> Result<Connector, Failure> {
        let trust = self.cacert.clone().map_or(Trust::System, Trust::File);
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificates), key) => {
                Some(Identity { certificates: certificates.clone(), key: key.as_ref().unwrap_or(certificates).clone() })
            }
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Failure::Usage("found --client-key alone; wanted --client-cert with it".into()));
            }
        };
        Connector::new(target.clone(), &trust, identity.as_ref(), PATIENCE).map_err(|why| match why {
            ClientError::Untrusting { .. } | ClientError::Unidentified { .. } => Failure::Listen(why.to_string()),
            why => failure(why),
        })
    }
}

impl AdminArgs {
    pub(crate) fn trust(&self) -> &TrustArgs {
        &self.trust
    }

    pub(crate) fn api(&self) -> Result<Api, Failure> {
        Api::new(self.trust.connector(&self.admin)?, self.api_key.as_deref()).map_err(failure)
    }
}

impl OperatorArgs {
    /// Where the API is, for people.
    pub(crate) fn target(&self) -> String {
        self.admin.to_string()
    }

    pub(crate) fn api(&self) -> Result<Api, Failure> {
        Api::new(self.trust.connector(&self.admin)?, self.key.as_deref()).map_err(failure)
    }

    /// Asks for a path, and has what comes: as it is with `--json`, and else as this shows it.
    pub(crate) fn show(&self, path: &str, text: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        self.answer(Answer::json, text, async |api| api.get(path).await)
    }

    /// The same for an answer with parts that are whatever somebody published, which are not to be parsed.
    pub(crate) fn show_as<T: DeserializeOwned>(
        &self,
        path: &str,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        self.answer(|answer| answer.read::<T>(), text, async |api| api.get(path).await)
    }

    /// Has something done, and says likewise what came of it.
    pub(crate) fn order(&self, path: &str, order: &Value, text: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        self.answer(Answer::json, text, async |api| api.post(path, order).await)
    }

    /// The same for an order that may have found nothing to do: then this says so, and the command fails with it.
    pub(crate) fn order_unless(
        &self,
        path: &str,
        order: &Value,
        nothing: impl FnOnce(&Value) -> Option<String>,
        text: impl FnOnce(&Value) -> String,
    ) -> Result<(), Failure> {
        let mut idle = None;
        let said = self.order(path, order, |answer| {
            idle = nothing(answer);
            if idle.is_some() { String::new() } else { text(answer) }
        });
        said.and_then(|()| idle.map_or(Ok(()), |why| Err(Failure::Other(why))))
    }

    fn answer<T>(
        &self,
        read: impl FnOnce(&Answer) -> Result<T, ClientError>,
        text: impl FnOnce(&T) -> String,
        ask: impl AsyncFnOnce(&mut Api) -> Result<Answer, ClientError>,
    ) -> Result<(), Failure> {
        let mut api = self.api()?;
        let answer = run(async { ask(&mut api).await.map_err(failure) })?;
        if !answer.is_ok() {
            return Err(refusal(&answer));
        }
        let text = text(&read(&answer).map_err(failure)?);
        match (self.json, text.trim_end()) {
            (true, _) => say::line(as_it_is(&answer)?),
            (false, "") => Ok(()),
            (false, text) => say::line(text),
        }
    }
}

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command to its end, unless it is interrupted.
pub(crate) fn run<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::other)?;
    let outcome = runtime.block_on(unless_interrupted(command));
    // A thread of ours may wait for stdin for ever.
    runtime.shutdown_background();
    outcome
}

/// What this brings, unless whoever started the command ends it.
pub(crate) async fn unless_interrupted<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::other)?;
    tokio::select! {
        outcome = command => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted("interrupted".into())),
        _ = terminate.recv() => Err(Failure::Interrupted("interrupted".into())),
    }
}

/// How a command ends that could not talk to a server.
pub(crate) fn failure(why: ClientError) -> Failure {
    let text = say::visible(&why.to_string());
    match why {
        ClientError::Refused { code, .. } if is_auth(&code) => Failure::Auth(text),
        ClientError::Refused { code, .. } if code == "SHUTTING_DOWN" || code.starts_with('5') => {
            Failure::Unreachable(text)
        }
        ClientError::Refused { .. } | ClientError::Unreadable { .. } => Failure::Other(text),
        _ => Failure::Unreachable(text),
    }
}

/// Whether a code of the protocol or of TLS, or the status of a refused upgrade, is about who we are.
pub(crate) fn is_auth(code: &str) -> bool {
    const OURS: [&str; 5] =
        ["AUTH_REJECTED", "AUTH_RATE_LIMITED", "UNAUTHORIZED", "CERTIFICATE_REQUIRED", "CERTIFICATE_REFUSED"];
    OURS.contains(&code) || code.starts_with("401")
}

/// What the server answered, unless it is that it did not do it.
pub(crate) fn done(answer: Answer) -> Result<Value, Failure> {
    if answer.is_ok() { answer.json().map_err(failure) } else { Err(refusal(&answer)) }
}

/// What the server answered, on one line, with its order of keys and its digits.
pub(crate) fn as_it_is(answer: &Answer) -> Result<String, Failure> {
    let json: &RawValue = answer.read().map_err(failure)?;
    // JSON that has line breaks has them between its words.
    Ok(json.get().replace(['\n', '\r'], " "))
}

/// How a command ends that a server did not do.
pub(crate) fn refusal(answer: &Answer) -> Failure {
    // What is none says less, and is a refusal all the same.
    let problem = answer.json().unwrap_or_default();
    let code = problem["code"].as_str().unwrap_or_default();
    let why = match problem["detail"].as_str() {
        Some(detail) => say::visible(&format!("{detail} ({code})")),
        None => format!("the server answered {}; is it the HTTP API of StreamFence?", answer.status),
    };
    // A configuration that is not valid, mistake by mistake.
    let errors = problem["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let why = errors
        .fold(why, |why, error| format!("{why}\n{}", error.lines().map(say::visible).collect::<Vec<_>>().join("\n")));
    match (answer.status, code) {
        (_, "PUBLISH_REJECTED" | "QUEUE_FULL" | "PAYLOAD_TOO_LARGE") => Failure::Rejected(why),
        (_, "FORBIDDEN_HOST") => Failure::Other(why),
        (401 | 403, _) => Failure::Auth(why),
        (422, _) => Failure::Config(why),
        (503, _) => Failure::Unreachable(why),
        _ => Failure::Other(why),
    }
}

/// A path with what is asked for of it.
pub(crate) fn query(path: &str, wanted: &[(&str, Option<&str>)]) -> String {
    let wanted = wanted.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={}", encoded(value))));
    let wanted = wanted.collect::<Vec<_>>().join("&");
    if wanted.is_empty() { path.to_owned() } else { format!("{path}?{wanted}") }
}

/// The id of a client. What none can have is refused before a server is asked.
pub(crate) fn client(text: &str) -> Result<String, String> {
    let wrong = |why| format!("found {text:?}, {why}");
    text.parse::<streamfence_core::ClientId>().map(|_| text.to_owned()).map_err(wrong)
}

/// A number of seconds, such as `5` or `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found {text:?}; wanted seconds above 0, such as 5 or 0.5");
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    // Later than that is never, and added to now it may be no time at all.
    if duration.is_zero() || duration > MOST { Err(wrong()) } else { Ok(duration) }
}

const MOST: Duration = Duration::from_secs(1_000_000_000);

/// A number above zero, with a fraction or without.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("found {text:?}; wanted a number above 0, such as 100 or 0.5");
    let rate: f64 = text.parse().map_err(|_| wrong())?;
    if (1e-6..=1e9).contains(&rate) { Ok(rate) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> Failure {
        let body = serde_json::json!({"status": status, "code": code, "detail": "because"});
        refusal(&Answer { route: String::new(), status, body: body.to_string().into() })
    }

    #[test]
    fn a_refusal_ends_a_command_as_what_it_is() {
        assert!(matches!(answered(401, "UNAUTHORIZED"), Failure::Auth(_)));
        assert!(matches!(answered(403, "FORBIDDEN"), Failure::Auth(_)));
        assert!(matches!(answered(403, "FORBIDDEN_HOST"), Failure::Other(_)));
        assert!(matches!(answered(403, "PUBLISH_REJECTED"), Failure::Rejected(_)));
        assert!(matches!(answered(413, "PAYLOAD_TOO_LARGE"), Failure::Rejected(_)));
        assert!(matches!(answered(429, "QUEUE_FULL"), Failure::Rejected(_)));
        assert!(matches!(answered(429, "LIMIT_EXCEEDED"), Failure::Other(_)));
        assert!(matches!(answered(422, "CONFIG_INVALID"), Failure::Config(_)));
        assert!(matches!(answered(503, "SHUTTING_DOWN"), Failure::Unreachable(_)));
        assert!(matches!(answered(404, "UNKNOWN_TOPIC"), Failure::Other(why) if why == "because (UNKNOWN_TOPIC)"));
        let page = Answer { route: String::new(), status: 200, body: "<html>".into() };
        assert!(matches!(refusal(&page), Failure::Other(why) if why.contains("is it the HTTP API")));
    }

    #[test]
    fn what_is_asked_for_stands_in_the_query() {
        assert_eq!(query("/a", &[("b", None)]), "/a");
        assert_eq!(query("/a", &[("b", None), ("c", Some("/d&e")), ("f", Some("g"))]), "/a?c=%2Fd%26e&f=g");
    }

    #[test]
    fn numbers_above_zero_are_read() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(rate("100"), Ok(100.0));
        for wrong in ["", "0", "-1", "x", "NaN", "inf", "1e300"] {
            assert!(seconds(wrong).is_err() && rate(wrong).is_err(), "{wrong}");
        }
    }
}

//! `streamfence check FILE`: whether a configuration is valid, and the certificates and keys it names are what they
//! should be.

use serde_json::{Map, Value, json};
use streamfence_config::{ConfigError, ConfigErrors, Settings};
use streamfence_socketio::server::Identity;

use crate::args::CheckArgs;
use crate::auth::Validators;
use crate::exit::Failure;
use crate::serve::options;
use crate::{api_keys, explain, say};

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let mut outcome = Outcome { args, warnings: Vec::new() };
    let settings = match streamfence_config::load(args.file()) {
        Ok(settings) => settings,
        Err(why) => return outcome.invalid(&why),
    };
    for warning in &settings.warnings {
        outcome.warn(located(warning), warning)?;
    }
    // Keys that cannot be read, or are none, are wrong here already.
    let validators = Validators::new(&settings.servers).map(drop);
    if let Err(why) = validators.and_then(|()| api_keys::keys(&settings.admin.keys).map(drop)) {
        outcome.answer(false, json!({"errors": [unlocated(why.why(), "")]}))?;
        return Err(why);
    }
    let mut wrong = Vec::new();
    for server in &settings.servers {
        let Some(tls) = options(server).tls else { continue };
        let part = format!("servers.{}.tls", server.name);
        match Identity::load(&tls) {
            Ok(identity) => {
                for warning in identity.warnings() {
                    let said = unlocated(&warning.to_string(), &part);
                    outcome.warn(said, format_args!("{warning} ({part})"))?;
                }
            }
            Err(why) => wrong.push((why.to_string(), part)),
        }
    }
    if !wrong.is_empty() {
        let errors = wrong.iter().map(|(why, part)| unlocated(why, part)).collect();
        outcome.answer(false, json!({"errors": Value::Array(errors)}))?;
        let wrong: Vec<_> = wrong.iter().map(|(why, part)| format!("{why} ({part})")).collect();
        return Err(Failure::Listen(wrong.join("\n")));
    }
    outcome.fine(&settings)
}

/// What is said of a file.
struct Outcome<'a> {
    args: &'a CheckArgs,
    warnings: Vec<Value>,
}

impl Outcome<'_> {
    fn warn(&mut self, said: Value, text: impl std::fmt::Display) -> Result<(), Failure> {
        self.warnings.push(said);
        if self.args.json { Ok(()) } else { say::line(format_args!("warning: {text}")) }
    }

    fn invalid(&self, why: &ConfigErrors) -> Result<(), Failure> {
        let errors: Vec<_> = why.iter().take(ConfigErrors::MOST_TOLD).map(located).collect();
        self.answer(false, json!({"errors": errors}))?;
        Err(Failure::Config(why.to_string()))
    }

    fn fine(self, settings: &Settings) -> Result<(), Failure> {
        let is_ok = !self.args.strict || self.warnings.is_empty();
        let topics = settings.catalog.topics().count();
        let (servers, namespaces) = (settings.servers.len(), settings.catalog.namespaces().count());
        let mut more = json!({"servers": servers, "namespaces": namespaces, "topics": topics});
        if self.args.explain {
            more["explain"] = explain::as_json(settings);
        }
        self.answer(is_ok, more)?;
        let file = self.args.file().display();
        if !is_ok {
            let count = self.warnings.len();
            return Err(Failure::Config(format!("{file}: {count} warnings, and --strict takes them for errors")));
        }
        if self.args.json {
            return Ok(());
        }
        if self.args.explain {
            say::line(explain::as_text(settings).trim_end())?;
        }
        say::line(format_args!("{file}: ok: {servers} servers, {namespaces} namespaces, {topics} topics"))
    }

    /// The JSON object, where it is asked for.
    fn answer(&self, is_ok: bool, more: Value) -> Result<(), Failure> {
        if !self.args.json {
            return Ok(());
        }
        let mut answer = Map::new();
        answer.insert("file".to_owned(), self.args.file().display().to_string().into());
        answer.insert("ok".to_owned(), is_ok.into());
        answer.insert("warnings".to_owned(), self.warnings.clone().into());
        answer.insert("errors".to_owned(), Value::Array(Vec::new()));
        if let Value::Object(more) = more {
            answer.extend(more);
        }
        say::line(Value::Object(answer))
    }
}

/// What is wrong with a file that the configuration names: the place is in there.
fn unlocated(message: &str, part: &str) -> Value {
    json!({"message": message, "part": part, "line": null, "column": null})
}

fn located(error: &ConfigError) -> Value {
    json!({
        "message": error.problem.to_string(),
        "part": error.part,
        "line": error.place.map(|place| place.line),
        "column": error.place.map(|place| place.column),
    })
}

//! `streamfence config ..`: writes configurations, to stdout or to a file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use streamfence_config::{Format, Reference};

use crate::args::{ConfigArgs, ConfigCommand, OutputArgs, Preset};
use crate::exit::Failure;
use crate::say;

pub(crate) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Schema(output) => write(&streamfence_config::schema(), output, 0o666),
        ConfigCommand::Defaults { json: false, output } => write(&streamfence_config::defaults(), output, 0o666),
        ConfigCommand::Defaults { json: true, output } => write(&streamfence_config::defaults_as_json(), output, 0o666),
        ConfigCommand::Init { preset, json: false, output } => write(&preset.text(), output, 0o666),
        ConfigCommand::Init { preset, json: true, output } => {
            // It has today's layout already; only the notation changes.
            let converted = streamfence_config::convert(&preset.text(), "the preset");
            write(&converted.map_err(Failure::other)?.json, output, 0o666)
        }
        ConfigCommand::Convert { file, json, output } => {
            let name = file.display().to_string();
            let invalid = |why: streamfence_config::ConfigErrors| Failure::Config(why.to_string());
            let text = streamfence_config::read_config(file).map_err(invalid)?;
            let converted = streamfence_config::convert(&text, &name).map_err(invalid)?;
            for note in &converted.notes {
                say::aside(format_args!("note: {note}"));
            }
            let (text, format) = match json {
                true => (&converted.json, Format::Json),
                false => (&converted.yaml, Format::Yaml),
            };
            // Tokens may stand in it.
            write(text, output, 0o600)?;
            let name =
                output.output.as_ref().map_or_else(|| "the result".to_owned(), |path| path.display().to_string());
            let anything = |_: Reference<'_>| Ok("x".to_owned());
            match streamfence_config::parse(text, format, &name, &anything) {
                Ok(_) => Ok(()),
                Err(why) => Err(Failure::Config(format!("what it was converted to is not valid yet:\n{why}"))),
            }
        }
    }
}

impl Preset {
    /// The whole file, with the limits at the door that all of them have.
    fn text(self) -> String {
        const PORT: &str = "    port: 3000\n";
        let text = match self {
            Self::Ticker => include_str!("../presets/ticker.yaml"),
            Self::Alerts => include_str!("../presets/alerts.yaml"),
            Self::Chat => include_str!("../presets/chat.yaml"),
            Self::Bulk => include_str!("../presets/bulk.yaml"),
            Self::Telemetry => include_str!("../presets/telemetry.yaml"),
        };
        text.replacen(PORT, &format!("{PORT}{}", include_str!("../presets/door.txt")), 1)
    }
}

/// Writes a text that ends its last line, and never over a file unless it is told to.
fn write(text: &str, output: &OutputArgs, mode: u32) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let Some(path) = &output.output else { return say::line(text.trim_end()) };
    let failed = |why: std::io::Error| {
        let why = match why.kind() {
            ErrorKind::AlreadyExists => "is there already; `--force` replaces it".to_owned(),
            _ => format!("cannot be written: {why}"),
        };
        Failure::Other(format!("{}: {why}", path.display()))
    };
    let mut file = OpenOptions::new();
    file.write(true).mode(mode);
    match output.force {
        true => file.create(true).truncate(true),
        false => file.create_new(true),
    };
    file.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

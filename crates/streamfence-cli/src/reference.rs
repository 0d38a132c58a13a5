//! The reference of the commands in `docs/cli.md` is made from the code:
//! `UPDATE_EXPECT=1 cargo test -p streamfence-cli --bin streamfence` writes it anew.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use crate::args::Args;

/// What stands before is written by hand.
const BEGIN: &str = "<!-- From here on made from the code. -->\n";

#[test]
fn the_reference_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = std::fs::read_to_string(path).expect("the page is there");
    let (prose, found) = page.split_once(BEGIN).expect("the page says where the reference begins");
    let mut command = Args::command();
    command.build();
    let wanted = reference(&command);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, format!("{prose}{BEGIN}{wanted}")).expect("the page can be written");
    } else {
        assert_eq!(found, wanted, "UPDATE_EXPECT=1 writes docs/cli.md anew");
    }
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        assert!(prose.contains(&format!("`{name}`")), "nothing is said of `{name}` before the reference");
    }
}

fn reference(program: &Command) -> String {
    let mut text = String::new();
    let mut commands: Vec<_> =
        program.get_subcommands().map(|command| (command.get_name().to_owned(), command)).collect();
    commands.reverse();
    while let Some((name, command)) = commands.pop() {
        if command.get_name() == "help" {
            continue;
        }
        let before = commands.len();
        commands.extend(command.get_subcommands().map(|inner| (format!("{name} {}", inner.get_name()), inner)));
        commands[before..].reverse();
        if !command.has_subcommands() {
            text += &section(&name, command);
        }
    }
    text
}

fn section(name: &str, command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("\n## `streamfence {name}`\n\n{about}.\n\n```text\n{}\n```\n", usage(name, command));
    let arguments: Vec<_> =
        command.get_arguments().filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version")).collect();
    if !arguments.is_empty() {
        text += "\n| argument | meaning | without it |\n|---|---|---|\n";
    }
    for argument in arguments {
        let _ = writeln!(text, "| {} | {} | {} |", spelled(argument), meaning(argument), default(argument));
    }
    text
}

fn usage(name: &str, command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let rest = usage.trim_start_matches("Usage: ").trim_start_matches("streamfence ").trim_start_matches(name);
    format!("streamfence {name}{rest}")
}

fn spelled(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
    let takes = argument.get_action().takes_values();
    match argument.get_long() {
        None => format!("`{}`", values.join(" ")),
        Some(long) => {
            let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
            let value = if takes { format!(" {}", values.join(" ")) } else { String::new() };
            let aliases = argument.get_visible_aliases().unwrap_or_default();
            let aliases: String = aliases.iter().map(|alias| format!(", `--{alias}`")).collect();
            format!("{short}`--{long}{value}`{aliases}")
        }
    }
}

fn meaning(argument: &Arg) -> String {
    let mut text =
        argument.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ").replace('|', "\\|");
    let values: Vec<_> = argument
        .get_possible_values()
        .into_iter()
        .filter(|value| argument.get_action().takes_values() && !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(text, ": {}", values.join(", "));
    }
    text
}

fn default(argument: &Arg) -> String {
    let values: Vec<_> =
        argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    let values = if argument.get_action().takes_values() { values.join(", ") } else { String::new() };
    match argument.get_env() {
        Some(name) if values.is_empty() => format!("`{}`", name.to_string_lossy()),
        Some(name) => format!("`{}`, or {values}", name.to_string_lossy()),
        None => values,
    }
}

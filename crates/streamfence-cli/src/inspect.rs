//! `streamfence spill inspect DIR`: what lies in a directory that lanes spill to.

use serde_json::{Value, json};
use streamfence_spill::{Damage, Log, Report, Segment, inspect};

use crate::args::{SpillArgs, SpillCommand};
use crate::exit::Failure;
use crate::say;

/// Shows all of it, and fails where something of it cannot be read.
pub(crate) fn run(args: &SpillArgs) -> Result<(), Failure> {
    let SpillCommand::Inspect { directory, json } = &args.command;
    let report = inspect(directory).map_err(|why| Failure::Other(chain(&why)))?;
    if *json {
        say::line(whole(&report))?;
    } else {
        say::line(report.to_string().trim_end())?;
    }
    if report.is_whole() { Ok(()) } else { Err(Failure::Other(format!("{} is damaged", directory.display()))) }
}

/// An error and what is behind it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

fn whole(report: &Report) -> Value {
    let unreadable = report.unreadable.iter().map(|(file, why)| json!({ "file": file, "why": why }));
    json!({
        "directory": report.path.display().to_string(),
        "pid": report.pid,
        "bytes": report.bytes,
        "unusedSegments": report.unused,
        "isWhole": report.is_whole(),
        "logs": report.logs.iter().map(log).collect::<Vec<_>>(),
        "unreadable": unreadable.collect::<Vec<_>>(),
    })
}

fn log(log: &Log) -> Value {
    json!({
        // More than a number of JSON is sure to hold.
        "number": format!("{:016x}", log.number),
        "shard": log.shard(),
        "namespace": log.namespace,
        "topic": log.topic,
        "segments": log.segments.iter().map(segment).collect::<Vec<_>>(),
    })
}

fn segment(segment: &Segment) -> Value {
    json!({
        "file": segment.file,
        "first": segment.positions.map(|(first, _)| first),
        "last": segment.positions.map(|(_, last)| last),
        "createdMs": segment.created_ms,
        "blocks": segment.blocks,
        "records": segment.records,
        "bytes": segment.bytes,
        "damage": segment.damage.iter().map(damage).collect::<Vec<_>>(),
        "tail": segment.tail.as_ref().map(|(offset, why)| json!({ "offset": offset, "why": why })),
    })
}

fn damage(damage: &Damage) -> Value {
    let Damage { offset, bytes, positions: (first, next), why } = damage;
    json!({ "offset": offset, "bytes": bytes, "first": first, "next": next, "why": why })
}

//! Where payloads come from.

use std::io::{BufRead, BufReader, IsTerminal as _, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;

use super::PublishArgs;
use crate::exit::Failure;

/// A payload as it goes into the body of a publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// JSON, checked.
    Json(String),
    Base64(String),
}

/// The most bytes of a payload, or of a line of them: the server takes less.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Lines that are read and not published yet.
const AHEAD: usize = 64;

pub(super) enum Source {
    /// One payload, so many times.
    Same { payload: Payload, left: u64 },
    /// One a line, from a thread: reading stdin cannot be interrupted, and we can.
    Lines { lines: mpsc::Receiver<Result<String, Failure>>, is_text: bool, number: u64 },
}

impl Source {
    pub(super) async fn open(args: &PublishArgs) -> Result<Self, Failure> {
        let file = args.file.as_deref().filter(|file| *file != Path::new("-"));
        if args.payload.is_none() && args.file.is_none() && std::io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "wanted a payload: as the third argument, with --file FILE, or on stdin (--file - reads it from the terminal)"
                    .into(),
            ));
        }
        if args.ndjson {
            let reader = open(file)?;
            let (sender, lines) = mpsc::channel(AHEAD);
            std::thread::spawn(move || read_lines(reader, &sender));
            return Ok(Self::Lines { lines, is_text: args.text, number: 0 });
        }
        let bytes = match &args.payload {
            Some(payload) => payload.clone().into_bytes(),
            None => whole(open(file)?).await?,
        };
        let payload = if args.binary {
            Payload::Base64(STANDARD.encode(bytes))
        } else {
            let text = String::from_utf8(bytes)
                .map_err(|_| Failure::Usage("the payload is no UTF-8; wanted text, or --binary".into()))?;
            json(text, args.text).map_err(|why| Failure::Usage(format!("the payload is {why}")))?
        };
        Ok(Self::Same { payload, left: args.count.unwrap_or(1) })
    }

    /// The next payload; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Payload>, Failure> {
        match self {
            Self::Same { left: 0, .. } => Ok(None),
            Self::Same { payload, left } => {
                *left -= 1;
                Ok(Some(payload.clone()))
            }
            Self::Lines { lines, is_text, number } => loop {
                let Some(line) = lines.recv().await else { return Ok(None) };
                *number += 1;
                let line = line?;
                if line.trim().is_empty() && !*is_text {
                    continue;
                }
                let payload = json(line, *is_text);
                return payload.map(Some).map_err(|why| Failure::Usage(format!("line {number} is {why}")));
            },
        }
    }
}

/// A payload of text: a JSON string if it is to be one, or else JSON already.
fn json(text: String, is_text: bool) -> Result<Payload, String> {
    if is_text {
        return Ok(Payload::Json(serde_json::Value::from(text).to_string()));
    }
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(Payload::Json(text)),
        Err(why) => Err(format!("no JSON: {why}; --text publishes it as a string")),
    }
}

fn open(file: Option<&Path>) -> Result<Box<dyn Read + Send>, Failure> {
    match file {
        None => Ok(Box::new(std::io::stdin())),
        Some(file) => match std::fs::File::open(file) {
            Ok(file) => Ok(Box::new(file)),
            Err(why) => Err(Failure::Usage(format!("{}: cannot be read: {why}", file.display()))),
        },
    }
}

async fn whole(reader: Box<dyn Read + Send>) -> Result<Vec<u8>, Failure> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = reading.await.map_err(Failure::other)?;
    let bytes = bytes.map_err(|why| Failure::Other(format!("the payload cannot be read: {why}")))?;
    if bytes.len() as u64 > MAX_BYTES { Err(too_long()) } else { Ok(bytes) }
}

fn read_lines(reader: Box<dyn Read + Send>, lines: &mpsc::Sender<Result<String, Failure>>) {
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let read = reader.by_ref().take(MAX_BYTES + 1).read_until(b'\n', &mut line);
        let line = match read {
            Ok(0) => return,
            Ok(read) if read as u64 > MAX_BYTES => Err(too_long()),
            Ok(_) => {
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                String::from_utf8(line.to_vec()).map_err(|_| Failure::Usage("a line is no UTF-8".into()))
            }
            Err(why) => Err(Failure::Other(format!("the payloads cannot be read: {why}"))),
        };
        let is_over = line.is_err();
        // Nobody publishes any more once the receiver is gone.
        if lines.blocking_send(line).is_err() || is_over {
            return;
        }
    }
}

fn too_long() -> Failure {
    Failure::Usage(format!("a payload has over {MAX_BYTES} bytes; the server takes less"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_or_made_of_text() {
        assert_eq!(json("[1.50]".into(), false), Ok(Payload::Json("[1.50]".into())));
        assert_eq!(json("a \"b\"".into(), true), Ok(Payload::Json(r#""a \"b\"""#.into())));
        assert!(json("hello".into(), false).is_err_and(|why| why.contains("--text")));
    }

    #[tokio::test]
    async fn lines_come_one_by_one_and_wrong_ones_are_named() {
        let (sender, lines) = mpsc::channel(AHEAD);
        std::thread::spawn(move || read_lines(Box::new(&b"1\r\n\n{\"a\":2}\nx\n"[..]), &sender));
        let mut source = Source::Lines { lines, is_text: false, number: 0 };
        assert_eq!(source.next().await.expect("it is JSON"), Some(Payload::Json("1".into())));
        assert_eq!(source.next().await.expect("it is JSON"), Some(Payload::Json("{\"a\":2}".into())));
        assert!(matches!(source.next().await, Err(Failure::Usage(why)) if why.starts_with("line 4 is no JSON")));
    }
}

//! Server-sent events, out of the bytes they come as.

/// One thing that happened, as a server told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What kind of thing; empty where the server did not say.
    pub event: String,
    /// Its data: JSON, from a server of ours.
    pub data: String,
    /// Its number.
    pub id: Option<String>,
}

/// Most bytes of an event: ours have a few hundred.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Puts events together.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// A line that has begun.
    line: Vec<u8>,
    next: Told,
    has_data: bool,
}

/// An event that is too long to be one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Reader {
    /// Takes in what came, and says what of it is whole.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<Vec<Told>, TooLong> {
        let mut whole = Vec::new();
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            whole.extend(self.end_of_line(&line));
            if self.next.data.len() > MAX_EVENT_BYTES {
                return Err(TooLong);
            }
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MAX_EVENT_BYTES { Err(TooLong) } else { Ok(whole) }
    }

    /// An empty line ends an event; one without data is none.
    fn end_of_line(&mut self, line: &str) -> Option<Told> {
        if line.is_empty() {
            let told = std::mem::take(&mut self.next);
            return std::mem::take(&mut self.has_data).then_some(told);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.next.event = value.to_owned(),
            "id" => self.next.id = Some(value.to_owned()),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
            }
            // A comment has an empty name.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_wherever_they_are_cut() {
        let text =
            ": hello\n\nevent: spill\nid: 7\ndata: {\"a\":\ndata: 1}\n\nretry: 5\r\ndata:x\r\n\r\nevent: none\n\n";
        let wanted = [
            Told { event: "spill".into(), data: "{\"a\":\n1}".into(), id: Some("7".into()) },
            Told { event: String::new(), data: "x".into(), id: None },
        ];
        for size in 1..=text.len() {
            let mut reader = Reader::default();
            let told: Vec<_> =
                text.as_bytes().chunks(size).flat_map(|piece| reader.take(piece).expect("it is short")).collect();
            assert_eq!(told, wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn one_that_never_ends_is_given_up() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(&vec![b'a'; MAX_EVENT_BYTES + 1]), Err(TooLong));
        let mut reader = Reader::default();
        let lines = b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(MAX_EVENT_BYTES / 50);
        assert_eq!(reader.take(&lines), Err(TooLong));
    }
}

//! Wishes of one client that wait for one before them, whose token is being looked at. Never what becomes of them.

use std::collections::VecDeque;

use bytes::Bytes;
use engineioxide::Str;
use socketioxide::extract::AckSender;

use crate::inbound::Counted;

/// What a client said, as it came.
pub(crate) struct Said {
    pub(crate) wish: Wish,
    pub(crate) text: Str,
    pub(crate) attachments: Vec<Bytes>,
    pub(crate) asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Subscribe,
    Unsubscribe,
    Publish,
    Authenticate,
    Ack,
    Nack,
}

/// Whether, and by which id, the client asked for an answer.
pub(crate) struct Asked {
    pub(crate) sender: AckSender,
    pub(crate) id: Option<i64>,
}

/// The wishes of one client in one namespace that wait, in order.
#[derive(Default)]
pub(crate) struct Line {
    /// Whether somebody is asked about a wish; only then does any wait.
    is_asking: bool,
    waiting: VecDeque<Said>,
    /// Sum of the sizes of those that wait.
    bytes: usize,
}

/// Whose turn it is when a client has a wish.
pub(crate) enum Turn {
    /// This one's.
    Now(Said),
    /// It waits.
    Later,
    /// It has no place to wait in.
    Never(Said),
}

/// How many wishes wait.
const WAITING: usize = 64;
/// How many bytes of them; one alone may be larger.
const WAITING_BYTES: usize = 1024 * 1024;

impl Line {
    /// Takes a wish into the line, if there is one.
    pub(crate) fn enter(&mut self, said: Said) -> Turn {
        if !self.is_asking {
            return Turn::Now(said);
        }
        let size = said.size_bytes();
        let fits = self.bytes == 0 || self.bytes + size <= WAITING_BYTES;
        if !fits || self.waiting.len() >= WAITING {
            return Turn::Never(said);
        }
        self.bytes += size;
        self.waiting.push_back(said);
        Turn::Later
    }

    /// Somebody is asked about a wish: those that come wait.
    pub(crate) fn begin(&mut self) {
        self.is_asking = true;
    }

    /// The answer is there: the next wish, and with the last of them the waiting is over.
    pub(crate) fn next(&mut self) -> Option<Said> {
        let next = self.waiting.pop_front();
        self.is_asking = next.is_some();
        self.bytes -= next.as_ref().map_or(0, Said::size_bytes);
        next
    }
}

impl Said {
    fn size_bytes(&self) -> usize {
        self.text.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

impl Wish {
    /// As what its rate is counted; acks are not.
    pub(crate) fn counted(self) -> Option<Counted> {
        match self {
            Self::Subscribe => Some(Counted::Subscribe),
            Self::Unsubscribe => Some(Counted::Unsubscribe),
            Self::Publish => Some(Counted::Publish),
            Self::Authenticate => Some(Counted::Authenticate),
            Self::Ack | Self::Nack => None,
        }
    }

    /// Whether it waits for the wishes before it. An ack wishes for nothing.
    pub(crate) fn waits(self) -> bool {
        !matches!(self, Self::Ack | Self::Nack)
    }
}

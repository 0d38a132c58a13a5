//! Messages that were given up, kept for whoever looks after them: by topic, so many as the topic says, the oldest gives
//! way.
//!
//! One store for all shards. Only what is given up takes its lock, never a publish. Never a file: it ends with the fence.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use streamfence_core::{Catalog, ClientId, GiveUpReason, GivenUp, Message, MessageId, TopicId};

use crate::payload::Payload;

/// A message that was given up.
#[derive(Clone)]
pub struct DeadLetter {
    /// The client it was for.
    pub client: ClientId,
    /// Why it was given up.
    pub reason: GiveUpReason,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was given up.
    pub at: SystemTime,
    message: Arc<Message>,
    /// Its place in the order of the topic's dead letters.
    number: u64,
}

impl DeadLetter {
    /// The identity it had. Together with the client it names the dead letter: a message to many clients may be given up
    /// for each of them.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.message.id
    }

    pub(crate) fn topic(&self) -> TopicId {
        self.message.topic
    }

    /// What was published, with its key and the time it was worth sending.
    #[must_use]
    pub fn payload(&self) -> Payload {
        Payload::of_message(&self.message)
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id())
            .field("client", &self.client)
            .field("reason", &self.reason)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// The dead letters of a fence.
#[derive(Debug)]
pub(crate) struct DeadLetters(Vec<Shelf>);

/// Those of one topic.
#[derive(Debug)]
struct Shelf {
    capacity: usize,
    letters: Mutex<Letters>,
}

#[derive(Debug, Default)]
struct Letters {
    /// In the order of their numbers.
    kept: VecDeque<DeadLetter>,
    /// The number of the next.
    next: u64,
    /// Letters that gave way and were not yet told to the observers.
    evicted: u64,
}

impl DeadLetters {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let shelf = |topic| Shelf { capacity: catalog.class(topic).dead_letters as usize, letters: Mutex::default() };
        Self(catalog.topics().map(shelf).collect())
    }

    /// Keeps a message that was given up.
    pub(crate) fn keep(&self, given_up: GivenUp, at: SystemTime) {
        let GivenUp { client, message, attempts, reason } = given_up;
        let shelf = self.shelf(message.topic);
        let mut letters = shelf.lock();
        let number = letters.next;
        letters.next += 1;
        letters.put(DeadLetter { client, reason, attempts, at, message, number }, shelf.capacity);
    }

    /// Those of a topic, the newest last.
    pub(crate) fn list(&self, topic: TopicId) -> Vec<DeadLetter> {
        self.shelf(topic).lock().kept.iter().cloned().collect()
    }

    /// How many there are of a topic.
    pub(crate) fn len(&self, topic: TopicId) -> u64 {
        self.shelf(topic).lock().kept.len() as u64
    }

    /// How many gave way since the last call.
    pub(crate) fn take_evicted(&self, topic: TopicId) -> u64 {
        std::mem::take(&mut self.shelf(topic).lock().evicted)
    }

    /// Throws those of a topic away, and says how many there were.
    pub(crate) fn purge(&self, topic: TopicId) -> u64 {
        // Dropped outside the lock: the messages may be large and many.
        let kept = std::mem::take(&mut self.shelf(topic).lock().kept);
        kept.len() as u64
    }

    /// Takes one out for as long as it is tried again, so that nobody else tries it meanwhile.
    pub(crate) fn take(&self, letter: &DeadLetter) -> Option<Taken<'_>> {
        let shelf = self.shelf(letter.message.topic);
        let mut letters = shelf.lock();
        let place = letters.kept.binary_search_by_key(&letter.number, |kept| kept.number).ok()?;
        let letter = letters.kept.remove(place);
        Some(Taken { shelf, letter })
    }

    fn shelf(&self, topic: TopicId) -> &Shelf {
        &self.0[topic.index as usize]
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Letters> {
        // What is kept is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Letters {
    fn put(&mut self, letter: DeadLetter, capacity: usize) {
        let place = self.kept.partition_point(|kept| kept.number < letter.number);
        self.kept.insert(place, letter);
        if self.kept.len() > capacity {
            self.kept.pop_front();
            self.evicted += 1;
        }
    }
}

/// A dead letter that is being tried again. It goes back to its place unless it is let go.
pub(crate) struct Taken<'a> {
    shelf: &'a Shelf,
    letter: Option<DeadLetter>,
}

impl Taken<'_> {
    /// It has found its way: it is a dead letter no more.
    pub(crate) fn let_go(mut self) {
        self.letter = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(letter) = self.letter.take() {
            self.shelf.lock().put(letter, self.shelf.capacity);
        }
    }
}

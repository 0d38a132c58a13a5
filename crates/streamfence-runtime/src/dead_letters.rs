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
    /// Everything before this number was thrown away, also what was being tried again just then.
    purged: u64,
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
        let kept = {
            let mut letters = self.shelf(topic).lock();
            letters.purged = letters.next;
            std::mem::take(&mut letters.kept)
        };
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
        if letter.number < self.purged {
            return;
        }
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use streamfence_core::{AtLeastOnce, Body, Epoch, Namespace, Offset};

    use super::*;

    fn store(capacity: u32, letters: u64) -> (DeadLetters, TopicId) {
        let promise = AtLeastOnce::default().dead_letters(capacity);
        let namespace = Namespace::new("/a").topic("t").at_least_once(promise);
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let (store, topic) = (DeadLetters::new(&catalog), catalog.topics().next().expect("there is one"));
        for offset in 1..=letters {
            keep(&store, topic, offset);
        }
        (store, topic)
    }

    fn keep(store: &DeadLetters, topic: TopicId, offset: u64) {
        let id = MessageId { epoch: Epoch(7), offset: Offset(offset) };
        let body = Body::plain("1".into());
        let message = Arc::new(Message { topic, id, key: None, published: Instant::now(), expires: None, body });
        let given_up = GivenUp { client: ClientId([1; 12]), message, attempts: 2, reason: GiveUpReason::Exhausted };
        store.keep(given_up, SystemTime::now());
    }

    fn offsets(store: &DeadLetters, topic: TopicId) -> Vec<u64> {
        store.list(topic).iter().map(|letter| letter.id().offset.0).collect()
    }

    #[test]
    fn what_is_being_tried_again_is_nobody_elses_and_goes_back_to_its_place() {
        let (store, topic) = store(3, 3);
        let second = store.list(topic).swap_remove(1);
        let taken = store.take(&second).expect("it is there");
        assert!(store.take(&second).is_none());
        assert_eq!(offsets(&store, topic), [1, 3]);
        drop(taken);
        assert_eq!(offsets(&store, topic), [1, 2, 3]);
        store.take(&second).expect("it is there again").let_go();
        assert_eq!(offsets(&store, topic), [1, 3]);
    }

    #[test]
    fn what_came_meanwhile_makes_the_oldest_give_way_though_it_is_the_one_tried() {
        let (store, topic) = store(2, 2);
        let taken = store.take(&store.list(topic)[0]).expect("it is there");
        keep(&store, topic, 3);
        drop(taken);
        assert_eq!((offsets(&store, topic), store.take_evicted(topic)), (vec![2, 3], 1));
        assert_eq!(store.take_evicted(topic), 0);
    }

    #[test]
    fn what_is_purged_while_it_is_tried_does_not_come_back() {
        let (store, topic) = store(3, 2);
        let taken = store.take(&store.list(topic)[0]).expect("it is there");
        assert_eq!(store.purge(topic), 1);
        drop(taken);
        keep(&store, topic, 3);
        assert_eq!(offsets(&store, topic), [3]);
    }
}

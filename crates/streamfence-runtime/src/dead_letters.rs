//! Messages that were given up, kept for whoever looks after them: by topic, so many as the topic says, the oldest gives
//! way.
//!
//! One store for all shards. Only what is given up takes its lock, never a publish. Never a file: it ends with the fence.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use streamfence_core::{ClientId, GiveUpReason, GivenUp, Message, MessageId, TopicEntry, TopicId};

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

/// What became of dead letters that were tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many were published anew.
    pub tried: u64,
    /// How many of those their client's lane admitted: they are dead letters no more.
    pub admitted: u64,
}

impl DeadLetter {
    /// The identity it had. Together with the client it names the dead letter: a message to many clients may be given up
    /// for each of them.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.message.id
    }

    /// The topic it was published to.
    #[must_use]
    pub fn topic(&self) -> &TopicEntry {
        &self.message.topic
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

/// The dead letters of a fence: a shelf for each class of topics, which stays over every reload.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters(RwLock<Vec<Arc<Mutex<Shelf>>>>);

/// Those of one topic, or of all topics made from one pattern.
#[derive(Debug, Default)]
struct Shelf {
    /// In the order of their numbers.
    kept: VecDeque<DeadLetter>,
    /// The numbers of those that are being tried again, and the names of their topics.
    away: Vec<(u64, Arc<str>)>,
    /// The number of the next.
    next: u64,
    /// How many are kept, as was said with the last one.
    capacity: usize,
    /// Letters that gave way and were not yet told to the observers.
    evicted: u64,
}

/// Whose dead letters are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// A topic of the catalog's, or everything made from a pattern.
    Class(TopicId),
    /// One topic made from that pattern.
    Made(TopicId, Arc<str>),
}

impl DeadLetters {
    /// Keeps a message that was given up, one of at most so many; `false` where none is kept. A capacity that was lowered
    /// holds from the next letter on.
    pub(crate) fn keep(&self, given_up: GivenUp, at: SystemTime, capacity: u32) -> bool {
        if capacity == 0 {
            return false;
        }
        let GivenUp { client, message, attempts, reason } = given_up;
        let shelf = self.open(message.topic.id);
        let mut shelf = lock(&shelf);
        let number = shelf.next;
        shelf.next += 1;
        shelf.capacity = capacity as usize;
        shelf.put(DeadLetter { client, reason, attempts, at, message, number });
        true
    }

    /// Those that are meant, the newest last.
    pub(crate) fn list(&self, which: &Which) -> Vec<DeadLetter> {
        let Some(shelf) = self.shelf(which.topic()) else { return Vec::new() };
        let shelf = lock(&shelf);
        shelf.kept.iter().filter(|letter| which.is_of(&letter.message.topic.name)).cloned().collect()
    }

    /// How many there are of a topic, or of all topics made from a pattern.
    pub(crate) fn len(&self, topic: TopicId) -> u64 {
        self.shelf(topic).map_or(0, |shelf| lock(&shelf).kept.len() as u64)
    }

    /// How many gave way since the last call.
    pub(crate) fn take_evicted(&self, topic: TopicId) -> u64 {
        self.shelf(topic).map_or(0, |shelf| std::mem::take(&mut lock(&shelf).evicted))
    }

    /// Throws those of the ones meant away that are wanted gone, and says how many there were. What is being tried again
    /// just then stays.
    pub(crate) fn purge_some(&self, which: &Which, is_wanted: impl Fn(&DeadLetter) -> bool) -> u64 {
        let Some(shelf) = self.shelf(which.topic()) else { return 0 };
        let is_of = |letter: &DeadLetter| which.is_of(&letter.message.topic.name) && is_wanted(letter);
        // Dropped outside the lock: the messages may be large and many.
        let purged: VecDeque<_> = {
            let mut shelf = lock(&shelf);
            let (purged, kept) = std::mem::take(&mut shelf.kept).into_iter().partition(is_of);
            shelf.kept = kept;
            purged
        };
        purged.len() as u64
    }

    /// Throws those that are meant away, also what is being tried again just then, and says how many were there.
    pub(crate) fn purge(&self, which: &Which) -> u64 {
        let Some(shelf) = self.shelf(which.topic()) else { return 0 };
        // Dropped outside the lock: the messages may be large and many.
        let purged = {
            let mut shelf = lock(&shelf);
            shelf.away.retain(|(_, name)| !which.is_of(name));
            let (purged, kept): (VecDeque<_>, _) =
                std::mem::take(&mut shelf.kept).into_iter().partition(|letter| which.is_of(&letter.message.topic.name));
            shelf.kept = kept;
            purged
        };
        purged.len() as u64
    }

    /// Takes one out for as long as it is tried again, so that nobody else tries it meanwhile.
    pub(crate) fn take(&self, letter: &DeadLetter) -> Option<Taken> {
        let shelf = self.shelf(letter.message.topic.id)?;
        let letter = {
            let mut shelf = lock(&shelf);
            let place = shelf.kept.binary_search_by_key(&letter.number, |kept| kept.number).ok()?;
            let letter = shelf.kept.remove(place)?;
            shelf.away.push((letter.number, letter.message.topic.name.clone()));
            letter
        };
        Some(Taken { shelf, letter: Some(letter) })
    }

    fn shelf(&self, topic: TopicId) -> Option<Arc<Mutex<Shelf>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(topic.index as usize).cloned()
    }

    /// The shelf of a topic, which is there from now on: a reload may have brought more topics.
    fn open(&self, topic: TopicId) -> Arc<Mutex<Shelf>> {
        self.shelf(topic).unwrap_or_else(|| {
            let mut shelves = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let (index, enough) = (topic.index as usize, shelves.len().max(topic.index as usize + 1));
            shelves.resize_with(enough, Arc::default);
            shelves[index].clone()
        })
    }
}

impl Which {
    fn topic(&self) -> TopicId {
        match self {
            Self::Class(topic) | Self::Made(topic, _) => *topic,
        }
    }

    fn is_of(&self, name: &str) -> bool {
        match self {
            Self::Class(_) => true,
            Self::Made(_, made) => **made == *name,
        }
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    // What is kept is whole after every statement, so a panic elsewhere leaves nothing half done.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    fn put(&mut self, letter: DeadLetter) {
        let place = self.kept.partition_point(|kept| kept.number < letter.number);
        self.kept.insert(place, letter);
        while self.kept.len() > self.capacity {
            self.kept.pop_front();
            self.evicted += 1;
        }
    }

    /// Ends a try; `false` when the letter was thrown away meanwhile.
    fn end_try(&mut self, number: u64) -> bool {
        let place = self.away.iter().position(|(away, _)| *away == number);
        place.map(|place| self.away.swap_remove(place)).is_some()
    }
}

/// A dead letter that is being tried again. It goes back to its place unless it is let go.
pub(crate) struct Taken {
    shelf: Arc<Mutex<Shelf>>,
    letter: Option<DeadLetter>,
}

impl Taken {
    /// It has found its way: it is a dead letter no more.
    pub(crate) fn let_go(mut self) {
        if let Some(letter) = self.letter.take() {
            lock(&self.shelf).end_try(letter.number);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(letter) = self.letter.take() else { return };
        let mut shelf = lock(&self.shelf);
        if shelf.end_try(letter.number) {
            shelf.put(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use streamfence_core::{AtLeastOnce, Body, Catalog, Epoch, Namespace, Offset};

    use super::*;

    struct Desk {
        store: DeadLetters,
        topic: Arc<TopicEntry>,
        which: Which,
    }

    /// A store with so many letters.
    fn desk(capacity: u32, letters: u64) -> Desk {
        let namespace = Namespace::new("/a").topic("t").at_least_once(AtLeastOnce::default());
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
        let desk = Desk { store: DeadLetters::default(), which: Which::Class(topic.id), topic };
        for offset in 1..=letters {
            assert!(desk.keep(offset, capacity));
        }
        desk
    }

    impl Desk {
        fn keep(&self, offset: u64, capacity: u32) -> bool {
            let id = MessageId { epoch: Epoch(7), offset: Offset(offset) };
            let (topic, body) = (self.topic.clone(), Body::plain("1".into()));
            let message =
                Arc::new(Message { topic, id, key: None, published: Instant::now(), expires: None, trace: None, body });
            let given_up = GivenUp { client: ClientId([1; 12]), message, attempts: 2, reason: GiveUpReason::Exhausted };
            self.store.keep(given_up, SystemTime::now(), capacity)
        }

        fn take(&self, place: usize) -> Option<Taken> {
            self.store.take(&self.store.list(&self.which)[place])
        }

        fn offsets(&self) -> Vec<u64> {
            self.store.list(&self.which).iter().map(|letter| letter.id().offset.0).collect()
        }
    }

    #[test]
    fn what_is_being_tried_again_is_nobody_elses_and_goes_back_to_its_place() {
        let desk = desk(3, 3);
        let second = desk.store.list(&desk.which).swap_remove(1);
        let taken = desk.store.take(&second).expect("it is there");
        assert!(desk.store.take(&second).is_none());
        assert_eq!(desk.offsets(), [1, 3]);
        drop(taken);
        assert_eq!(desk.offsets(), [1, 2, 3]);
        desk.store.take(&second).expect("it is there again").let_go();
        assert_eq!(desk.offsets(), [1, 3]);
        assert!(lock(&desk.store.open(desk.topic.id)).away.is_empty());
    }

    #[test]
    fn what_came_meanwhile_makes_the_oldest_give_way_though_it_is_the_one_tried() {
        let desk = desk(2, 2);
        let taken = desk.take(0).expect("it is there");
        desk.keep(3, 2);
        drop(taken);
        assert_eq!((desk.offsets(), desk.store.take_evicted(desk.topic.id)), (vec![2, 3], 1));
        assert_eq!(desk.store.take_evicted(desk.topic.id), 0);
    }

    #[test]
    fn what_is_purged_while_it_is_tried_does_not_come_back() {
        let desk = desk(3, 2);
        let taken = desk.take(0).expect("it is there");
        assert_eq!(desk.store.purge(&desk.which), 1);
        drop(taken);
        desk.keep(3, 3);
        assert_eq!(desk.offsets(), [3]);
    }

    #[test]
    fn another_capacity_holds_from_the_next_letter_on_and_none_takes_nothing_away() {
        let desk = desk(3, 3);
        assert!(desk.keep(4, 2));
        assert_eq!((desk.offsets(), desk.store.take_evicted(desk.topic.id)), (vec![3, 4], 2));
        assert!(!desk.keep(5, 0));
        assert_eq!(desk.offsets(), [3, 4]);
        assert!(desk.keep(6, 3));
        assert_eq!(desk.offsets(), [3, 4, 6]);
    }

    #[test]
    fn topics_made_from_a_pattern_share_a_shelf_and_are_told_apart() {
        let namespace = Namespace::new("/a").topic("t.*").at_least_once(AtLeastOnce::default());
        let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
        let pattern = catalog.topics().next().expect("there is one");
        let class = &catalog.entry(pattern).class;
        let made = |number: u32| TopicEntry::made(class, format!("t.{number}").into(), number, Epoch(7));
        let mut desk = Desk { store: DeadLetters::default(), which: Which::Class(pattern), topic: made(1) };
        desk.keep(1, 9);
        desk.topic = made(2);
        desk.keep(2, 9);
        desk.keep(3, 9);
        assert_eq!(desk.offsets(), [1, 2, 3]);
        let away = desk.take(1).expect("it is there");
        let second = Which::Made(pattern, "t.2".into());
        assert_eq!((desk.store.list(&second).len(), desk.store.purge(&second)), (1, 1));
        drop(away);
        assert_eq!(desk.offsets(), [1]);
    }
}

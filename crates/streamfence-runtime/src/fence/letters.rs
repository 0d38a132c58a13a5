//! The dead letters of a fence: looked at, tried again, thrown away. Never how they are kept.

use streamfence_core::{ClientId, MessageId};

use super::{Fence, unknown_topic};
use crate::command::Audience;
use crate::dead_letters::{DeadLetter, Replayed, Which};
use crate::report::{PublishError, PublishReport};

impl Fence {
    /// The messages of a topic that were given up and are kept, the newest last.
    ///
    /// Topics made from a pattern share its place for dead letters; under the pattern's own name (`orders.*`) they are
    /// found all together. They stay over a reload.
    ///
    /// # Errors
    /// [`PublishError`] when there is no such topic.
    pub fn dead_letters(&self, namespace: &str, topic: &str) -> Result<Vec<DeadLetter>, PublishError> {
        Ok(self.0.dead_letters.list(&self.shelf(namespace, topic)?))
    }

    /// Publishes the dead letters of a topic anew, the oldest first, each to the client it was for and as a message of
    /// its own: with a new identity, new attempts and a new time to live. What a client's lane admits is a dead letter no
    /// more; what it rejects, or whose client is gone, stays one.
    ///
    /// # Errors
    /// As [`Fence::publish`]; what was published before the error stays published.
    pub async fn replay_dead_letters(&self, namespace: &str, topic: &str) -> Result<Vec<PublishReport>, PublishError> {
        let mut reports = Vec::new();
        for letter in self.dead_letters(namespace, topic)? {
            reports.extend(self.replay(&letter).await?);
        }
        Ok(reports)
    }

    /// The same for those that are wanted, of which it says how many were looked at and how many are dead letters no more.
    ///
    /// # Errors
    /// As [`Fence::publish`]; what was published before the error stays published.
    pub async fn replay_dead_letters_that(
        &self,
        namespace: &str,
        topic: &str,
        is_wanted: impl Fn(&DeadLetter) -> bool,
    ) -> Result<Replayed, PublishError> {
        let letters = self.dead_letters(namespace, topic)?;
        let mut replayed = Replayed::default();
        for letter in letters.iter().filter(|letter| is_wanted(letter)) {
            if let Some(report) = self.replay(letter).await? {
                replayed.tried += 1;
                replayed.admitted += u64::from(report.admitted > 0);
            }
        }
        Ok(replayed)
    }

    /// The same for one dead letter; `None` when there is none of that client and identity, or no more.
    ///
    /// # Errors
    /// As [`Fence::publish`].
    pub async fn replay_dead_letter(
        &self,
        namespace: &str,
        topic: &str,
        client: ClientId,
        id: MessageId,
    ) -> Result<Option<PublishReport>, PublishError> {
        let letters = self.dead_letters(namespace, topic)?;
        match letters.iter().find(|letter| (letter.client, letter.id()) == (client, id)) {
            Some(letter) => self.replay(letter).await,
            None => Ok(None),
        }
    }

    /// Throws the dead letters of a topic away, and says how many there were.
    ///
    /// # Errors
    /// [`PublishError`] when there is no such topic.
    pub fn purge_dead_letters(&self, namespace: &str, topic: &str) -> Result<u64, PublishError> {
        Ok(self.0.dead_letters.purge(&self.shelf(namespace, topic)?))
    }

    /// Throws those of the dead letters of a topic away that are wanted gone, and says how many there were.
    ///
    /// # Errors
    /// [`PublishError`] when there is no such topic.
    pub fn purge_dead_letters_that(
        &self,
        namespace: &str,
        topic: &str,
        is_wanted: impl Fn(&DeadLetter) -> bool,
    ) -> Result<u64, PublishError> {
        Ok(self.0.dead_letters.purge_some(&self.shelf(namespace, topic)?, is_wanted))
    }

    /// Tries a dead letter again; `None` when it is one no more, or somebody else is trying it.
    async fn replay(&self, letter: &DeadLetter) -> Result<Option<PublishReport>, PublishError> {
        self.refuse_when_closing()?;
        let Some(taken) = self.0.dead_letters.take(letter) else { return Ok(None) };
        let topic = self.topic(&letter.topic().class.path, &letter.topic().name)?;
        let report = self.publish_message(topic, letter.payload(), Audience::Only(letter.client)).await?;
        if report.admitted > 0 {
            taken.let_go();
        }
        Ok(Some(report))
    }

    /// Whose dead letters a name means: a pattern's own name means those of all topics made from it.
    fn shelf(&self, namespace: &str, topic: &str) -> Result<Which, PublishError> {
        let id = self.namespace(namespace)?;
        if let Some(topic) = self.catalog().topic(id, topic) {
            return Ok(Which::Class(topic));
        }
        let made = self.peek_topic(id, topic).ok_or_else(|| unknown_topic(namespace, topic))?;
        Ok(Which::Made(made.id, made.name.clone()))
    }
}

//! One topic under its own name: what a message was published to, and a lane is a client's queue for.
//!
//! Most topics are entries of the catalog. One made from a pattern (`orders.*`) lives as long as somebody holds it: a
//! lane, or a message on its way. Never a queue, never a subscriber.

use std::sync::{Arc, Weak};

use crate::catalog::Class;
use crate::message::{Epoch, TopicId};

/// A topic, as it was when somebody took hold of it: a reload leaves it as it is and makes another of the same id.
#[derive(Debug)]
pub struct TopicEntry {
    /// What it is found by.
    pub id: TopicId,
    /// The name it is published and subscribed under.
    pub name: Arc<str>,
    /// What it has in common with all topics made from the same catalog entry.
    pub class: Arc<Class>,
    /// The life of its log, where it has one of its own: a topic made anew under its old name counts from 1 again.
    pub epoch: Option<Epoch>,
    /// Shared with what it was under earlier classes, and with nothing else.
    life: Arc<()>,
}

impl TopicEntry {
    /// The topic a catalog entry stands for.
    #[must_use]
    pub fn of(class: &Arc<Class>) -> Arc<Self> {
        let id = TopicId { index: class.id.0, generation: 0 };
        Arc::new(Self { id, name: class.name.clone(), class: class.clone(), epoch: None, life: Arc::default() })
    }

    /// A topic made from a pattern. `number` tells it from every other topic ever made from it, and is not 0; `epoch` is
    /// the life of its log.
    #[must_use]
    pub fn made(class: &Arc<Class>, name: Arc<str>, number: u32, epoch: Epoch) -> Arc<Self> {
        let id = TopicId { index: class.id.0, generation: number };
        Arc::new(Self { id, name, class: class.clone(), epoch: Some(epoch), life: Arc::default() })
    }

    /// The same topic under the class its pattern has now.
    #[must_use]
    pub fn under(&self, class: &Arc<Class>) -> Arc<Self> {
        let (name, life) = (self.name.clone(), self.life.clone());
        Arc::new(Self { id: self.id, name, class: class.clone(), epoch: self.epoch, life })
    }

    /// There as long as anybody holds it, under whatever class.
    pub(crate) fn life(&self) -> Weak<()> {
        Arc::downgrade(&self.life)
    }

    /// Whether nobody but the caller holds it, or what it was under an earlier class.
    #[must_use]
    pub fn is_unused(this: &Arc<Self>) -> bool {
        Arc::strong_count(this) == 1 && Arc::strong_count(&this.life) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::namespace::Namespace;

    #[test]
    fn a_topic_is_used_while_anybody_holds_it_under_any_class_it_has_had() {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t*")).build().expect("it is valid");
        let pattern = catalog.entry(catalog.topics().next().expect("there is one")).class.clone();
        let topic = TopicEntry::made(&pattern, "t1".into(), 1, Epoch(7));
        assert!(TopicEntry::is_unused(&topic));
        let lane = topic.clone();
        assert!(!TopicEntry::is_unused(&topic), "a lane holds it");
        let now = topic.under(&pattern);
        drop(topic);
        assert!(!TopicEntry::is_unused(&now), "a lane holds what it was");
        drop(lane);
        assert!(TopicEntry::is_unused(&now));
    }
}

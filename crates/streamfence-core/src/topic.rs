//! One topic under its own name: what a message was published to, and a lane is a client's queue for.
//!
//! Most topics are entries of the catalog. One made from a pattern (`orders.*`) lives as long as somebody holds it: a
//! lane, or a message on its way. Never a queue, never a subscriber.

use std::sync::Arc;

use crate::catalog::Class;
use crate::message::TopicId;

/// A topic, as it was when somebody took hold of it: a reload leaves it as it is and makes another of the same id.
#[derive(Debug)]
pub struct TopicEntry {
    /// What it is found by.
    pub id: TopicId,
    /// The name it is published and subscribed under.
    pub name: Arc<str>,
    /// What it has in common with all topics made from the same catalog entry.
    pub class: Arc<Class>,
}

impl TopicEntry {
    /// The topic a catalog entry stands for.
    #[must_use]
    pub fn of(class: &Arc<Class>) -> Arc<Self> {
        let id = TopicId { index: class.id.0, generation: 0 };
        Arc::new(Self { id, name: class.name.clone(), class: class.clone() })
    }

    /// A topic made from a pattern. `number` tells it from every other topic ever made from it, and is not 0.
    #[must_use]
    pub fn made(class: &Arc<Class>, name: Arc<str>, number: u32) -> Arc<Self> {
        let id = TopicId { index: class.id.0, generation: number };
        Arc::new(Self { id, name, class: class.clone() })
    }
}

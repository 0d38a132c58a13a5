//! The topics of a scene by the names a script gives them, made ones and reloaded ones too.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::{EPOCH, Stage};
use crate::{Found, MessageId, NamespaceId, Reload, TopicEntry, TopicId};

impl Stage {
    pub(super) fn reload(&mut self) {
        let scene = self.next.pop_front().expect("there is a scene for every reload");
        self.catalog = Arc::new(scene.catalog().following(&self.catalog));
        let catalog = self.catalog.clone();
        let mut made = BTreeMap::new();
        for topic in self.made.values().filter_map(Weak::upgrade) {
            let found = catalog.find(topic.class.namespace, &topic.name);
            if let Some(Found::Pattern(class)) = found
                && class.id.0 == topic.id.index
            {
                made.insert(topic.id, topic.under(class));
            }
        }
        self.made = made.values().map(|topic| (topic.name.clone(), Arc::downgrade(topic))).collect();
        self.is_reloaded = true;
        self.hub.reload(&Reload { catalog, made }, self.instant());
        self.note("reloaded");
    }

    pub(super) fn topic_of(&mut self, actor: usize, name: Option<&str>) -> Arc<TopicEntry> {
        let namespace = self.actors[actor].namespace;
        match name {
            Some(name) => self.find(namespace, name).expect("the client's namespace has the topic"),
            None => self.catalog.entry(self.catalog.namespace_entry(namespace).topics()[0]).clone(),
        }
    }

    /// The topic of that name in any namespace: a scene gives each name once.
    pub(super) fn topic_named(&mut self, name: &str) -> Arc<TopicEntry> {
        let namespaces: Vec<_> = self.catalog.namespaces().map(|(id, _)| id).collect();
        let found = namespaces.into_iter().find_map(|namespace| self.find(namespace, name));
        found.unwrap_or_else(|| panic!("no topic is called `{name}`"))
    }

    pub(super) fn find(&mut self, namespace: NamespaceId, name: &str) -> Option<Arc<TopicEntry>> {
        let class = match self.catalog.find(namespace, name)? {
            Found::Topic(entry) => return Some(entry.clone()),
            Found::Pattern(class) => class,
        };
        if let Some(known) = self.made.get(name).and_then(Weak::upgrade) {
            return Some(known);
        }
        self.numbers += 1;
        let made = TopicEntry::made(class, name.into(), self.numbers, EPOCH);
        self.made.insert(name.into(), Arc::downgrade(&made));
        Some(made)
    }

    pub(super) fn is_named(&self, topic: TopicId, namespace: &str, name: &str) -> bool {
        let is_made = || self.made.get(name).and_then(Weak::upgrade).is_some_and(|made| made.id == topic);
        let class = self.catalog.class(topic);
        &*class.path == namespace && (topic.generation == 0 && &*class.name == name || is_made())
    }

    pub(super) fn name_of(&self, topic: TopicId, id: MessageId) -> &str {
        let found = self.messages.iter().find(|(_, t, i)| (*t, *i) == (topic, id));
        &found.expect("only what was offered is sent").0
    }
}

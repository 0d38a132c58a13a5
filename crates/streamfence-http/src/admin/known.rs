//! Whether there is what somebody asks about by name, and what they may have meant. A name that nobody has would be
//! answered with nothing, or waited for without an end.

use std::collections::BTreeSet;

use streamfence_core::{Catalog, NamespaceEntry};

use crate::problem::{Code, Problem};

/// How many names an answer tells.
const MOST_NAMES: usize = 8;
/// How much of a name is compared; those that are written for people are shorter.
const LONGEST: usize = 64;

/// Whether there is such a namespace, and such a topic in it; in any, where none is said. A pattern goes by its own name, and
/// a name that a topic may be made under is one.
pub(crate) fn ensure_known(catalog: &Catalog, namespace: Option<&str>, topic: Option<&str>) -> Result<(), Problem> {
    let there = catalog.namespaces().filter(|(_, entry)| !entry.is_removed);
    if let Some(path) = namespace.filter(|path| catalog.namespace(path).is_none()) {
        let paths = there.map(|(_, entry)| &*entry.path);
        return Err(unknown(format!("unknown namespace `{path}`"), path, paths));
    }
    let Some(name) = topic else { return Ok(()) };
    let chosen = |entry: &NamespaceEntry| namespace.is_none_or(|path| *entry.path == *path);
    let there: Vec<_> = there.filter(|(_, entry)| chosen(entry)).collect();
    if there.iter().any(|(id, _)| catalog.topic(*id, name).is_some() || catalog.find(*id, name).is_some()) {
        return Ok(());
    }
    let place = namespace.map_or_else(String::new, |path| format!(" in namespace `{path}`"));
    let names = there.iter().flat_map(|(_, entry)| entry.topics()).map(|topic| &**catalog.topic_name(*topic));
    Err(unknown(format!("unknown topic `{name}`{place}"), name, names))
}

/// Says what there is instead, the most alike first.
fn unknown<'a>(what: String, found: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let found: String = found.chars().take(LONGEST).collect();
    let known: BTreeSet<&str> = known.collect();
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_by_cached_key(|name| {
        let name: String = name.chars().take(LONGEST).collect();
        strsim::osa_distance(&name, &found)
    });
    let names: Vec<_> = known.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    let more = known.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let there = if names.is_empty() { "there is none".to_owned() } else { format!("there is {}", names.join(", ")) };
    Problem::new(Code::UnknownTopic, format!("{what}; {there}{more}"))
}

#[cfg(test)]
mod tests {
    use streamfence_core::Namespace;

    use super::*;

    fn catalog() -> Catalog {
        let feed = (0..12).fold(Namespace::new("/feed"), |feed, number| feed.topic(format!("tick{number}")));
        let orders = Namespace::new("/orders").topic("orders.*").topic("audit");
        Catalog::builder().namespace(feed).namespace(orders).build().expect("it is valid")
    }

    #[test]
    fn what_is_there_is_known() {
        let catalog = catalog();
        for (namespace, topic) in [
            (None, None),
            (Some("/feed"), None),
            (Some("/feed"), Some("tick3")),
            (None, Some("audit")),
            (None, Some("orders.7")),
            (Some("/orders"), Some("orders.*")),
        ] {
            assert!(ensure_known(&catalog, namespace, topic).is_ok(), "{namespace:?} {topic:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is_the_most_alike_first() {
        let catalog = catalog();
        for (namespace, topic, wanted) in [
            (Some("/order"), None, "unknown namespace `/order`; there is `/orders`, `/feed`"),
            (Some("/order"), Some("audit"), "unknown namespace `/order`; there is `/orders`, `/feed`"),
            (
                Some("/orders"),
                Some("adit"),
                "unknown topic `adit` in namespace `/orders`; there is `audit`, `orders.*`",
            ),
            // Of another namespace.
            (
                Some("/orders"),
                Some("tick1"),
                "unknown topic `tick1` in namespace `/orders`; there is `audit`, `orders.*`",
            ),
            (
                None,
                Some("tick.*"),
                "unknown topic `tick.*`; there is `tick0`, `tick1`, `tick10`, `tick11`, \
              `tick2`, `tick3`, `tick4`, `tick5` and 6 more",
            ),
        ] {
            let why = ensure_known(&catalog, namespace, topic).expect_err("it is not there");
            let why = serde_json::to_value(why).expect("it is JSON");
            assert_eq!((&why["detail"], &why["code"]), (&wanted.into(), &"UNKNOWN_TOPIC".into()));
        }
        let long = "x".repeat(100_000);
        assert!(ensure_known(&catalog, Some(&long), None).is_err());
    }
}

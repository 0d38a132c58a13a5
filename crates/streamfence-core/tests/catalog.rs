//! A catalog is valid or it does not exist, and its errors name the place, the value found and the value wanted.

use std::num::NonZeroU32;
use std::time::Duration;

use expect_test::{Expect, expect};
use streamfence_core::{
    AtLeastOnce, Catalog, ClientPublish, CoalesceKey, Delivery, Epoch, Found, Frequency, InboundAck, Limits, Metadata,
    Namespace, NamespaceId, OnSubscribe, Overflow, Topic, TopicEntry, TopicId, Wire,
};

#[expect(clippy::needless_pass_by_value, reason = "a case reads best without borrows")]
fn refuse(namespaces: Vec<Namespace>, why: Expect) {
    let builder = namespaces.into_iter().fold(Catalog::builder(), streamfence_core::CatalogBuilder::namespace);
    why.assert_eq(&builder.build().expect_err("the catalog cannot be kept").to_string());
}

fn feed() -> Namespace {
    Namespace::new("/feed").topic("tick")
}

#[test]
fn what_cannot_be_kept_is_refused_with_its_place() {
    refuse(
        vec![Namespace::new("feed").topic("tick")],
        expect!["namespace `feed`: wanted a path that starts with `/`, of at most 128 letters, digits and `/ . _ ~ -`"],
    );
    refuse(
        vec![Namespace::new("/fe ed").topic("tick")],
        expect![
            "namespace `/fe ed`: wanted a path that starts with `/`, of at most 128 letters, digits and `/ . _ ~ -`"
        ],
    );
    refuse(
        vec![Namespace::new(format!("/{}", "a".repeat(128))).topic("tick")],
        expect![
            "namespace `/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`: wanted a path that starts with `/`, of at most 128 letters, digits and `/ . _ ~ -`"
        ],
    );
    refuse(vec![feed(), feed()], expect!["namespace `/feed` is there twice; wanted each path once"]);
    refuse(vec![Namespace::new("/feed")], expect!["namespace `/feed` has no topics; wanted at least one"]);
    refuse(
        vec![feed().topic("")],
        expect![[r#"namespace `/feed`: topic "": wanted a name of 1 to 128 bytes without control characters"#]],
    );
    refuse(
        vec![feed().topic("a\nb")],
        expect![[r#"namespace `/feed`: topic "a\nb": wanted a name of 1 to 128 bytes without control characters"#]],
    );
    refuse(
        vec![feed().topic("subscribe")],
        expect!["namespace `/feed`: topic `subscribe` is the name of a control event; wanted another name"],
    );
    refuse(
        vec![feed().topic("tick")],
        expect!["namespace `/feed`: topic `tick` is there twice; wanted each name once"],
    );
    refuse(
        vec![feed().max_queued_messages(0)],
        expect!["topic `/feed tick`: max_queued_messages is 0; wanted at least 1"],
    );
    refuse(vec![feed().max_queued_bytes(0)], expect!["topic `/feed tick`: max_queued_bytes is 0; wanted at least 1"]);
    refuse(
        vec![feed().at_least_once(AtLeastOnce::default().window(0))],
        expect!["topic `/feed tick`: max_in_flight is 0; wanted at least 1"],
    );
    refuse(
        vec![feed().at_least_once(AtLeastOnce::default().max_retries(0))],
        expect!["topic `/feed tick`: max_retries is 0; wanted at least 1"],
    );
    refuse(
        vec![feed().at_least_once(AtLeastOnce::default().ack_timeout(Duration::ZERO))],
        expect!["topic `/feed tick`: ack_timeout is 0; wanted at least 1"],
    );
    refuse(
        vec![feed().at_least_once(AtLeastOnce::default()).coalesce(true)],
        expect!["topic `/feed tick`: coalesce with at-least-once would lose messages; wanted one of the two"],
    );
    refuse(
        vec![feed().at_least_once(AtLeastOnce::default()).max_frequency(1.5)],
        expect!["topic `/feed tick`: max_frequency with at-least-once would lose messages; wanted one of the two"],
    );
    refuse(
        vec![feed().max_frequency(-1.0)],
        expect!["topic `/feed tick`: max_frequency: wanted a finite number above 0"],
    );
    refuse(
        vec![feed().max_frequency(f64::INFINITY)],
        expect!["topic `/feed tick`: max_frequency: wanted a finite number above 0"],
    );
    refuse(
        vec![feed().coalesce_key(CoalesceKey::Pointers(Vec::new()))],
        expect![[r#"topic `/feed tick`: coalesce key "" is no JSON pointer; wanted one such as `/symbol`"#]],
    );
    refuse(
        vec![feed().coalesce_key(CoalesceKey::Pointers(vec!["/a".into(), "b".into()]))],
        expect![[r#"topic `/feed tick`: coalesce key "b" is no JSON pointer; wanted one such as `/symbol`"#]],
    );
    refuse(
        vec![feed().at_least_once(AtLeastOnce::default().window(65))],
        expect!["topic `/feed tick`: max_in_flight 65 exceeds max_queued_messages 64"],
    );
}

#[test]
fn what_nobody_said_is_the_default() {
    let catalog = Catalog::builder().namespace(feed()).build().expect("it is valid");
    let class = catalog.class(catalog.topics().next().expect("there is one"));
    assert_eq!(
        class.policy.delivery,
        Delivery::BestEffort { overflow: Overflow::RejectNew, coalesce: false, max_frequency: None }
    );
    assert_eq!(class.policy.limits, Limits::default());
    assert_eq!((class.wire, class.metadata), (Wire::TopicEvent, Metadata::WhenAcked));
    assert_eq!((class.client_publish, class.inbound_ack), (ClientPublish::Handler, InboundAck::OnReceipt));
    assert!(class.allow_polling && class.echo && !class.auth_required);
    assert_eq!((&class.coalesce_key, class.on_subscribe), (&CoalesceKey::Topic, OnSubscribe::Nothing));
}

#[test]
fn a_topic_says_it_over_its_namespace_and_the_order_of_words_does_not_matter() {
    let namespace = Namespace::new("/feed")
        .topic("plain")
        .topic_with(Topic::new("own").best_effort(Overflow::DropOldest).echo(true))
        .at_least_once(AtLeastOnce::default().window(4))
        .max_queued_messages(9)
        .echo(false)
        .coalesce_key(CoalesceKey::pointer("/symbol"))
        .wire(Wire::Envelope);
    let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
    let feed = catalog.namespace("/feed").expect("it was added");
    let [plain, own] = ["plain", "own"].map(|name| catalog.class(catalog.topic(feed, name).expect("it was added")));
    assert!(plain.policy.is_at_least_once() && !plain.echo);
    assert!(!own.policy.is_at_least_once() && own.echo);
    for class in [plain, own] {
        assert_eq!(Some(class.policy.limits.messages), NonZeroU32::new(9));
        assert_eq!(class.wire, Wire::Envelope);
        assert_eq!(class.coalesce_key, CoalesceKey::Pointers(vec!["/symbol".to_owned()]));
        assert_eq!((class.namespace, &*class.path), (feed, "/feed"));
    }
}

#[test]
fn a_frequency_is_an_interval_between_nothing_and_a_day() {
    let interval = |hertz| Frequency::hertz(hertz).expect("it is above zero").interval();
    assert_eq!((interval(4.0), interval(0.5)), (Duration::from_millis(250), Duration::from_secs(2)));
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!((interval(1e-9), interval(f64::MIN_POSITIVE)), (day, day));
    assert_eq!((interval(5e-324), interval(f64::MAX)), (day, Duration::ZERO));
    assert!([0.0, -0.0, f64::NAN, f64::INFINITY].into_iter().all(|none| Frequency::hertz(none).is_err()));
}

#[test]
fn topics_are_found_by_namespace_and_name_and_keep_their_order() {
    let other = Namespace::new("/other").topic("tock").topic("tick");
    let catalog = Catalog::builder().namespace(feed()).namespace(other).build().expect("it is valid");
    let [feed, other] = ["/feed", "/other"].map(|path| catalog.namespace(path).expect("it was added"));
    assert_ne!(catalog.topic(feed, "tick"), catalog.topic(other, "tick"));
    assert_eq!((catalog.topic(feed, "tock"), catalog.namespace("/")), (None, None));
    let names = |namespace| -> Vec<&str> {
        let topics = catalog.namespace_entry(namespace).topics().iter();
        topics.map(|&topic| &**catalog.topic_name(topic)).collect()
    };
    assert_eq!(names(feed), ["tick"]);
    assert_eq!(names(other), ["tock", "tick"]);
    assert_eq!(catalog.topics().count(), 3);
    assert_eq!(catalog.namespaces().map(|(_, entry)| &*entry.path).collect::<Vec<_>>(), ["/feed", "/other"]);
}

#[test]
fn a_name_is_its_own_topic_before_it_is_of_the_longest_pattern_that_fits() {
    let namespace = Namespace::new("/feed").topic("a.*").topic("a.b.*").topic("a.b.c");
    let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
    let feed = catalog.namespace("/feed").expect("it was added");
    let found = |name: &str| match catalog.find(feed, name) {
        Some(Found::Topic(entry)) => format!("topic {}", entry.name),
        Some(Found::Pattern(class)) => format!("made from {}", class.name),
        None => "nothing".to_owned(),
    };
    assert_eq!(found("a.b.c"), "topic a.b.c");
    assert_eq!(found("a.b.d"), "made from a.b.*");
    assert_eq!(found("a.b."), "made from a.*");
    let longest = "a.".to_owned() + &"x".repeat(126);
    assert_eq!(found(&longest), "made from a.*");
    // A wildcard, a name that is only the beginning, one that is too long, one that no topic may have.
    for name in ["a.*", "a.", "b", &(longest + "x"), "a.\n"] {
        assert_eq!(found(name), "nothing", "{name:?}");
    }
    let any = Catalog::builder().namespace(Namespace::new("/any").topic("*")).build().expect("it is valid");
    assert!(any.find(NamespaceId(0), "x").is_some());
    assert!(any.find(NamespaceId(0), "subscribe").is_none(), "a control event is no topic");
}

#[test]
fn patterns_that_cannot_be_kept_are_refused() {
    refuse(
        vec![Namespace::new("/feed").topic("a*b")],
        expect![[r#"namespace `/feed`: topic "a*b": wanted `*` at the end of a pattern and nowhere else"#]],
    );
    refuse(
        vec![Namespace::new("/feed").topic_with(Topic::new("a*").max_topics(0))],
        expect!["topic `/feed a*`: max_topics is 0; wanted at least 1"],
    );
}

#[test]
fn what_a_topic_was_under_an_earlier_catalog_is_not_current() {
    let build = || Catalog::builder().namespace(feed().topic("orders.*")).build().expect("it is valid");
    let first = build();
    let next = build().following(&first);
    for topic in first.topics() {
        let made = TopicEntry::made(&first.entry(topic).class, "orders.7".into(), 1, Epoch(7));
        for entry in [first.entry(topic), &made] {
            assert!(first.is_current(entry) && !next.is_current(entry), "{}", entry.name);
            assert!(next.is_current(&entry.under(&next.entry(topic).class)), "{}", entry.name);
        }
    }
    let fewer = Catalog::builder().namespace(feed()).build().expect("it is valid");
    assert!(!fewer.is_current(first.entry(first.topics().last().expect("there are two"))));
}

#[test]
fn whoever_is_to_confirm_messages_is_asked_to_and_nobody_else_is() {
    let namespace = feed()
        .topic_with(Topic::new("counted").receipt_window(1))
        .topic_with(Topic::new("promised").at_least_once(AtLeastOnce::default()));
    let catalog = Catalog::builder().namespace(namespace).build().expect("it is valid");
    let asked = |topic: &TopicId| catalog.class(*topic).policy.wants_ack();
    let asked: Vec<_> = catalog.topics().filter(asked).map(|topic| &**catalog.topic_name(topic)).collect();
    assert_eq!(asked, ["counted", "promised"]);
}

#[test]
fn what_keeps_its_name_keeps_its_id_when_a_catalog_follows_another() {
    let build = |namespaces: Vec<Namespace>| {
        let builder = namespaces.into_iter().fold(Catalog::builder(), streamfence_core::CatalogBuilder::namespace);
        builder.build().expect("it is valid")
    };
    let ids = |catalog: &Catalog| {
        let line = |topic| {
            let class: &streamfence_core::Class = catalog.class(topic);
            let gone = if class.is_removed { " (gone)" } else { "" };
            format!("{}.{} {} {}{gone}", class.namespace.0, class.id.0, class.path, class.name)
        };
        catalog.topics().map(line).collect::<Vec<_>>()
    };
    let first = build(vec![Namespace::new("/a").topic("x").topic("y*"), Namespace::new("/b").topic("x")]);
    let next = build(vec![
        Namespace::new("/c").topic("x"),
        Namespace::new("/a")
            .topic("new")
            .topic("y*")
            .topic_with(Topic::new("yz*").auth_required(false))
            .session_retention(Duration::ZERO)
            .auth_required(true),
    ]);
    let next = next.following(&first);
    assert_eq!(ids(&next), ["0.0 /a x (gone)", "0.1 /a y*", "1.2 /b x (gone)", "2.3 /c x", "0.4 /a new", "0.5 /a yz*"]);
    let a = next.namespace("/a").expect("it is still there");
    assert_eq!(next.namespace_entry(a).session_retention, Duration::ZERO);
    assert!(next.namespace_entry(a).auth_required && !next.namespace_entry(NamespaceId(2)).auth_required);
    let asking = |name| next.class(next.topic(a, name).expect("it is there")).auth_required;
    assert_eq!(["new", "y*", "yz*"].map(asking), [true, true, false]);
    assert!(next.topic(a, "x").is_none() && next.namespace("/b").is_none());
    assert!(next.namespace_entry(NamespaceId(1)).is_removed);
    assert!(matches!(next.find(a, "yz1"), Some(Found::Pattern(class)) if &*class.name == "yz*"));
    // What comes back is what it was.
    let again = build(vec![Namespace::new("/b").topic("x")]).following(&next);
    assert_eq!(again.topic(NamespaceId(1), "x").map(|topic| topic.index), Some(2));
    assert_eq!(again.namespace("/b"), Some(NamespaceId(1)));
}

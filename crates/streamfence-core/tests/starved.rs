//! A link that has room, but not enough, asks for more.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use streamfence_core::{
    Body, Catalog, ClientId, Epoch, Hub, Message, MessageId, Namespace, Offset, Output, Room, Transport, Wishes,
};

#[test]
#[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
fn a_link_whose_room_is_too_small_for_what_is_next_asks_for_more() {
    let now = Instant::now();
    let namespace = Namespace::new("/feed").topic("snapshot");
    let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("the catalog is valid"));
    let topic = catalog.entry(catalog.topics().next().expect("the namespace has a topic")).clone();
    let mut hub = Hub::new(catalog.clone(), Epoch(7));
    let link = hub.open(now);
    let namespace = topic.class.namespace;
    let session = hub.join(link, namespace, ClientId([1; 12]), Transport::Other, now).expect("the link is open");
    hub.subscribe(session, &topic, Wishes::default(), None, now);
    hub.handle_room(link, Room { frames: 32, bytes: 1 << 16, is_empty: true }, now);
    while hub.poll_output(now).is_some() {}

    let id = MessageId { epoch: Epoch(7), offset: Offset(1) };
    let body = Body::plain(Bytes::from_static(&[b'x'; 100]));
    let message = Message { topic, id, key: None, published: now, expires: None, trace: None, body };
    hub.handle_room(link, Room { frames: 32, bytes: 99, is_empty: false }, now);
    let fanout = hub.publish(&Arc::new(message), None, now);
    assert_eq!(fanout.admitted, 1);
    assert!(matches!(hub.poll_output(now), Some(Output::Starved(starved)) if starved == link));
    assert!(hub.poll_output(now).is_none(), "it asks once");

    hub.handle_room(link, Room { frames: 31, bytes: 100, is_empty: false }, now);
    assert!(matches!(hub.poll_output(now), Some(Output::Transmit(fed, batch)) if fed == link && batch.len() == 1));
    assert!(hub.poll_output(now).is_none(), "no room at all is no hunger: the transport says by itself when there is");
}

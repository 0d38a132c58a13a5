//! What the fuzz targets reach that nobody else does. Never a part of the API.

use crate::protocol::{Ack, BadWish, Nack, Publish, Subscribe, Topics, Unsubscribe, parse, session_wish};

/// Reads a text as every wish there is.
///
/// # Panics
/// When a wish that is taken breaks a bound that the rest of the adapter counts on.
pub fn wish(text: &str) {
    let subscribe = parse::<Subscribe<'_>>(text).and_then(|wish| Ok(wish.understood()?.0));
    let unsubscribe = parse::<Unsubscribe<'_>>(text).and_then(Unsubscribe::topics);
    for topics in [subscribe, unsubscribe] {
        match topics {
            Ok(topics) => {
                let names = topics.names().count();
                assert_eq!(topics.several().unwrap_or(1), names, "one answer per name");
                assert!((1..=Topics::MOST).contains(&names), "{names} topics in one wish");
            }
            Err(BadWish(why)) => assert!(!why.is_empty(), "a refusal has a reason"),
        }
    }
    if let Ok(publish) = parse::<Publish<'_>>(text) {
        assert!(text.contains(publish.payload.get()), "a payload goes on as it came");
    }
    let _ = parse::<Ack<'_>>(text).and_then(Ack::messages);
    let _ = parse::<Nack<'_>>(text);
    let _ = session_wish(text);
}

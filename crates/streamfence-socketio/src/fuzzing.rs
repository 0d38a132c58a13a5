//! What the fuzz targets reach that nobody else does. Never a part of the API.

use crate::auth::{of_connect, take_from_query};
use crate::protocol::{Ack, Authenticate, BadWish, Nack, Publish, Subscribe, Topics, Unsubscribe, parse, session_wish};

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
    if let Ok(token) = parse::<Authenticate<'_>>(text).and_then(Authenticate::token) {
        assert!(!format!("{token:?}").contains('"'), "a token is not shown");
    }
    let mut first = http::Request::new(()).into_parts().0;
    // Whatever is a query of something is one that may have a token in it.
    if let Ok(uri) = format!("/?{text}").parse() {
        first.uri = uri;
        take_from_query(&mut first);
        let has_token = |query: &str| query.split('&').any(|pair| pair.starts_with("token="));
        assert!(!first.uri.query().is_some_and(has_token), "nothing of it is left there");
    }
    let _ = of_connect(Some(text), &first);
    let _ = session_wish(text);
}

//! What a client says, as it must stand on the wire.
//!
//! Strict about what is known and about its types, silent about what is not: a newer client may say more.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use streamfence_auth::Token;
use streamfence_core::{Frequency, Secret, Wishes};
use streamfence_runtime::{SessionWish, parse_session_id};

use crate::auth::TokenField;

/// `subscribe {topic | topics, window?, maxFrequency?, token?}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Subscribe<'a> {
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    topics: Option<Vec<String>>,
    window: Option<std::num::NonZeroU16>,
    #[serde(rename = "maxFrequency")]
    max_frequency: Option<f64>,
    recover: Option<IgnoredAny>,
    #[serde(borrow)]
    token: Option<TokenField<'a>>,
}

/// `unsubscribe {topic | topics}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Unsubscribe<'a> {
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    topics: Option<Vec<String>>,
}

/// `authenticate {token}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Authenticate<'a> {
    #[serde(borrow)]
    token: Option<TokenField<'a>>,
}

/// `publish {topic, payload, key?, ttlMs?, token?}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Publish<'a> {
    #[serde(borrow)]
    pub(crate) topic: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) payload: &'a RawValue,
    #[serde(borrow)]
    pub(crate) key: Option<Cow<'a, str>>,
    #[serde(rename = "ttlMs")]
    pub(crate) ttl_ms: Option<std::num::NonZeroU32>,
    #[serde(borrow)]
    token: Option<TokenField<'a>>,
}

/// `ack {topic, messageId | messageIds | upTo}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow, rename = "messageId")]
    message_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "messageIds")]
    message_ids: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, rename = "upTo")]
    up_to: Option<Cow<'a, str>>,
}

/// `nack {topic, messageId, delayMs?}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Nack<'a> {
    #[serde(borrow)]
    pub(crate) topic: Cow<'a, str>,
    #[serde(borrow, rename = "messageId")]
    pub(crate) message_id: Cow<'a, str>,
    #[serde(default, rename = "delayMs")]
    pub(crate) delay_ms: u32,
}

/// The auth of a CONNECT, as far as it is about sessions: `{session: true | {id, secret}}`.
#[derive(Debug, Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    session: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Offered<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    secret: Cow<'a, str>,
}

/// Whether a client wants a session that survives its connection, and on which shard it would be. Whatever is not such
/// a wish is none: the rest of the auth is the application's.
pub(crate) fn session_wish(auth: &str) -> Option<(Option<usize>, SessionWish)> {
    let wish = serde_json::from_str::<Auth<'_>>(auth).ok()?.session?.get();
    if wish == "true" {
        return Some((None, SessionWish::New));
    }
    let offered: Offered<'_> = serde_json::from_str(wish).ok()?;
    // What we never wrote is a session that is gone.
    Some(match (parse_session_id(&offered.id), parse_secret(&offered.secret)) {
        (Some((shard, client)), Some(secret)) => (Some(shard), SessionWish::Resume { client, secret }),
        _ => (None, SessionWish::New),
    })
}

/// A secret as 32 hexadecimal digits.
pub(crate) fn secret_text(secret: &Secret) -> String {
    secret.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_secret(text: &str) -> Option<Secret> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 32).then(|| bytes.try_into().ok().map(Secret))?
}

/// Why a wish cannot be understood; the client reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadWish(pub(crate) String);

impl<'a> Subscribe<'a> {
    /// The topics, what is asked for all of them, and the token for them.
    pub(crate) fn understood(self) -> Result<(Topics<'a>, Wishes, Option<Token>), BadWish> {
        refuse_unbuilt("recover", self.recover.as_ref())?;
        let max_frequency = match self.max_frequency.map(Frequency::hertz) {
            None => None,
            Some(Ok(frequency)) => Some(frequency),
            Some(Err(_)) => return Err(BadWish("maxFrequency: wanted a number of hertz above 0".into())),
        };
        let topics = Topics::of(self.topic, self.topics)?;
        Ok((topics, Wishes { window: self.window, max_frequency }, read(self.token)?))
    }
}

impl Authenticate<'_> {
    /// The token.
    pub(crate) fn token(self) -> Result<Token, BadWish> {
        read(self.token)?.ok_or_else(no_token)
    }
}

/// What is wrong with a wish that is nothing but a token; what was found may be it, and is not said.
pub(crate) fn no_token() -> BadWish {
    BadWish("token: wanted a text".into())
}

impl Publish<'_> {
    /// The token for it.
    pub(crate) fn token(&self) -> Result<Option<Token>, BadWish> {
        read(self.token)
    }
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn topics(self) -> Result<Topics<'a>, BadWish> {
        Topics::of(self.topic, self.topics)
    }
}

impl<'a> Ack<'a> {
    /// The topic, and the messages of it that the client has.
    pub(crate) fn messages(self) -> Result<(Cow<'a, str>, Acked<'a>), BadWish> {
        let acked = match (self.message_id, self.message_ids, self.up_to) {
            (Some(id), None, None) => Acked::These(vec![id]),
            (None, Some(ids), None) => Acked::These(ids),
            (None, None, Some(id)) => Acked::UpTo(id),
            _ => return Err(BadWish("wanted messageId, messageIds or upTo, one of the three".into())),
        };
        Ok((self.topic, acked))
    }
}

/// The messages a client has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Acked<'a> {
    These(Vec<Cow<'a, str>>),
    /// This one and all before it.
    UpTo(Cow<'a, str>),
}

/// One topic, or several that are answered together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Topics<'a> {
    One(Cow<'a, str>),
    Many(Vec<String>),
}

impl<'a> Topics<'a> {
    /// How many topics one wish may be for: each gets an answer of its own.
    pub(crate) const MOST: usize = 256;

    fn of(topic: Option<Cow<'a, str>>, topics: Option<Vec<String>>) -> Result<Self, BadWish> {
        match (topic, topics) {
            (Some(topic), None) => Ok(Self::One(topic)),
            (None, Some(topics)) if topics.is_empty() => Err(BadWish("topics is empty; wanted at least one".into())),
            (None, Some(topics)) if topics.len() > Self::MOST => {
                Err(BadWish(format!("topics has {} names; wanted at most {}", topics.len(), Self::MOST)))
            }
            (None, Some(topics)) => Ok(Self::Many(topics)),
            _ => Err(BadWish("wanted topic or topics, one of the two".into())),
        }
    }

    /// How many answers one question gets, if it is for a list.
    pub(crate) fn several(&self) -> Option<usize> {
        match self {
            Self::One(_) => None,
            Self::Many(topics) => Some(topics.len()),
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(topic) => (Some(&**topic), [].as_slice()),
            Self::Many(topics) => (None, topics.as_slice()),
        };
        one.into_iter().chain(many.iter().map(String::as_str))
    }
}

fn read(token: Option<TokenField<'_>>) -> Result<Option<Token>, BadWish> {
    token.map_or(Ok(None), |token| token.read().map_err(|_| no_token()))
}

fn refuse_unbuilt(key: &str, value: Option<&IgnoredAny>) -> Result<(), BadWish> {
    match value {
        None => Ok(()),
        Some(_) => Err(BadWish(format!("{key} is not in this build"))),
    }
}

/// Reads the one argument of an event: `["subscribe",{..}]`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BadWish> {
    match serde_json::from_str::<Event<T>>(text) {
        Ok(Event(Some(argument))) => Ok(argument),
        Ok(Event(None)) => Err(BadWish("the event has no payload; wanted an object".into())),
        Err(why) => Err(BadWish(why.to_string())),
    }
}

/// Whether this is JSON at all, whatever it says.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

struct Event<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Event<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FirstArgument<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstArgument<T> {
            type Value = Event<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event and its payload")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Event<T>, S::Error> {
                seq.next_element::<IgnoredAny>()?;
                let argument = seq.next_element()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Event(argument))
            }
        }
        deserializer.deserialize_seq(FirstArgument(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_as_the_contract_has_them() {
        let one: Subscribe<'_> = parse(r#"["subscribe",{"topic":"a","window":4}]"#).expect("it is well formed");
        let wishes = Wishes { window: std::num::NonZeroU16::new(4), max_frequency: None };
        let (topics, wished, token) = one.understood().expect("it makes sense");
        assert_eq!((topics, wished), (Topics::One("a".into()), wishes));
        assert!(token.is_none());
        let many: Subscribe<'_> =
            parse(r#"["subscribe",{"topics":["a","b"],"maxFrequency":2.5,"token":"t"}]"#).expect("it is well formed");
        let wishes = Wishes { window: None, max_frequency: Frequency::hertz(2.5).ok() };
        let (topics, wished, token) = many.understood().expect("it makes sense");
        assert_eq!((topics, wished), (Topics::Many(vec!["a".into(), "b".into()]), wishes));
        assert_eq!(token.expect("it has one").expose(), "t");
        let publish: Publish<'_> =
            parse(r#"["publish",{"topic":"a","payload":{ "n": 1 },"key":"k"}]"#).expect("it is well formed");
        assert_eq!(publish.payload.get(), r#"{ "n": 1 }"#);
        let ack: Ack<'_> = parse(r#"["ack",{"topic":"a","messageIds":["x","y"]}]"#).expect("it is well formed");
        assert_eq!(ack.messages(), Ok(("a".into(), Acked::These(vec!["x".into(), "y".into()]))));
        let up_to: Ack<'_> = parse(r#"["ack",{"topic":"a","upTo":"x"}]"#).expect("it is well formed");
        assert_eq!(up_to.messages(), Ok(("a".into(), Acked::UpTo("x".into()))));
        let nack: Nack<'_> = parse(r#"["nack",{"topic":"a","messageId":"x","delayMs":5}]"#).expect("it is well formed");
        assert_eq!((&*nack.topic, &*nack.message_id, nack.delay_ms), ("a", "x", 5));
    }

    #[test]
    fn sessions_are_asked_for_and_offered() {
        let secret = Secret([0xa5; 16]);
        assert!(matches!(session_wish(r#"{"session":true,"token":"x"}"#), Some((None, SessionWish::New))));
        let offered = format!(r#"{{"session":{{"id":"1.AAAAAAAAAAAAAAAA","secret":"{}"}}}}"#, secret_text(&secret));
        let Some((Some(1), SessionWish::Resume { secret: read, .. })) = session_wish(&offered) else {
            panic!("it was offered: {offered}")
        };
        assert!(read.matches(&secret));
        for new in [r#"{"session":{"id":"x","secret":"y"}}"#, r#"{"session":{"id":"1.AAAAAAAAAAAAAAAA","secret":"é"}}"#]
        {
            assert!(matches!(session_wish(new), Some((None, SessionWish::New))), "{new}");
        }
        for none in ["", "7", "{}", r#"{"session":false}"#, r#"{"session":7}"#, r#"{"session":{"id":7}}"#] {
            assert!(session_wish(none).is_none(), "{none}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong: [(&str, &str); 11] = [
            (r#"["subscribe",{"topic":"a","token":7}]"#, "token: wanted a text"),
            (r#"["subscribe"]"#, "no payload"),
            (r#"["subscribe",7]"#, "invalid type"),
            (r#"["subscribe",{}]"#, "wanted topic or topics"),
            (r#"["subscribe",{"topic":"a","topics":["b"]}]"#, "wanted topic or topics"),
            (r#"["subscribe",{"topic":"a","window":0}]"#, "nonzero"),
            (r#"["subscribe",{"topic":"a","maxFrequency":0}]"#, "above 0"),
            (r#"["subscribe",{"topic":"a","maxFrequency":-1.5}]"#, "above 0"),
            (r#"["subscribe",{"topic":"a","maxFrequency":1e999}]"#, "out of range"),
            (r#"["subscribe",{"topic":"a","maxFrequency":"2"}]"#, "invalid type"),
            (r#"["subscribe",{"topic":"a","recover":{}}]"#, "recover is not in this build"),
        ];
        for (text, wanted) in wrong {
            let why = match parse::<Subscribe<'_>>(text) {
                Ok(wish) => wish.understood().expect_err(text).0,
                Err(BadWish(why)) => why,
            };
            assert!(why.contains(wanted), "{text}: {why}");
        }
    }
}

//! The application behind every server: it echoes, as the one of the protocols' own test suites does.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeTuple, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::{FromMessageParts, MessageHandler, Value as Said};
use socketioxide::socket::Socket;

/// Whoever comes in hears what it said of itself, and then whatever it says.
pub(crate) async fn echo(socket: SocketRef, Data(auth): Data<Value>) {
    let hear = |event, ear| socket.on(event, Ear(ear));
    hear("message", |socket, said, _| socket.emit("message-back", &said).expect("there is room"));
    hear("message-with-ack", |_, said, ack| ack.send(&said).expect("there is room"));
    hear("emit-with-ack", |socket, said, _| {
        let answer = socket.emit_with_ack::<_, Arguments>("emit-with-ack", &said).expect("there is room");
        tokio::spawn(async move {
            if let Ok(answer) = answer.await {
                // Whoever has left since has no use for it.
                let _gone = socket.emit("emit-with-ack", &answer);
            }
        });
    });
    hear("shout", |socket, said, _| {
        let told = socket.broadcast().emit("shouted", &said).now_or_never();
        told.expect("all are on this server").expect("there is room");
    });
    hear("throw-me-out", |socket, _, _| socket.disconnect().expect("there is room"));
    // Now that it is listened to.
    socket.emit("auth", &auth).expect("there is room");
}

/// Hears one kind of event: in the library's reader, and so in the order of the events. A closure would be a task of its
/// own for each.
struct Ear(fn(SocketRef, Arguments, AckSender));

impl MessageHandler<LocalAdapter, Ear> for Ear {
    fn call(&self, socket: Arc<Socket<LocalAdapter>>, mut said: Said, id: Option<i64>) {
        // What cannot be read is not heard, as with the library's own handlers.
        let Ok(Data(arguments)) = Data::from_message_parts(&socket, &mut said, &id) else { return };
        let Ok(ack) = AckSender::from_message_parts(&socket, &mut said, &id);
        (self.0)(socket.into(), arguments, ack);
    }
}

/// Lets in who says the word.
pub(crate) async fn only_friends(socket: SocketRef, Data(auth): Data<Value>) -> Result<(), &'static str> {
    drop(socket);
    if auth["word"] == "friend" { Ok(()) } else { Err("Not authorized") }
}

/// All arguments of an event or an acknowledgement.
pub(crate) struct Arguments(Vec<Argument>);

/// JSON in which bytes may stand. In this order, since whatever has no bytes in it is plain.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Argument {
    Plain(Value),
    List(Vec<Argument>),
    Map(std::collections::BTreeMap<String, Argument>),
    Bytes(Bytes),
}

struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Arguments;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Arguments, A::Error> {
                let mut arguments = Vec::new();
                while let Some(argument) = seq.next_element()? {
                    arguments.push(argument);
                }
                Ok(Arguments(arguments))
            }
        }
        // A tuple is what the library takes all arguments for.
        deserializer.deserialize_tuple_struct("Arguments", 0, All)
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut arguments = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|argument| arguments.serialize_element(argument))?;
        arguments.end()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taken;
        impl Visitor<'_> for Taken {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Taken)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

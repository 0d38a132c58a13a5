//! Socket.IO, "Acknowledgement": one side asks, the other answers.

use crate::client::{Heard, Polling, Socket};
use crate::target::Target;

behaviours! {
    an_event_with_an_id_is_answered_with_it;
    an_answer_may_be_empty;
    any_id_comes_back;
    an_answer_is_of_its_namespace;
    several_questions_wait_at_a_time;
    a_question_is_answered_by_polling;
    an_event_without_an_id_is_not_answered;
    the_server_asks_and_is_answered;
    the_server_asks_by_polling;
    the_server_asks_in_each_namespace;
    an_answer_that_nobody_awaits_changes_nothing;
}

/// "The sender MAY include an event ID in order to request an acknowledgement from the receiver. The receiver MUST
/// respond with an ACK packet with the same event ID."
async fn an_event_with_an_id_is_answered_with_it(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#).await;
    socket.hears(r#"43456[1,"2",{"3":[false]}]"#).await;
}

/// "The payload is mandatory and MUST be an array (possibly empty)."
async fn an_answer_may_be_empty(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"4212["message-with-ack"]"#).await;
    socket.hears("4312[]").await;
}

/// "Optionally, an acknowledgment id (integer)."
async fn any_id_comes_back(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for id in ["0", "1", "4294967296", "9007199254740991"] {
        socket.say(&format!("42{id}[\"message-with-ack\",\"a\"]")).await;
        socket.hears(&format!("43{id}[\"a\"]")).await;
    }
}

/// "With a custom namespace": `2/admin,13["foo"]` and `3/admin,13["bar"]`.
async fn an_answer_is_of_its_namespace(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    socket.say(r#"42/custom,13["message-with-ack","custom"]"#).await;
    socket.say(r#"4213["message-with-ack","main"]"#).await;
    socket.hears(r#"43/custom,13["custom"]"#).await;
    socket.hears(r#"4313["main"]"#).await;
}

/// "With the same event ID": it is what tells one answer from another.
async fn several_questions_wait_at_a_time(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    for id in (0..50).rev() {
        socket.say(&format!("42{id}[\"message-with-ack\",{id}]")).await;
    }
    for id in (0..50).rev() {
        socket.hears(&format!("43{id}[{id}]")).await;
    }
}

/// The same, over the other transport.
async fn a_question_is_answered_by_polling(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say("421[\"message-with-ack\",\"a\"]\u{1e}422[\"message-with-ack\",\"b\"]").await;
    client.hears(r#"431["a"]"#).await;
    client.hears(r#"432["b"]"#).await;
}

/// "MAY include an event ID": without one there is nothing to answer.
async fn an_event_without_an_id_is_not_answered(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42["message-with-ack",1]"#).await;
    socket.talks().await;
}

/// The same, in the other direction.
async fn the_server_asks_and_is_answered(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say(r#"42["emit-with-ack",1,"2",{"3":[true]}]"#).await;
    let id = asked(&mut socket, "42", r#"["emit-with-ack",1,"2",{"3":[true]}]"#).await;
    socket.say(&format!("43{id}[\"an\",\"answer\"]")).await;
    socket.hears(r#"42["emit-with-ack","an","answer"]"#).await;
}

/// The id of what the server asks.
async fn asked(socket: &mut Socket, head: &str, event: &str) -> u64 {
    let Heard::Text(text) = socket.hear().await else { panic!("wanted an event") };
    id_in(&text, head, event)
}

fn id_in(text: &str, head: &str, event: &str) -> u64 {
    let id = text.strip_prefix(head).and_then(|rest| rest.strip_suffix(event));
    id.and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id between {head} and {event} in {text}"))
}

/// The same, over the other transport.
async fn the_server_asks_by_polling(server: &Target) {
    let mut client = Polling::join(server, "/").await;
    client.say(r#"42["emit-with-ack","what?"]"#).await;
    let id = id_in(&client.hear().await, "42", r#"["emit-with-ack","what?"]"#);
    client.say(&format!("43{id}[]")).await;
    client.hears(r#"42["emit-with-ack"]"#).await;
}

/// The same: a namespace's questions are its own.
async fn the_server_asks_in_each_namespace(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.enter("/custom").await;
    socket.say(r#"42["emit-with-ack","main"]"#).await;
    socket.say(r#"42/custom,["emit-with-ack","custom"]"#).await;
    let main = asked(&mut socket, "42", r#"["emit-with-ack","main"]"#).await;
    let custom = asked(&mut socket, "42/custom,", r#"["emit-with-ack","custom"]"#).await;
    socket.say(&format!("43/custom,{custom}[\"of custom\"]")).await;
    socket.hears(r#"42/custom,["emit-with-ack","of custom"]"#).await;
    socket.say(&format!("43{main}[\"of main\"]")).await;
    socket.hears(r#"42["emit-with-ack","of main"]"#).await;
}

/// "With the same event ID": an answer to nothing is not an error of the connection.
async fn an_answer_that_nobody_awaits_changes_nothing(server: &Target) {
    let mut socket = Socket::join(server, "/").await;
    socket.say("4399[]").await;
    socket.say(r#"42["emit-with-ack",1]"#).await;
    let id = asked(&mut socket, "42", r#"["emit-with-ack",1]"#).await;
    for answer in ["first", "second"] {
        socket.say(&format!("43{id}[\"{answer}\"]")).await;
    }
    socket.hears(r#"42["emit-with-ack","first"]"#).await;
    socket.talks().await;
}

//! `streamfence subscribe`: a Socket.IO client that prints what comes, and may be as slow as one wants to see it.

mod acks;
mod shown;

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};
use streamfence_client::{
    ClientError, Connector, Event, Incoming, Message, Pace, Session, Socket, SocketOptions, Target,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::exit::Failure;
use crate::remote::{TrustArgs, failure, is_auth, run as run_remote, seconds};
use crate::say;
use acks::Acks;

#[derive(Debug, clap::Args)]
pub(crate) struct SubscribeArgs {
    /// The namespace and its topics; before them the URL of the server, unless --server names it
    #[arg(required = true, num_args = 2.., value_names = ["[URL] NAMESPACE", "TOPIC"])]
    what: Vec<String>,
    /// Where the server is: http://HOST:PORT, https://.., ws://.., wss://.., or unix:PATH
    #[arg(long, value_name = "URL", env = "STREAMFENCE_SERVER", default_value = "http://127.0.0.1:3000")]
    server: Target,
    /// The path that Socket.IO is served under
    #[arg(long, default_value = "/socket.io")]
    path: String,
    /// The token to show at the door
    #[arg(long, env = "STREAMFENCE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Acknowledge each message that asks for it
    #[arg(long)]
    ack: bool,
    /// Acknowledge it only so many milliseconds later
    #[arg(long, value_name = "MS", requires = "ack", default_value_t = 0)]
    ack_delay: u32,
    /// Read so many bytes a second of the connection and no more, as a slow client does
    #[arg(long, value_name = "BPS")]
    slow: Option<NonZeroU32>,
    /// Keep a session: where the connection is lost, connect again and hear what was missed
    #[arg(long)]
    session: bool,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds; with --count that is too late, and the exit code 8
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Print one JSON object a line: each message and whatever else the server says
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustArgs,
}

pub(crate) fn run(args: &SubscribeArgs) -> Result<(), Failure> {
    run_remote(subscribe(args))
}

async fn subscribe(args: &SubscribeArgs) -> Result<(), Failure> {
    let Wanted { server, namespace, topics } = Wanted::of(args)?;
    let connector = args.trust.connector(&server)?;
    let options = SocketOptions {
        path: args.path.clone(),
        token: args.token.clone(),
        pace: args.slow.map(Pace),
        ..SocketOptions::new(namespace)
    };
    let mut subscriber = Subscriber {
        args,
        topics,
        ends_at: args.timeout.map(|timeout| Instant::now() + timeout),
        acks: Acks::new(Duration::from_millis(args.ack_delay.into())),
        got: 0,
        left: topics.iter().map(String::as_str).collect(),
        session: args.session.then_some(Session::New),
        last_words: None,
    };
    let mut socket = Socket::connect(&connector, &options_of(&options, &subscriber)).await.map_err(failure)?;
    loop {
        let lost = match subscriber.attend(&mut socket).await {
            Ok(()) => {
                socket.close().await;
                return Ok(());
            }
            Err(End::Failed(why)) => return Err(why),
            Err(End::Lost(why)) => why,
        };
        if !subscriber.may_come_back() {
            return Err(failure(lost));
        }
        say::aside(format_args!("{}; connecting again", say::visible(&lost.to_string())));
        let options = options_of(&options, &subscriber);
        socket = tokio::select! {
            socket = again(&connector, &options) => socket?,
            () = until(subscriber.ends_at) => return subscriber.out_of_time(),
        };
    }
}

fn options_of(options: &SocketOptions, subscriber: &Subscriber<'_>) -> SocketOptions {
    SocketOptions { session: subscriber.session.clone(), ..options.clone() }
}

/// Connects until somebody is there.
async fn again(connector: &Connector, options: &SocketOptions) -> Result<Socket, Failure> {
    let mut pause = SHORTEST_PAUSE;
    loop {
        sleep(pause).await;
        match Socket::connect(connector, options).await.map_err(failure) {
            Err(Failure::Unreachable(_)) => pause = (pause * 2).min(LONGEST_PAUSE),
            outcome => return outcome,
        }
    }
}

/// Between two attempts to connect: the first, and at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a subscriber is not in a namespace any longer.
enum End {
    /// The connection ended, and another one may do.
    Lost(ClientError),
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(why: Failure) -> Self {
        Self::Failed(why)
    }
}

impl From<ClientError> for End {
    fn from(why: ClientError) -> Self {
        Self::Lost(why)
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Where, and what of it.
struct Wanted<'a> {
    server: Target,
    namespace: &'a str,
    topics: &'a [String],
}

impl<'a> Wanted<'a> {
    fn of(args: &'a SubscribeArgs) -> Result<Self, Failure> {
        let (server, rest) = match &args.what[..] {
            [url, rest @ ..] if url.contains("://") || url.starts_with("unix:") => {
                (url.parse().map_err(|why| Failure::Usage(format!("{why}")))?, rest)
            }
            rest => (args.server.clone(), rest),
        };
        if !server.base().is_empty() {
            let base = server.base();
            return Err(Failure::Usage(format!(
                "{server} has the path {base}; wanted none: the namespace is an argument of its own, and --path says \
                 what Socket.IO is served under"
            )));
        }
        match rest {
            [namespace, topics @ ..] if namespace.starts_with('/') && !topics.is_empty() => {
                Ok(Self { server, namespace, topics })
            }
            [namespace, ..] if !namespace.starts_with('/') => {
                Err(Failure::Usage(format!("found the namespace {namespace:?}; wanted one that begins with /")))
            }
            _ => Err(Failure::Usage("wanted a namespace and at least one topic".into())),
        }
    }
}

struct Subscriber<'a> {
    args: &'a SubscribeArgs,
    topics: &'a [String],
    ends_at: Option<Instant>,
    acks: Acks,
    /// Messages so far.
    got: u64,
    /// Topics that were asked for and have not ended.
    left: Vec<&'a str>,
    /// What to ask for with the next connection.
    session: Option<Session>,
    /// The error the server told last: mostly why it ends the connection.
    last_words: Option<String>,
}

impl Subscriber<'_> {
    /// Hears what comes until it is enough, or over.
    async fn attend(&mut self, socket: &mut Socket) -> Result<(), End> {
        // Whoever has a session back has its subscriptions; the server says so first.
        if self.session.is_none() {
            self.subscribe(socket).await?;
        }
        loop {
            if self.args.count.is_some_and(|count| self.got >= count) && self.acks.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = until(self.acks.next_due()) => {
                    for (topic, id) in self.acks.due(Instant::now()) {
                        socket.emit("ack", &json!({ "topic": topic, "messageId": id })).await?;
                    }
                }
                () = until(self.ends_at) => return Ok(self.out_of_time()?),
                heard = socket.next(), if self.may_read() => match heard? {
                    Incoming::Event(event) => {
                        if event.name == "session" && self.has_session(&event.first()) {
                            self.subscribe(socket).await?;
                        }
                        if !self.hear(event)? {
                            return Ok(());
                        }
                    }
                    Incoming::Disconnected => return Err(self.disconnected().into()),
                },
            }
        }
    }

    async fn subscribe(&self, socket: &mut Socket) -> Result<(), ClientError> {
        socket.emit("subscribe", &json!({ "topics": self.topics })).await
    }

    /// Keeps what opens the session, where the server keeps one: whether it is another one, without subscriptions.
    fn has_session(&mut self, session: &Value) -> bool {
        let word = |key: &str| session[key].as_str().map(str::to_owned);
        self.session = Some(match (word("id"), word("secret")) {
            (Some(id), Some(secret)) => Session::Back { id, secret },
            _ => Session::New,
        });
        session["resumed"] != true
    }

    /// Whether there is a session to come back to.
    fn may_come_back(&self) -> bool {
        matches!(self.session, Some(Session::Back { .. }))
    }

    /// Whether more may be read: not while acks wait that nobody would remember, nor after what was wanted.
    fn may_read(&self) -> bool {
        !self.acks.is_full() && self.args.count.is_none_or(|count| self.got < count)
    }

    /// Takes in an event: whether anybody reads what we print.
    fn hear(&mut self, event: Event) -> Result<bool, Failure> {
        let (name, arg) = (event.name.clone(), event.first());
        if let Some(message) = Message::from_event(event) {
            self.got += 1;
            let goes_on = say::one_of_many(if self.args.json { shown::json(&message) } else { shown::text(&message) })?;
            if self.args.ack
                && message.wants_ack()
                && let Some(id) = message.id()
            {
                self.acks.add(Instant::now(), &message.topic, id);
            }
            return Ok(goes_on);
        }
        let goes_on = !self.args.json || say::one_of_many(shown::event(&name, &arg))?;
        if name == "error" {
            // One that ends it is said once, at the end.
            self.error(&arg)?;
        }
        if !self.args.json {
            say::aside(shown::aside(&name, &arg));
        }
        if name == "unsubscribed" {
            self.left.retain(|topic| arg["topic"] != *topic);
            if self.left.is_empty() {
                return Err(Failure::Other("the server ended every subscription".into()));
            }
        }
        Ok(goes_on)
    }

    fn error(&mut self, error: &Value) -> Result<(), Failure> {
        let code = error["code"].as_str().unwrap_or_default();
        let why = say::visible(&format!("{} ({code})", error["message"].as_str().unwrap_or("the server refuses")));
        if is_auth(code) {
            return Err(Failure::Auth(why));
        }
        // About a wish of ours: nothing of that topic will come. Anything else says why the connection is about to end.
        if let Some(topic) = error["topic"].as_str().filter(|topic| self.left.contains(topic)) {
            return Err(Failure::Other(format!("cannot subscribe to {}: {why}", say::visible(topic))));
        }
        self.last_words = Some(why);
        Ok(())
    }

    fn disconnected(&self) -> Failure {
        let why = self.last_words.as_deref().unwrap_or("it did not say why");
        Failure::Unreachable(format!("the server ended the connection: {why}"))
    }

    fn out_of_time(&self) -> Result<(), Failure> {
        match self.args.count {
            Some(count) if self.got < count => {
                Err(Failure::TimedOut(format!("{} of {count} messages came in time", self.got)))
            }
            _ => Ok(()),
        }
    }
}

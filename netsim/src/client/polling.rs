//! A session that polls: it receives on one connection and sends on another, as browsers do.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::http::{Answer, Http};
use super::talk::Talk;
use super::{Client, End, PATIENCE, Whim};
use crate::world::Phase;

/// Connects and stays until it ends.
pub(super) async fn visit(client: &Client) -> End {
    let mut session = match timeout(PATIENCE, Session::open()).await {
        Ok(Ok(session)) => session,
        Ok(Err(why)) => return End::Refused(why.to_string()),
        Err(_elapsed) => return End::Refused("no answer".into()),
    };
    let mut talk = Talk::begin(client);
    let (mut whim_at, mut whim) = client.whim();
    loop {
        let replies = talk.replies();
        if !replies.is_empty() {
            match timeout(PATIENCE, session.say(&replies.join(SEPARATOR))).await {
                Ok(Ok(answer)) if answer.status == 200 => {}
                Ok(Ok(answer)) => return End::Refused(format!("a post: {} {}", answer.status, answer.body)),
                Ok(Err(why)) => return End::Lost(why.kind()),
                Err(_elapsed) => return End::Silence,
            }
        }
        if client.is_moody() && Instant::now() >= whim_at {
            client.say(&format!("{whim:?}"));
            match whim {
                Whim::Stall(lasts) => sleep(lasts).await,
                Whim::HangUp => return End::HungUp,
                Whim::Goodbye => {
                    let _gone = timeout(PATIENCE, session.say("1")).await;
                    return End::HungUp;
                }
                Whim::Petrify => match client.petrify().await {},
            }
            (whim_at, whim) = client.whim();
        }
        tokio::select! {
            biased;
            () = client.world.reached(Phase::Farewell) => {
                if client.roll(0, 1) == 0 {
                    let goodbye = ["41/alerts,", "1"].join(SEPARATOR);
                    let _gone = timeout(PATIENCE, session.say(&goodbye)).await;
                }
                return End::Left;
            }
            polled = timeout(client.world.scene.silence() + LENIENCE, session.polls.get(&session.target, "")) => match polled {
                Ok(Ok(answer)) if answer.status == 200 => {
                    for packet in answer.body.split(SEPARATOR) {
                        if let Some(end) = talk.hear(packet) {
                            return end;
                        }
                    }
                }
                Ok(Ok(answer)) => return End::Refused(format!("a poll: {}", answer.status)),
                Ok(Err(why)) => return End::Lost(why.kind()),
                Err(_elapsed) => return End::Silence,
            }
        }
    }
}

struct Session {
    polls: Http,
    posts: Http,
    target: String,
}

impl Session {
    async fn open() -> io::Result<Self> {
        let mut polls = Http::dial().await?;
        let answer = polls.get(POLLING, "").await?;
        let sid = answer.body.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = sid.ok_or_else(|| io::Error::other(format!("status {}", answer.status)))?;
        let target = format!("{POLLING}&sid={sid}");
        Ok(Self { polls, posts: Http::dial().await?, target })
    }

    async fn say(&mut self, packets: &str) -> io::Result<Answer> {
        match self.posts.post(&self.target, packets).await {
            // The server may have ended a connection that was idle. What it has taken all the same does no harm twice.
            Err(_) => {
                self.posts = Http::dial().await?;
                self.posts.post(&self.target, packets).await
            }
            answered => answered,
        }
    }
}

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const SEPARATOR: &str = "\u{1e}";
/// A poll that waits is answered with a ping at the latest, and that takes its time.
const LENIENCE: Duration = Duration::from_millis(500);

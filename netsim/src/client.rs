//! A client of Socket.IO, by hand: what it remembers, what it does by whim, and what it checks.

mod http;
mod polling;
mod talk;
mod websocket;

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};
use turmoil::net::TcpStream;

use crate::scene::{PORT, Role, SERVER, Temper, Way, dice};
use crate::server::{ALERT, TICK};
use crate::track::Track;
use crate::world::{Phase, World};

/// One client. It outlives its host, as what a browser stores outlives its process.
pub(crate) struct Client {
    role: Role,
    world: Rc<World>,
    dice: RefCell<StdRng>,
    memory: RefCell<Memory>,
}

/// What a client knows when it comes back.
#[derive(Default)]
struct Memory {
    /// The session it may come back to: what the server calls it, its secret, and its name.
    ticket: Option<Ticket>,
    /// The alerts of that session, or of this connection where it has none.
    alerts: Track,
    /// The ticks of this connection.
    ticks: Track,
}

#[derive(Clone)]
struct Ticket {
    id: String,
    secret: String,
}

impl Ticket {
    /// The client's own name, as the server has it.
    fn client(&self) -> &str {
        self.id.split_once('.').map_or("", |(_shard, client)| client)
    }
}

/// How a connection ended.
#[derive(PartialEq)]
enum End {
    /// It could not be had.
    Refused(String),
    /// The server ended it, or the network.
    Lost(io::ErrorKind),
    /// Nothing was heard for too long.
    Silence,
    /// The server said goodbye.
    Dismissed(String),
    /// By whim.
    HungUp,
    /// The run is over.
    Left,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "is refused: {why}"),
            Self::Lost(why) => write!(f, "has lost its connection: {why}"),
            Self::Silence => f.write_str("hears nothing and gives up"),
            Self::Dismissed(packet) => write!(f, "is dismissed: {packet}"),
            Self::HungUp => f.write_str("hangs up"),
            Self::Left => f.write_str("leaves"),
        }
    }
}

/// What a client does for no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whim {
    /// Reads nothing for so long.
    Stall(Duration),
    /// Drops its sockets.
    HangUp,
    /// Says goodbye to the Engine.IO session.
    Goodbye,
    /// Reads nothing any more.
    Petrify,
}

impl Client {
    pub(crate) fn new(role: Role, world: &Rc<World>) -> Rc<Self> {
        let of = role.name.bytes().fold(1_000, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        Rc::new(Self {
            dice: RefCell::new(dice(world.scene.seed, of)),
            role,
            world: world.clone(),
            memory: RefCell::default(),
        })
    }

    /// Connects, again and again, until the run is over.
    pub(crate) async fn live(self: Rc<Self>) {
        while self.world.phase() < Phase::Farewell {
            let end = match self.role.way {
                Way::WebSocket => websocket::visit(&self).await,
                Way::Polling => polling::visit(&self).await,
            };
            self.say(&end.to_string());
            self.world.log.count("connections of clients", 1);
            if self.role.temper == Temper::Calm && end != End::Left {
                self.fail(format!("nothing befell it, and it {end}"));
            }
            let pause = self.roll(50, 1_000);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// What it was promised and has not got.
    pub(crate) fn owed(&self) -> Option<String> {
        if self.role.temper == Temper::Statue {
            return None;
        }
        let (memory, name) = (self.memory.borrow(), &self.role.name);
        let mut books = self.world.books();
        if self.role.is_retained {
            let Some(ticket) = &memory.ticket else { return Some(format!("{name} has no session")) };
            let given_up: Vec<u64> = {
                let published = books.published(ALERT).keys().copied().collect::<Vec<_>>();
                published.into_iter().filter(|offset| books.is_given_up(ticket.client(), *offset)).collect()
            };
            let missing = memory.alerts.missing(books.published(ALERT), u64::MAX, |offset| given_up.contains(&offset));
            if let Some(offset) = missing {
                return Some(format!("{name} ({}) lacks alert {offset}, and nobody has said why", ticket.client()));
            }
        }
        if self.role.temper == Temper::Calm {
            let missing = memory.ticks.missing(books.published(TICK), u64::MAX, |_| false);
            return missing.map(|offset| format!("{name} lacks tick {offset}, and nobody has said why"));
        }
        None
    }

    /// The next thing it does for no reason, and when.
    fn whim(&self) -> (Instant, Whim) {
        let now = Instant::now();
        let (least, most) = match self.role.temper {
            Temper::Calm => (u64::MAX >> 24, u64::MAX >> 24),
            Temper::Moody => (1_000, 8_000),
            Temper::Statue => (1_000, 6_000),
        };
        let at = now + Duration::from_millis(self.roll(least, most));
        let whim = match (self.role.temper, self.roll(0, 9)) {
            (Temper::Statue, _) => Whim::Petrify,
            (_, 0..=3) => Whim::Stall(Duration::from_millis(self.roll(200, 3_000))),
            (_, 4 | 5) => Whim::Stall(Duration::from_millis(self.roll(4_000, 9_000))),
            (_, 6 | 7) => Whim::HangUp,
            _ => Whim::Goodbye,
        };
        (at, whim)
    }

    /// Whether it has whims now.
    fn is_moody(&self) -> bool {
        self.role.temper == Temper::Statue || (self.role.temper == Temper::Moody && self.world.phase() == Phase::Storm)
    }

    /// Reads nothing, for ever, and keeps what it has open.
    async fn petrify(&self) -> Infallible {
        self.say("reads no more");
        std::future::pending().await
    }

    fn roll(&self, least: u64, most: u64) -> u64 {
        self.dice.borrow_mut().random_range(least..=most)
    }

    fn say(&self, what: &str) {
        self.world.log.say(&self.role.name, what);
    }

    fn fail(&self, what: String) {
        self.world.log.fail(format!("{}: {what}", self.role.name));
    }
}

/// A connection to the server.
async fn dial() -> io::Result<TcpStream> {
    TcpStream::connect((SERVER, PORT)).await
}

/// How long a client tries to connect, or to send something.
const PATIENCE: Duration = Duration::from_secs(3);

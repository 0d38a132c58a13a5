//! `streamfence top`: a server at a glance, in a terminal, as it changes.

mod frame;
mod view;

use std::io::IsTerminal as _;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::{mpsc, watch};

use crate::clients::Sort;
use crate::exit::Failure;
use crate::remote::{OperatorArgs, run as run_remote, seconds};
use crate::say;
use frame::Frame;
use view::View;

#[derive(Debug, clap::Args)]
pub(crate) struct TopArgs {
    /// The clients with the most of it come first
    #[arg(long, value_name = "BY", default_value = "depth")]
    sort: Sort,
    /// Look every so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "1")]
    interval: Duration,
    /// Print what there is to see once, and end; needs no terminal
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

pub(crate) fn run(args: &TopArgs) -> Result<(), Failure> {
    if args.once {
        let mut api = args.operator.api()?;
        let frame = run_remote(Frame::look(&mut api, args.sort))?;
        return if args.operator.json { say::line(frame.json()) } else { say::line(frame.text().trim_end()) };
    }
    if args.operator.json {
        return Err(Failure::Usage("--json prints one frame; wanted --once with it".into()));
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Failure::Usage("top wants a terminal to draw on; --once prints one frame without".into()));
    }
    run_remote(top(args))
}

async fn top(args: &TopArgs) -> Result<(), Failure> {
    let (sort, sorted) = watch::channel(args.sort);
    // Whoever cannot be reached at all is told of where it can be read.
    let first = Frame::look(&mut args.operator.api()?, args.sort).await?;
    let (sender, mut frames) = mpsc::channel(1);
    tokio::spawn(look(args.operator.api()?, args.interval, sorted, sender));
    let mut screen = Screen::open()?;
    let mut keys = keys();
    let mut view = View::new(args.operator.target(), std::env::var_os("NO_COLOR").is_none(), first);
    loop {
        screen.draw(&view, *sort.borrow())?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(Key::Sort) => {
                    sort.send_modify(|sort| *sort = sort.next());
                }
                Some(Key::Redraw) => {}
                Some(Key::Quit) | None => return Ok(()),
                // The terminal makes no signal of it while we draw.
                Some(Key::Interrupt) => return Err(Failure::Interrupted("interrupted".into())),
            },
            Some(looked) = frames.recv() => view.take(looked),
        }
    }
}

/// Looks again and again, and at once when it is to be sorted otherwise.
async fn look(
    mut api: streamfence_client::Api,
    interval: Duration,
    mut sorted: watch::Receiver<Sort>,
    frames: mpsc::Sender<Result<Frame, Failure>>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            changed = sorted.changed() => if changed.is_err() {
                return;
            }
        }
        let sort = *sorted.borrow_and_update();
        if frames.send(Frame::look(&mut api, sort).await).await.is_err() {
            return;
        }
    }
}

enum Key {
    Quit,
    Interrupt,
    Sort,
    Redraw,
}

/// Keys, from a thread: reading them cannot be interrupted, and we can.
fn keys() -> mpsc::Receiver<Key> {
    let (sender, keys) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let key = match event {
                Event::Key(key) if key.kind == KeyEventKind::Release => continue,
                Event::Key(key) => match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
                    KeyCode::Char('s') => Key::Sort,
                    _ => continue,
                },
                Event::Resize(..) => Key::Redraw,
                _ => continue,
            };
            if sender.blocking_send(key).is_err() {
                return;
            }
        }
    });
    keys
}

/// The terminal, which is given back as it was, however we end.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> Result<Self, Failure> {
        ratatui::try_init().map(Self).map_err(|why| Failure::Other(format!("cannot draw on the terminal: {why}")))
    }

    fn draw(&mut self, view: &View, sort: Sort) -> Result<(), Failure> {
        let drawn = self.0.draw(|frame| view.draw(frame, sort));
        drawn.map(|_| ()).map_err(|why| Failure::Other(format!("cannot draw on the terminal: {why}")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

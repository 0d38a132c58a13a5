//! A frame, as it is drawn.

use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::frame::Frame;
use crate::clients::Sort;
use crate::exit::Failure;

/// What is on the screen.
pub(super) struct View {
    target: String,
    has_colour: bool,
    frame: Frame,
    /// What has happened a second since the frame before.
    rates: String,
    /// Why there is no newer frame.
    trouble: Option<String>,
}

/// What a rate is shown of, and under which name.
const RATES: [(&str, &str); 5] = [
    ("published", "published"),
    ("delivered", "delivered"),
    ("displaced", "displaced"),
    ("rejected", "rejected"),
    ("retries", "retries"),
];

/// What a narrow screen does without, the first of them first.
const DISPENSABLE_OF_TOPICS: [&str; 9] =
    ["DEAD", "RETRIES", "COALESCED", "SPILLED", "OVERFLOW", "OLDEST", "QUEUED", "CLIENTS", "REJECTED"];

/// The same of clients: who it is, what waits, what is lost, how fast it is and why it is slow remain.
const DISPENSABLE_OF_CLIENTS: [&str; 5] = ["LANES", "BYTES", "OLDEST", "PRINCIPAL", "NAMESPACE"];

impl View {
    pub(super) fn new(target: String, has_colour: bool, frame: Frame) -> Self {
        Self { target, has_colour, frame, rates: String::new(), trouble: None }
    }

    /// Takes what came of another look.
    pub(super) fn take(&mut self, looked: Result<Frame, Failure>) {
        match looked {
            Ok(frame) => {
                self.rates = rates(&self.frame, &frame);
                self.frame = frame;
                self.trouble = None;
            }
            Err(why) => self.trouble = Some(why.why().to_owned()),
        }
    }

    pub(super) fn draw(&self, frame: &mut ratatui::Frame<'_>, sort: Sort) {
        let width = usize::from(frame.area().width);
        let topics = self.frame.topics().narrowed(width, &DISPENSABLE_OF_TOPICS).to_string();
        let topic_lines = u16::try_from(topics.lines().count()).unwrap_or(u16::MAX);
        let [head, above, clients, foot] = Layout::vertical([
            Constraint::Length(3),
            // The clients have half of the screen, at least.
            Constraint::Length((topic_lines + 1).min(frame.area().height / 2)),
            Constraint::Fill(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let second = match &self.trouble {
            Some(why) => self.alarm(Line::from(why.clone())),
            None => Line::from(self.rates.clone()),
        };
        let title = Line::from(format!("{} {}", self.target, self.frame.head())).bold();
        frame.render_widget(Paragraph::new(vec![title, second]), head);
        frame.render_widget(self.table(&topics), above);
        let shown = self.frame.clients().narrowed(width, &DISPENSABLE_OF_CLIENTS).to_string();
        frame.render_widget(self.table(&shown), clients);
        let foot_text = format!("q quit   s sort, by {} now", sort.word());
        frame.render_widget(Paragraph::new(Line::from(foot_text).dim()), foot);
    }

    fn table(&self, text: &str) -> Paragraph<'static> {
        let lines = text.lines().enumerate().map(|(number, text)| {
            let line = Line::from(text.to_owned());
            if number == 0 {
                line.reversed()
            } else if text.rsplit("  ").next().is_some_and(|state| state.starts_with("slow")) {
                self.alarm(line)
            } else {
                line
            }
        });
        Paragraph::new(lines.collect::<Vec<_>>())
    }

    fn alarm(&self, line: Line<'static>) -> Line<'static> {
        if self.has_colour { line.style(Style::new().fg(Color::Red)) } else { line.bold() }
    }
}

/// What has happened a second between two frames.
fn rates(before: &Frame, after: &Frame) -> String {
    let seconds = after.at.duration_since(before.at).as_secs_f64().max(0.001);
    let words = RATES.map(|(key, name)| {
        let count = |frame: &Frame| frame.info["totals"][key].as_u64().unwrap_or_default();
        // A server that was started again counts from zero.
        format!("{:.0} {name}/s", count(after).saturating_sub(count(before)) as f64 / seconds)
    });
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::{Value, json};
    use streamfence_core::ClientOrder;

    use super::*;

    fn frame(delivered: u64) -> Frame {
        Frame::of(
            json!({"version": "1.2.3", "state": "running", "uptimeMs": 65_000, "generation": 1, "connections": 2,
                "sessions": 2, "lanes": 2, "memory": {"usedBytes": 1_024, "budgetBytes": 4_096},
                "totals": {"delivered": delivered}}),
            json!({"topics": [{"namespace": "/feed", "topic": "tick", "subscribers": 2, "totals": {}}]}),
            json!({"clients": [{"id": "aaa", "slow": true, "depth": 9}, {"id": "bbb", "depth": 0}], "total": 2}),
        )
    }

    fn drawn(view: &View) -> (String, Terminal<TestBackend>) {
        let mut terminal = Terminal::new(TestBackend::new(160, 12)).expect("a test can draw");
        terminal.draw(|frame| view.draw(frame, Sort(ClientOrder::Depth))).expect("a test can draw");
        (terminal.backend().to_string(), terminal)
    }

    #[test]
    fn a_frame_is_drawn_with_its_slow_clients_in_red() {
        let mut view = View::new("http://a".into(), true, frame(0));
        let mut next = frame(50);
        next.at = view.frame.at + std::time::Duration::from_secs(5);
        view.take(Ok(next));
        let (text, terminal) = drawn(&view);
        for wanted in
            ["http://a 1.2.3 running, up 1 min 5 s", "1.0 KiB of 4.0 KiB", "10 delivered/s", "tick", "by depth now"]
        {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        let red = |terminal: &Terminal<TestBackend>| -> String {
            let cells = terminal.backend().buffer().content().iter();
            cells.filter(|cell| cell.fg == Color::Red).map(ratatui::buffer::Cell::symbol).collect()
        };
        assert!(red(&terminal).starts_with("aaa") && !red(&terminal).contains("bbb"), "{text}");
        view.has_colour = false;
        assert_eq!(red(&drawn(&view).1), "");
    }

    #[test]
    fn a_narrow_screen_shows_what_matters_most() {
        let topic = json!({"namespace": "/market-data", "topic": "ticker.prices", "overflow": "COALESCE_BY_KEY",
            "subscribers": 10_000, "queued": 123_456, "depthMax": 1_024, "oldestMs": 65_000, "deadLetters": 0,
            "totals": {"delivered": 123_456_789, "displaced": 654_321, "coalesced": 123_456, "rejected": 0,
                "spilled": 0, "retries": 0}});
        let client = json!({"id": "0123456789ABCDEF", "namespace": "/market-data", "principal": "somebody@example.org",
            "lanes": 12, "depth": 1_024, "bytes": 1_048_576, "oldestMs": 65_000, "dropped": 7_654_321,
            "deliveredPerSecond": 1_234.5, "slow": true, "reason": "blocked"});
        let mut wide = frame(0);
        wide = Frame::of(wide.info.take(), json!({"topics": [topic]}), json!({"clients": [client], "total": 1}));
        let view = View::new("http://a".into(), true, wide);
        let screen = |width| {
            let mut terminal = Terminal::new(TestBackend::new(width, 12)).expect("a test can draw");
            terminal.draw(|frame| view.draw(frame, Sort(ClientOrder::Depth))).expect("a test can draw");
            terminal.backend().to_string()
        };
        let narrow = screen(80);
        for wanted in ["DEPTH", "DROPPED", "RATE", "STATE", "7654321", "slow: blocked", "DISPLACED", "654321"] {
            assert!(narrow.contains(wanted), "{wanted}\n{narrow}");
        }
        assert!(!narrow.contains("LANES") && !narrow.contains("DEAD"), "{narrow}");
        let whole = screen(200);
        assert!(whole.contains("LANES") && whole.contains("DEAD"), "{whole}");
    }

    #[test]
    fn trouble_is_said_and_the_last_frame_stays() {
        let mut view = View::new("http://a".into(), true, frame(7));
        view.take(Err(Failure::Unreachable("cannot reach http://a".into())));
        let (text, _) = drawn(&view);
        assert!(text.contains("cannot reach http://a") && text.contains("tick"), "{text}");
        assert_eq!(Value::from(7), view.frame.info["totals"]["delivered"]);
    }
}

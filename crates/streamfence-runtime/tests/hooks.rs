//! What hooks forbid, and what they do not hold up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamfence_core::{Event, RefusalReason};
use streamfence_runtime::{Fence, Hooks, Listener, Namespace, Payload, PublishError, Veto};
use tokio::sync::mpsc;

fn feed() -> Namespace {
    Namespace::new("/feed").topic("tick")
}

fn number(number: u64) -> Payload {
    Payload::serialize(&number).expect("a number is JSON")
}

/// Forbids one value, panics at another, and counts what it is asked.
struct Picky {
    forbidden: &'static str,
    deadly: &'static str,
    asked: Arc<AtomicU64>,
}

impl Hooks for Picky {
    fn on_broadcast(&self, namespace: &str, topic: &str, payload: &Payload) -> Result<(), Veto> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!((namespace, topic), ("/feed", "tick"));
        assert_ne!(payload.json(), self.deadly);
        if payload.json() == self.forbidden { Err(Veto::new(format!("not {}", self.forbidden))) } else { Ok(()) }
    }
}

struct Refusals(mpsc::UnboundedSender<(RefusalReason, u64)>);

impl Listener for Refusals {
    fn on_event(&self, event: &Event) {
        if let Event::Refused { reason, count, .. } = event {
            let _nobody_listens = self.0.send((*reason, *count));
        }
    }
}

#[tokio::test]
async fn a_broadcast_is_asked_for_and_the_first_no_stands() {
    let asked = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
    let picky = |forbidden, index: usize| Picky { forbidden, deadly: "7", asked: Arc::clone(&asked[index]) };
    let (refusals, mut refused) = mpsc::unbounded_channel();
    let fence =
        Fence::builder().namespace(feed()).hooks(picky("1", 0)).hooks(picky("2", 1)).listener(Refusals(refusals));
    let fence = fence.build().expect("the catalog is valid");
    let vetoed = |why: &str| Some(PublishError::Vetoed { why: Veto::new(why) });
    assert_eq!(fence.publish("/feed", "tick", number(1)).await.err(), vetoed("not 1"));
    assert_eq!(asked[1].load(Ordering::SeqCst), 0, "the second was not asked");
    assert_eq!(fence.try_publish("/feed", "tick", number(2)).err(), vetoed("not 2"));
    assert!(fence.publish("/feed", "tick", number(3)).await.is_ok());
    // One that panics has said no, and is asked again.
    assert_eq!(fence.publish("/feed", "tick", number(7)).await.err(), vetoed("a hook failed"));
    assert!(fence.publish("/feed", "tick", number(3)).await.is_ok());
    assert_eq!(refused.recv().await, Some((RefusalReason::Veto, 1)));
    let mut rest = [refused.recv().await, refused.recv().await];
    rest.sort_by_key(|told| told.map(|(reason, _)| reason.as_str()));
    assert_eq!(rest, [Some((RefusalReason::HookPanicked, 1)), Some((RefusalReason::Veto, 1))]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_no_flood_of_events() {
    let (refusals, mut refused) = mpsc::unbounded_channel();
    let fence = Fence::builder().namespace(feed()).listener(Refusals(refusals)).build().expect("the catalog is valid");
    for second in 0..3 {
        for _ in 0..1000 {
            fence.refused(RefusalReason::Rate, None);
        }
        fence.refused(RefusalReason::Origin, None);
        if second == 0 {
            assert_eq!(refused.recv().await, Some((RefusalReason::Rate, 1)));
            assert_eq!(refused.recv().await, Some((RefusalReason::Origin, 1)));
        }
        let mut told = vec![refused.recv().await.expect("it is told")];
        if second > 0 {
            told.push(refused.recv().await.expect("it is told"));
        }
        let rate = told.iter().find(|(reason, _)| *reason == RefusalReason::Rate);
        assert_eq!(rate.map(|(_, count)| *count), Some(if second == 0 { 999 } else { 1000 }));
    }
    // After a second of silence the next is told at once again.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let before = tokio::time::Instant::now();
    fence.refused(RefusalReason::Rate, None);
    assert_eq!(refused.recv().await, Some((RefusalReason::Rate, 1)));
    assert_eq!(before.elapsed().as_millis(), 0);
}

use std::future::Future;
use std::pin::pin;

use tokio::time::timeout;

use super::*;

/// What comes of something that should not have to wait for long; time is the test's.
async fn within(limit: Duration, what: impl Future<Output = OwnedSemaphorePermit>) -> Option<OwnedSemaphorePermit> {
    timeout(limit, what).await.ok()
}

/// Whether it was told to give way.
async fn is_displaced(handshake: Handshake) -> bool {
    timeout(Duration::from_millis(1), handshake.displaced()).await.is_ok()
}

async fn begin(handshakes: &mut Handshakes) -> Handshake {
    let place = handshakes.place().await;
    handshakes.begin(place)
}

#[tokio::test(start_paused = true)]
async fn a_place_that_comes_free_is_taken_and_nobody_gives_way() {
    let mut handshakes = Handshakes::new(2);
    let (first, second) = (begin(&mut handshakes).await, begin(&mut handshakes).await);
    assert!(within(FAIR_TIME / 2, handshakes.place()).await.is_none(), "both places are taken");
    drop(second);
    let started = Instant::now();
    let _third = begin(&mut handshakes).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(!is_displaced(first).await);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_gives_way_once_it_has_had_its_time() {
    let mut handshakes = Handshakes::new(2);
    let started = Instant::now();
    let first = begin(&mut handshakes).await;
    tokio::time::advance(FAIR_TIME / 2).await;
    let second = begin(&mut handshakes).await;
    let gives_way = tokio::spawn(async move {
        first.displaced().await;
        started.elapsed()
    });
    let _third = begin(&mut handshakes).await;
    // The clock of tokio's timers counts milliseconds.
    let gave_way_after = gives_way.await.expect("it was told to");
    assert!((FAIR_TIME..FAIR_TIME + Duration::from_millis(2)).contains(&gave_way_after), "{gave_way_after:?}");
    assert!(!is_displaced(second).await, "it has not had its time");
}

#[tokio::test(start_paused = true)]
async fn where_handshakes_are_finished_however_old_nobody_gives_way() {
    let mut handshakes = Handshakes::new(3);
    let slow = begin(&mut handshakes).await;
    let mut going: VecDeque<_> = [begin(&mut handshakes).await, begin(&mut handshakes).await].into();
    tokio::time::advance(10 * FAIR_TIME).await;
    for _ in 0..100 {
        let place = {
            let mut place = pin!(handshakes.place());
            assert!(within(TURN / 2, place.as_mut()).await.is_none());
            drop(going.pop_front());
            within(TURN, place).await.expect("a place came free")
        };
        going.push_back(handshakes.begin(place));
    }
    assert!(!is_displaced(slow).await);
}

#[tokio::test(start_paused = true)]
async fn those_that_are_over_are_forgotten_behind_one_that_lasts() {
    let mut handshakes = Handshakes::new(4);
    let _lasting = begin(&mut handshakes).await;
    for _ in 0..1_000 {
        drop(begin(&mut handshakes).await);
        assert!(handshakes.going.len() <= 8, "{}", handshakes.going.len());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_may_be_given_up_and_begun_again() {
    let mut handshakes = Handshakes::new(1);
    let first = begin(&mut handshakes).await;
    for _ in 0..10 {
        assert!(within(TURN / 2, handshakes.place()).await.is_none());
    }
    drop(first);
    assert!(within(TURN, handshakes.place()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn more_and_fewer_may_go_on_while_some_do() {
    let mut handshakes = Handshakes::new(1);
    let first = begin(&mut handshakes).await;
    handshakes.allow(3);
    let started = Instant::now();
    let (second, third) = (begin(&mut handshakes).await, begin(&mut handshakes).await);
    assert_eq!(started.elapsed(), Duration::ZERO);
    handshakes.allow(1);
    tokio::task::yield_now().await;
    drop((first, second));
    assert!(within(FAIR_TIME / 2, handshakes.place()).await.is_none(), "one of one goes on");
    drop(third);
    assert!(within(FAIR_TIME / 2, handshakes.place()).await.is_some());
}

use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::sync::oneshot;

use super::*;
use crate::keys::Keys;

fn caller() -> Caller {
    Caller::unasked(&Keys::none())
}

fn name(memory: &Idempotency, key: &str, request: &str) -> Option<Name> {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, HeaderValue::from_str(key).expect("it is a header"));
    memory.name(&caller(), &headers, None, request).expect("it is a key")
}

fn done(number: u32) -> Answer {
    Answer::done(StatusCode::ACCEPTED, &json!({"number": number}))
}

/// Asks, and says what the answer is, whether it is an old one, and how often it was worked on.
async fn ask(memory: &Idempotency, key: &str, request: &str, times: &Arc<AtomicU32>) -> (String, bool) {
    let times = times.clone();
    let work = async move { done(times.fetch_add(1, Ordering::SeqCst) + 1) };
    let (answer, is_old) = memory.answer(name(memory, key, request), work).await;
    (String::from_utf8(answer.entry()).expect("it is text"), is_old)
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_answered_again_for_five_minutes_and_to_the_same_request_alone() {
    let (memory, times) = (Idempotency::default(), Arc::new(AtomicU32::new(0)));
    assert_eq!(ask(&memory, "a", "x", &times).await, (r#"{"status":202,"number":1}"#.to_owned(), false));
    tokio::time::advance(Duration::from_secs(299)).await;
    assert_eq!(ask(&memory, "a", "x", &times).await, (r#"{"status":202,"number":1}"#.to_owned(), true));
    let (conflict, is_old) = ask(&memory, "a", "y", &times).await;
    assert!(conflict.contains("IDEMPOTENCY_CONFLICT") && !is_old, "{conflict}");
    assert_eq!(ask(&memory, "b", "x", &times).await, (r#"{"status":202,"number":2}"#.to_owned(), false));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(ask(&memory, "a", "y", &times).await, (r#"{"status":202,"number":3}"#.to_owned(), false));
    assert_eq!(memory.lock().requests.len(), 2, "what is forgotten takes no memory");
}

#[tokio::test]
async fn while_the_first_is_carried_out_the_second_is_told_so_and_hanging_up_changes_nothing() {
    let memory = Idempotency::default();
    let (release, released) = oneshot::channel::<()>();
    let work = async move {
        released.await.expect("it is released");
        done(1)
    };
    let first = tokio::spawn({
        let (memory, name) = (memory.clone(), name(&memory, "a", "x"));
        async move { memory.answer(name, work).await.1 }
    });
    let times = Arc::new(AtomicU32::new(0));
    while memory.lock().requests.is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(ask(&memory, "a", "x", &times).await.0.contains("IDEMPOTENCY_IN_FLIGHT"));
    first.abort();
    assert!(first.await.is_err_and(|why| why.is_cancelled()));
    assert!(ask(&memory, "a", "x", &times).await.0.contains("IDEMPOTENCY_IN_FLIGHT"));
    release.send(()).expect("somebody waits");
    while memory.lock().answered.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&memory, "a", "x", &times).await, (r#"{"status":202,"number":1}"#.to_owned(), true));
    assert_eq!(times.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_reached_nobody_may_be_tried_again() {
    let (memory, times) = (Idempotency::default(), Arc::new(AtomicU32::new(0)));
    for code in [Code::BadRequest, Code::ShuttingDown, Code::UnknownTopic] {
        let work = async move { Problem::new(code, "why").into() };
        assert!(!memory.answer(name(&memory, "a", "x"), work).await.1);
    }
    let broken = async { panic!("of all things") };
    let (answer, _) = memory.answer(name(&memory, "a", "x"), broken).await;
    assert!(String::from_utf8_lossy(&answer.entry()).contains("INTERNAL"));
    assert_eq!(ask(&memory, "a", "x", &times).await, (r#"{"status":202,"number":1}"#.to_owned(), false));
    let full = async { Problem::new(Code::QueueFull, "why").into() };
    assert!(!memory.answer(name(&memory, "b", "x"), full).await.1);
    let (kept, is_old) = ask(&memory, "b", "x", &times).await;
    assert!(kept.contains("QUEUE_FULL") && is_old, "the others have it");
}

#[tokio::test]
async fn the_memory_it_takes_has_an_end() {
    let memory = Idempotency::default();
    let large = json!("x".repeat(MOST_BYTES / 4));
    for number in 0..6 {
        let large = large.clone();
        let work = async move { Answer::done(StatusCode::OK, &large) };
        memory.answer(name(&memory, &number.to_string(), "x"), work).await;
    }
    assert!(memory.lock().bytes <= MOST_BYTES);
    let held: Vec<_> = memory.lock().answered.iter().map(|(_, key)| key.1.to_string()).collect();
    assert_eq!(held, ["3", "4", "5"]);
    for number in 0..MOST_KEYS - 3 {
        let key = (None, number.to_string().as_str().into());
        let request = Request { fingerprint: 0, answer: Some(done(1)) };
        if !memory.lock().requests.contains_key(&key) {
            memory.lock().insert(key, request);
        }
    }
    while memory.lock().requests.len() < MOST_KEYS {
        let key = (None, format!("more {}", memory.lock().requests.len()).as_str().into());
        memory.lock().insert(key, Request { fingerprint: 0, answer: Some(done(1)) });
    }
    let times = Arc::new(AtomicU32::new(0));
    assert!(ask(&memory, "one too many", "x", &times).await.0.contains("LIMIT_EXCEEDED"));
    assert!(ask(&memory, "5", "x", &times).await.1);
}

#[test]
fn a_header_and_an_id_are_the_same_name() {
    let memory = Idempotency::default();
    let named = |header: &str, id: Option<&str>| {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert(HEADER, HeaderValue::from_str(header).expect("it is a header"));
        }
        let name = memory.name(&caller(), &headers, id, "x").map_err(|problem| problem.code())?;
        Ok(name.map(|name| name.key.1.to_string()))
    };
    assert_eq!(named("", None), Ok(None));
    for (header, id) in [("a", None), ("", Some("a")), ("a", Some("a"))] {
        assert_eq!(named(header, id), Ok(Some("a".to_owned())));
    }
    let long = "x".repeat(256);
    for (header, id) in [("a", Some("b")), ("", Some("")), ("", Some(long.as_str())), ("é", None)] {
        assert_eq!(named(header, id), Err("BAD_REQUEST"), "{header} {id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_very_many_names_leaves_some_to_the_others() {
    let (memory, times) = (Idempotency::default(), Arc::new(AtomicU32::new(0)));
    let ask = async |caller: &str, word: &str| {
        let (name, times) = (Name { key: (Some(caller.into()), word.into()), fingerprint: 0 }, times.clone());
        let work = async move { done(times.fetch_add(1, Ordering::SeqCst)) };
        String::from_utf8(memory.answer(Some(name), work).await.0.entry()).expect("it is text")
    };
    for number in 0..MOST_KEYS_OF_ONE {
        assert!(ask("greedy", &number.to_string()).await.contains("202"), "{number}");
    }
    assert!(ask("greedy", "one too many").await.contains("LIMIT_EXCEEDED"));
    assert!(ask("greedy", "0").await.contains(r#""number":0"#), "what is remembered is");
    assert!(ask("other", "0").await.contains("202"));
    tokio::time::advance(KEPT_FOR).await;
    assert!(ask("greedy", "a new one").await.contains("202"), "what is forgotten makes room");
    assert_eq!(memory.lock().of_callers, HashMap::from([(Some("greedy".into()), 1)]));
}

#[test]
fn two_names_that_differ_are_none() {
    let memory = Idempotency::default();
    for (second, is_taken) in [("a", true), ("b", false)] {
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("a"));
        headers.append(HEADER, HeaderValue::from_static(second));
        assert_eq!(memory.name(&caller(), &headers, None, "x").is_ok(), is_taken, "{second}");
    }
}

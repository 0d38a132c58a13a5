//! Several messages at once.

use axum::http::StatusCode;
use serde_json::{Value, json};
use streamfence_runtime::memory::MemoryClient;

use crate::common::{fence, post, routes, stuck, tick};

const BATCH: &str = "/v1/publish/batch";

fn batch(messages: &[Value]) -> String {
    json!({"messages": messages}).to_string()
}

#[tokio::test]
async fn messages_are_published_in_order_and_each_has_its_answer() {
    let fence = fence();
    let routes = routes(&fence);
    let _stuck = stuck(&fence).await;
    let mut reader = MemoryClient::connect(&fence, "/alerts", 100);
    reader.subscribe("alert").await;
    let alert = |payload: u32| json!({"namespace": "/alerts", "topic": "alert", "payload": payload});
    let mut failing = tick(json!(2));
    failing["onFull"] = json!("fail");
    let mut waiting = tick(json!(3));
    waiting["wait"] = json!({"for": "acked", "timeoutMs": 1});
    let messages = [alert(1), tick(json!(1)), failing, json!({"topic": "tick"}), waiting, json!(7), alert(2), alert(3)];
    let answer = post(BATCH, "application/json", batch(&messages)).of(&routes).await;
    assert_eq!((answer.status, answer.kind()), (StatusCode::OK, "application/json"));
    let results = answer.body["results"].as_array().expect("a list");
    let seen: Vec<_> = results.iter().map(|result| (&result["status"], &result["code"])).collect();
    let (fine, none) = (json!(202), Value::Null);
    let (full, bad) = (json!("QUEUE_FULL"), json!("BAD_REQUEST"));
    let (many, wrong) = (json!(429), json!(400));
    let wanted = [
        (&fine, &none),
        (&fine, &none),
        (&many, &full),
        (&wrong, &bad),
        (&wrong, &bad),
        (&wrong, &bad),
        (&fine, &none),
        (&fine, &none),
    ];
    assert_eq!(seen, wanted, "{}", answer.body);
    assert_eq!((&results[1]["admitted"], &results[2]["report"]["rejected"]), (&json!(1), &json!(1)));
    for (payload, place) in [("1", 0), ("2", 6), ("3", 7)] {
        let heard = reader.recv().await;
        assert_eq!((heard.text(), Some(heard.id.to_string().as_str())), (payload, results[place]["id"].as_str()));
    }
    assert_eq!(post(BATCH, "application/json", batch(&[])).of(&routes).await.body, json!({"results": []}));
}

#[tokio::test]
async fn a_batch_has_an_end() {
    let routes = routes(&fence());
    let most = vec![tick(json!(1)); 1_000];
    let answer = post(BATCH, "application/json", batch(&most)).of(&routes).await;
    assert_eq!(answer.body["results"].as_array().map(Vec::len), Some(1_000));
    let more = vec![tick(json!(1)); 1_001];
    let answer = post(BATCH, "application/json", batch(&more)).of(&routes).await;
    assert_eq!(
        (answer.status, &answer.body["detail"]),
        (StatusCode::BAD_REQUEST, &json!("messages are 1001; wanted at most 1000"))
    );
    let large = batch(&[tick(json!("x".repeat(3 << 20)))]);
    assert_eq!(post(BATCH, "application/json", large.clone()).of(&routes).await.status, StatusCode::OK);
    let larger = batch(&[tick(json!("x".repeat(4 << 20)))]);
    let found = larger.len();
    let refused = post(BATCH, "application/json", larger).of(&routes).await;
    assert_eq!(refused.code(), "PAYLOAD_TOO_LARGE");
    assert_eq!(refused.body["detail"], format!("the body has {found} bytes; wanted at most 4194304"));
    assert_eq!(post("/v1/publish", "application/json", large).of(&routes).await.code(), "PAYLOAD_TOO_LARGE");
}

//! The dashboard as a browser gets it: what guards it, what is kept of it, and that it is open where the API is not.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use streamfence_http::{Api, KeyHolder, Keys, Scope, router};
use streamfence_runtime::{Fence, Namespace};
use tower::ServiceExt;

fn api() -> Api {
    let fence = Fence::builder().namespace(Namespace::new("/feed").topic("tick")).build().expect("it is sound");
    Api::new(fence, String::new)
}

async fn get(routes: &Router, path: &str, known: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::get(path).header("host", "localhost");
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = routes.clone().oneshot(request).await.expect("it answers");
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("it is small");
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).expect("it is text"))
}

#[tokio::test]
async fn every_file_is_guarded_and_of_its_kind() {
    let routes = router(api());
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/dashboard/main.js", "text/javascript; charset=utf-8"),
        ("/dashboard/style.css", "text/css; charset=utf-8"),
        ("/dashboard/icon.svg", "image/svg+xml"),
    ] {
        let (status, headers, body) = get(&routes, path, None).await;
        assert_eq!((status, headers["content-type"].as_bytes()), (StatusCode::OK, kind.as_bytes()), "{path}");
        assert!(!body.is_empty(), "{path}");
        let policy = headers["content-security-policy"].to_str().expect("it is text");
        for wanted in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "connect-src 'self';",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(wanted), "{path}: {wanted} is not in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "no-cache");
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let routes = router(api());
    let (_, headers, _) = get(&routes, "/dashboard/main.js", None).await;
    let etag = headers["etag"].to_str().expect("it is text").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}")] {
        let (status, headers, body) = get(&routes, "/dashboard/main.js", Some(&known)).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(headers["etag"], etag);
    }
    assert_eq!(get(&routes, "/dashboard/main.js", Some("\"other\"")).await.0, StatusCode::OK);
    let (_, other, _) = get(&routes, "/dashboard/dom.js", None).await;
    assert_ne!(other["etag"], headers["etag"]);
}

#[tokio::test]
async fn there_is_nothing_else() {
    let routes = router(api());
    for path in ["/dashboard/nothing.js", "/dashboard/..%2Fapi.rs", "/dashboard/", "/index.html"] {
        let (status, _, body) = get(&routes, path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(body.contains("NOT_FOUND"), "{path}: {body}");
    }
}

#[tokio::test]
async fn the_page_needs_no_key_and_what_it_shows_does() {
    let keys = Keys::new([KeyHolder::new("ops", [Scope::Read]).key("a-key-of-the-tests")]).expect("they are sound");
    let routes = router(api().keys(keys));
    assert_eq!(get(&routes, "/", None).await.0, StatusCode::OK);
    assert_eq!(get(&routes, "/dashboard/main.js", None).await.0, StatusCode::OK);
    assert_eq!(get(&routes, "/admin/v1/history", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_application_that_keeps_no_history_has_none() {
    let (status, _, body) = get(&router(api()), "/admin/v1/history", None).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"intervalMs":1000,"samples":[]}"#));
}

#[tokio::test]
async fn a_history_that_is_kept_begins_at_once() {
    let routes = router(api().keep_history());
    loop {
        let (_, _, body) = get(&routes, "/admin/v1/history", None).await;
        if body.contains("\"published\":0") {
            return;
        }
        tokio::task::yield_now().await;
    }
}

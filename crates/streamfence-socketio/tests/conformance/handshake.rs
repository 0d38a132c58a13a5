//! Engine.IO, "Handshake": how a session begins.

use serde_json::{Value, json};

use crate::client::polling::POLLING;
use crate::client::websocket::WEBSOCKET;
use crate::client::{Http, Polling, Socket};
use crate::target::{MAX_PAYLOAD, Target};

behaviours! {
    a_session_opens_by_polling;
    a_session_opens_by_websocket;
    each_session_has_an_id_of_its_own;
    the_path_may_be_written_with_or_without_its_slash;
    the_order_of_parameters_does_not_matter;
    polling_without_a_known_version_is_refused;
    polling_without_a_known_transport_is_refused;
    a_websocket_without_a_known_version_is_refused;
    a_websocket_without_a_known_transport_is_refused;
    a_session_opens_with_get_only;
}

/// "If the server accepts the connection, then it MUST respond with an open packet with the following JSON-encoded
/// payload": the keys `sid`, `upgrades`, `pingInterval`, `pingTimeout` and `maxPayload`.
async fn a_session_opens_by_polling(server: &Target) {
    let answer = Http::dial(server.address).await.get(POLLING).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let open = answer.body.strip_prefix('0').expect("an open packet");
    is_open_packet(server, serde_json::from_str(open).expect("JSON"), &json!(["websocket"]));
}

/// The same; and "upgrades: the list of available transport upgrades", of which a websocket has none.
async fn a_session_opens_by_websocket(server: &Target) {
    let (_socket, open) = Socket::open(server).await;
    is_open_packet(server, open, &json!([]));
}

fn is_open_packet(server: &Target, mut open: Value, upgrades: &Value) {
    let sid = open.as_object_mut().and_then(|open| open.remove("sid")).expect("a session id");
    assert!(sid.as_str().is_some_and(|sid| !sid.is_empty()), "{sid}");
    let (interval, timeout) = (server.tempo.ping_interval.as_millis(), server.tempo.ping_timeout.as_millis());
    let wanted = json!({
        "upgrades": upgrades,
        "pingInterval": interval,
        "pingTimeout": timeout,
        "maxPayload": MAX_PAYLOAD,
    });
    assert_eq!(open, wanted);
}

/// "sid: the session ID."
async fn each_session_has_an_id_of_its_own(server: &Target) {
    let first = Polling::open(server).await;
    let second = Polling::open(server).await;
    assert_ne!(first.sid, second.sid);
}

/// "It might be updated by libraries built on top of the protocol (for example, the Socket.IO protocol uses
/// `/socket.io/`)."
async fn the_path_may_be_written_with_or_without_its_slash(server: &Target) {
    let mut http = Http::dial(server.address).await;
    for path in ["/socket.io/?", "/socket.io?"] {
        assert_eq!(http.get(&POLLING.replace("/socket.io/?", path)).await.status, 200, "{path}");
    }
}

/// "The following query parameters are used", and others may stand beside them: clients add `t` against caches.
async fn the_order_of_parameters_does_not_matter(server: &Target) {
    let mut http = Http::dial(server.address).await;
    for query in ["transport=polling&EIO=4", "t=N8hyd6w&transport=polling&b64=1&EIO=4&x", "EIO=4&&transport=polling"] {
        assert_eq!(http.get(&format!("/socket.io/?{query}")).await.status, 200, "{query}");
    }
}

/// "If a mandatory query parameter is missing, then the server MUST respond with an HTTP 400 error status."
async fn polling_without_a_known_version_is_refused(server: &Target) {
    let mut http = Http::dial(server.address).await;
    for query in ["transport=polling", "EIO=&transport=polling", "EIO=abc&transport=polling", "EIO=5&transport=polling"]
    {
        assert_eq!(http.get(&format!("/socket.io/?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(http.get("/socket.io/").await.status, 400);
}

/// The same.
async fn polling_without_a_known_transport_is_refused(server: &Target) {
    let mut http = Http::dial(server.address).await;
    for query in ["EIO=4", "EIO=4&transport=", "EIO=4&transport=abc"] {
        assert_eq!(http.get(&format!("/socket.io/?{query}")).await.status, 400, "{query}");
    }
}

/// "If a mandatory query parameter is missing, then the server MUST close the WebSocket connection."
async fn a_websocket_without_a_known_version_is_refused(server: &Target) {
    for query in ["transport=websocket", "EIO=abc&transport=websocket", "EIO=5&transport=websocket"] {
        is_refused(server, &format!("/socket.io/?{query}")).await;
    }
}

/// The same.
async fn a_websocket_without_a_known_transport_is_refused(server: &Target) {
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        is_refused(server, &format!("/socket.io/?{query}")).await;
    }
}

/// Refused at once, or granted and closed without a word.
pub(crate) async fn is_refused(server: &Target, target: &str) {
    match Socket::dial(server, target).await {
        Ok(mut granted) => granted.is_closed().await,
        Err(status) => assert_eq!(status, 400, "{target}"),
    }
}

/// "To establish a connection, the client MUST send an HTTP GET request to the server."
async fn a_session_opens_with_get_only(server: &Target) {
    let mut http = Http::dial(server.address).await;
    for target in [POLLING, WEBSOCKET] {
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(http.request(method, target, "", b"").await.status, 400, "{method} {target}");
        }
    }
}

//! `GET /`: the dashboard, from files that are part of the binary. They hold no data and no secret; what they show they ask
//! the API for, as anybody would.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::api::Api;
use crate::problem::{Code, Problem};
use crate::process::ServerState;
use crate::route::Route;

/// A file of the dashboard.
struct File {
    name: &'static str,
    text: &'static str,
    etag: HeaderValue,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("dashboard/", $name)))),*]
    };
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = files![
        "index.html",
        "icon.svg",
        "style.css",
        "parts.css",
        "api.js",
        "chart.js",
        "choice.js",
        "client.js",
        "clients.js",
        "dialog.js",
        "dom.js",
        "figures.js",
        "format.js",
        "history.js",
        "letters.js",
        "main.js",
        "outcomes.js",
        "process.js",
        "publisher.js",
        "socket.js",
        "stream.js",
        "subscriber.js",
        "theme.js",
        "timeline.js",
        "topics.js",
        "tour.js",
    ];
    files.into_iter().map(|(name, text)| File { name, text, etag: etag(text) }).collect()
});

/// The page, and what it is made of. Nobody is asked for a key: it asks for one itself, where the API does.
pub(crate) fn routes() -> [Route; 2] {
    [
        Route::get("/", page, "The dashboard").answers_as::<String>(StatusCode::OK, "text/html", "The page."),
        Route::get("/dashboard/{file}", file, "A file of the dashboard")
            .path::<String>("file", "The name of the file.")
            .answers_as::<String>(StatusCode::OK, "text/*", "The file.")
            .fails([Code::NotFound]),
    ]
}

/// `GET /`: the page.
async fn page(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    serve("index.html", &api, &headers)
}

/// `GET /dashboard/{file}`: what it is made of.
async fn file(State(api): State<Api>, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    serve(&name, &api, &headers)
}

fn serve(name: &str, api: &Api, headers: &HeaderMap) -> Result<Response, Problem> {
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Problem::new(Code::NotFound, format!("the dashboard has no file {name:?}")))?;
    let guards: [(HeaderName, HeaderValue); 7] = [
        (CONTENT_SECURITY_POLICY, policy(&api.process.servers())),
        (ETAG, file.etag.clone()),
        // Kept, but asked after: another version of the server brings other files under the same names.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    if headers.get_all(IF_NONE_MATCH).iter().any(|known| names(known, &file.etag)) {
        return Ok((StatusCode::NOT_MODIFIED, guards).into_response());
    }
    Ok((guards, [(CONTENT_TYPE, kind(name))], file.text).into_response())
}

/// Scripts and styles of this page alone, and connections to this address and to the public servers, where the test
/// subscriber goes: by their ports, because their host is whatever a browser reaches them by.
fn policy(servers: &[ServerState]) -> HeaderValue {
    let mut connect = "'self'".to_owned();
    for server in servers {
        // A Unix socket has none, and no browser goes there.
        let Some(port) = server.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()) else {
            continue;
        };
        let scheme = if server.transport == "WSS" { "wss" } else { "ws" };
        connect.push_str(&format!(" {scheme}://*:{port}"));
    }
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {connect}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    HeaderValue::from_str(&policy).expect("words and numbers make a header")
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    }
}

/// Another text has another one, as far as 64 bits can tell.
fn etag(text: &str) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    HeaderValue::from_str(&format!("\"{:016x}\"", hasher.finish())).expect("hexadecimal digits make a header")
}

/// Whether what a browser has is this one.
fn names(known: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(known), Ok(etag)) = (known.to_str(), etag.to_str()) else { return false };
    known.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == etag || known == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(address: &str, transport: &'static str) -> ServerState {
        ServerState {
            name: "feed".into(),
            address: address.into(),
            transport,
            path: "/socket.io".into(),
            connections: 0,
            certificate_expires_at: None,
        }
    }

    #[test]
    fn the_page_may_go_to_the_servers_and_nowhere_else() {
        let servers =
            [server("0.0.0.0:3000", "WS"), server("[::1]:3443", "WSS"), server("unix:/run/public.sock", "WS")];
        let policy = policy(&servers);
        let policy = policy.to_str().expect("it is text");
        assert!(policy.contains("connect-src 'self' ws://*:3000 wss://*:3443; "), "{policy}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }

    #[test]
    fn every_file_that_lies_there_is_served_and_every_import_is_among_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be read").file_name().into_string().expect("it is UTF-8"))
            .collect();
        let mut served: Vec<String> = FILES.iter().map(|file| file.name.to_owned()).collect();
        there.sort();
        served.sort();
        assert_eq!(there, served);
        for file in FILES.iter() {
            for (_, import) in file.text.lines().filter_map(|line| line.split_once(" from \"./")) {
                let import = import.trim_end_matches("\";");
                assert!(served.iter().any(|name| name == import), "{} imports {import}", file.name);
            }
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_nothing_stands_inline() {
        for file in FILES.iter() {
            // Names of XML are no places.
            let text = file.text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http://", "https://", "<style", " style=\"", "innerHTML", "eval("] {
                assert!(!text.contains(foreign), "{} has {foreign}", file.name);
            }
        }
    }
}

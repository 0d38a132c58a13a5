//! The HTTP API of a server.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connector::Connector;
use crate::error::ClientError;
use crate::events::Events;

/// Talks to the HTTP API of a server, one request at a time, on one connection that is opened when it is needed.
pub struct Api {
    connector: Connector,
    authorization: Option<HeaderValue>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked: the method, and where.
    pub route: String,
    /// The status.
    pub status: u16,
    /// The body, JSON where the API speaks it.
    pub body: Bytes,
}

impl Answer {
    /// The body as the JSON object that it is.
    ///
    /// # Errors
    /// It is none, or one that nests deeper than 127 levels: [`read`](Self::read) has it in parts.
    pub fn json(&self) -> Result<Value, ClientError> {
        self.read::<Map<String, Value>>().map(Value::Object)
    }

    /// What the body says, as this.
    ///
    /// # Errors
    /// It says something else.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|why| ClientError::Unreadable {
            route: self.route.clone(),
            why: format!("{why}; wanted what the HTTP API of StreamFence answers"),
        })
    }

    /// Whether the server did what was asked.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

impl Api {
    /// The API there, with this key where one is wanted.
    ///
    /// # Errors
    /// The key holds what no HTTP header may.
    pub fn new(connector: Connector, key: Option<&str>) -> Result<Self, ClientError> {
        let target = connector.target().to_string();
        let authorization = |key: &str| {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ClientError::Refused {
                target: target.clone(),
                code: "UNAUTHORIZED".to_owned(),
                detail: Some("the key holds a character that no key has".to_owned()),
            })?;
            value.set_sensitive(true);
            Ok::<_, ClientError>(value)
        };
        let authorization = key.map(authorization).transpose()?;
        Ok(Self { connector, authorization, connection: None })
    }

    /// Asks for this path.
    ///
    /// # Errors
    /// Nobody answers in time.
    pub async fn get(&mut self, path: &str) -> Result<Answer, ClientError> {
        self.ask(Method::GET, path, Full::default(), &[], Duration::ZERO).await
    }

    /// Posts JSON there.
    ///
    /// # Errors
    /// Nobody answers in time.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.post_with(path, body.to_string().into(), &[], Duration::ZERO).await
    }

    /// Posts JSON that is text already, with more headers, and waits for this much longer than usual.
    ///
    /// # Errors
    /// Nobody answers in time.
    pub async fn post_with(
        &mut self,
        path: &str,
        body: Bytes,
        headers: &[(&'static str, HeaderValue)],
        longer: Duration,
    ) -> Result<Answer, ClientError> {
        self.ask(Method::POST, path, Full::new(body), headers, longer).await
    }

    /// What happens from now on, as the server tells it under this path.
    ///
    /// # Errors
    /// Nobody answers in time. Where the server does not want to tell, its answer comes instead of the events.
    pub async fn events(&mut self, path: &str) -> Result<Result<Events, Answer>, ClientError> {
        let connector = self.connector.clone();
        let begin = async {
            let response = self.send(Method::GET, path, Full::default(), &[]).await?;
            if response.status().is_success() {
                // The connection is the events' for good.
                self.connection = None;
                let target = self.connector.target().to_string();
                return Ok(Ok(Events::new(target, response.into_body())));
            }
            Ok(Err(self.read(&Method::GET, path, response).await?))
        };
        connector.in_time(begin).await?
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Full<Bytes>,
        headers: &[(&'static str, HeaderValue)],
        longer: Duration,
    ) -> Result<Answer, ClientError> {
        let mut connector = self.connector.clone();
        connector.patience = connector.patience.saturating_add(longer);
        let asked = async {
            let response = self.send(method.clone(), path, body, headers).await?;
            self.read(&method, path, response).await
        };
        let answer = connector.in_time(asked).await;
        if !matches!(answer, Ok(Ok(_))) {
            // What it may still bring is nobody's answer.
            self.connection = None;
        }
        answer?
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Full<Bytes>,
        headers: &[(&'static str, HeaderValue)],
    ) -> Result<Response<Incoming>, ClientError> {
        let target = self.connector.target();
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", target.base()))
            .header(HOST, target.authority())
            .body(body)
            .map_err(|why| self.unreachable(why))?;
        if method == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.clone());
        }
        // A server closes what is idle for long; what was not sent may be sent again.
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            match connection.try_send_request(request).await {
                Ok(response) => {
                    self.connection = Some(connection);
                    return Ok(response);
                }
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(self.unreachable(failed.into_error())),
                },
            }
        }
        let stream = self.connector.connect(None).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|why| self.unreachable(why))?;
        // It ends with the connection, and says to whoever asks how.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|why| self.unreachable(why))?;
        self.connection = Some(sender);
        Ok(response)
    }

    async fn read(&self, method: &Method, path: &str, response: Response<Incoming>) -> Result<Answer, ClientError> {
        let route = format!("{method} {}{path}", self.connector.target());
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await {
            Ok(body) => Ok(Answer { route, status, body: body.to_bytes() }),
            Err(why) => Err(ClientError::Lost { target: self.connector.target().to_string(), why: why.to_string() }),
        }
    }

    fn unreachable(&self, why: impl std::error::Error + 'static) -> ClientError {
        // The library says no more than "connection error" where its source says which.
        let words = why.source().map_or_else(|| why.to_string(), |source| format!("{why}: {source}"));
        ClientError::of_connection(self.connector.target().to_string(), &why, words)
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("connector", &self.connector).finish_non_exhaustive()
    }
}

//! What becomes of a message a client publishes: a handler of the application, or the relay.
//!
//! One call at a time per (client, topic), in order; up to 64 wait, and then the client is told `BACK_PRESSURE`.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use streamfence_core::{ClassId, ClientId, ErrorCode, Event, InboundAck, NamespaceId, RequestId, Transmit};
use tokio::sync::mpsc;

use crate::command::Audience;
use crate::fence::WeakFence;
use crate::inbox::Input;
use crate::link::Link;
use crate::payload::Payload;
use crate::watch::Watchers;

/// How many messages of one client and topic may wait for the handler.
const WORKER_SLOTS: usize = 64;

/// A message a client published.
#[derive(Clone, Debug)]
pub struct ClientMessage {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// Who published it.
    pub client: ClientId,
    /// What it says.
    pub payload: Payload,
}

/// Why a handler did not take a message; the client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerError(String);

impl<E: fmt::Display> From<E> for HandlerError {
    fn from(why: E) -> Self {
        Self(why.to_string())
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(ClientMessage) -> Answer + Send + Sync>;

/// The handlers of a fence, by class.
#[derive(Default)]
pub(crate) struct Handlers(RwLock<HashMap<ClassId, Handler>>);

impl Handlers {
    /// Sets the handler of a topic; the last one set counts.
    pub(crate) fn set(&self, class: ClassId, handler: Handler) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(class, handler);
    }

    pub(crate) fn of(&self, class: ClassId) -> Option<Handler> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&class).cloned()
    }
}

/// What a worker does with a message.
pub(crate) enum Task {
    Handle(Handler),
    Relay { fence: WeakFence, echo: bool },
}

/// A message on its way to its worker.
pub(crate) struct Job {
    /// The message brings it along: the handler that was set when it arrived.
    pub(crate) task: Task,
    pub(crate) message: ClientMessage,
    pub(crate) request: Option<RequestId>,
}

/// Works through the messages of one client to one topic, in order.
pub(crate) struct Worker {
    pub(crate) link: Link,
    pub(crate) namespace: NamespaceId,
    pub(crate) answer_when: InboundAck,
    pub(crate) watchers: Arc<Watchers>,
}

impl Worker {
    /// Starts it; it ends when the sender is dropped and its jobs are done.
    pub(crate) fn spawn(self) -> mpsc::Sender<Job> {
        let (jobs, mut inbox) = mpsc::channel::<Job>(WORKER_SLOTS);
        tokio::spawn(async move {
            while let Some(job) = inbox.recv().await {
                self.work(job).await;
            }
        });
        jobs
    }

    async fn work(&self, Job { task, message, request }: Job) {
        let (namespace, topic, client) = (message.namespace.clone(), message.topic.clone(), message.client);
        // A task of its own, so that a panicking handler ends this call and not the worker.
        let outcome = match tokio::spawn(task.run(message)).await {
            Ok(outcome) => outcome,
            Err(why) => {
                tracing::error!(code = "handler_panicked", %namespace, %topic, %client, %why, "a message handler panicked");
                Err(HandlerError("the handler failed".to_owned()))
            }
        };
        let namespace_id = self.namespace;
        match outcome {
            Ok(()) => {
                self.watchers.event(&Event::PublishAccepted { namespace, topic, client });
                if self.answer_when == InboundAck::AfterHandlerSuccess
                    && let Some(request) = request
                {
                    self.tell(Transmit::Done { namespace: namespace_id, request });
                }
            }
            Err(HandlerError(why)) => {
                let code = ErrorCode::PublishRejected;
                let reason: Arc<str> = why.into();
                self.watchers.event(&Event::PublishRejected {
                    namespace,
                    topic: topic.clone(),
                    client,
                    code,
                    reason: reason.clone(),
                });
                // Answered on receipt already; what failed later is in the events.
                if self.answer_when == InboundAck::AfterHandlerSuccess {
                    self.tell(Transmit::Error {
                        namespace: namespace_id,
                        code,
                        message: (*reason).into(),
                        topic: Some((*topic).into()),
                        request,
                    });
                }
            }
        }
    }

    fn tell(&self, what: Transmit) {
        // Forgotten only where the client has been flooding for long: it did not wait for this answer.
        let _ = self.link.push(Input::Tell { namespace: self.namespace, what });
    }
}

impl Task {
    async fn run(self, message: ClientMessage) -> Result<(), HandlerError> {
        match self {
            Self::Handle(handler) => handler(message).await,
            Self::Relay { fence, echo } => {
                let audience = if echo { Audience::Subscribers } else { Audience::AllBut(message.client) };
                let fence = fence.upgrade().ok_or("shutting down")?;
                let topic = fence.topic(&message.namespace, &message.topic)?;
                fence.publish_message(topic, message.payload, audience).await?;
                Ok(())
            }
        }
    }
}

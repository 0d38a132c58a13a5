//! Asking the application's hooks about what a client wants.

use streamfence_core::{ErrorCode, RefusalReason};
use streamfence_runtime::{Asking, Hooks, Payload, Veto};

use crate::connection::{Member, Shared};
use crate::link::LinkState;

/// Whether a client may enter a namespace.
pub(crate) fn may_connect(
    shared: &Shared,
    state: &LinkState,
    namespace: &str,
    principal: Option<&str>,
) -> Result<(), ErrorCode> {
    let mut asking = Asking::new(namespace);
    (asking.principal, asking.address) = (principal, state.client());
    ask(shared, asking, Hooks::on_connect).map_err(|_| ErrorCode::AuthRejected)
}

/// Whether a client may subscribe to a topic.
pub(crate) fn may_subscribe(member: &Member, shared: &Shared, topic: &str) -> Result<(), (ErrorCode, String)> {
    let may = ask_of(member, shared, topic, Hooks::on_subscribe);
    may.map_err(|veto| (ErrorCode::AuthRejected, veto.to_string()))
}

/// Whether a client may publish this to a topic.
pub(crate) fn may_publish(
    member: &Member,
    shared: &Shared,
    topic: &str,
    payload: &Payload,
) -> Result<(), (ErrorCode, String)> {
    let may = ask_of(member, shared, topic, |hooks, asking| hooks.on_publish(asking, payload));
    may.map_err(|veto| (ErrorCode::PublishRejected, veto.to_string()))
}

fn ask_of(
    member: &Member,
    shared: &Shared,
    topic: &str,
    question: impl Fn(&(dyn Hooks + 'static), &Asking<'_>) -> Result<(), Veto>,
) -> Result<(), Veto> {
    if !shared.fence.has_hooks() {
        return Ok(());
    }
    let mut asking = Asking::new(member.socket.ns());
    asking.topic = Some(topic);
    asking.client = member.client();
    let principal = member.principal();
    asking.principal = principal.as_deref();
    asking.address = member.connection().and_then(|connection| connection.state.client());
    ask(shared, asking, question)
}

fn ask(
    shared: &Shared,
    asking: Asking<'_>,
    question: impl Fn(&(dyn Hooks + 'static), &Asking<'_>) -> Result<(), Veto>,
) -> Result<(), Veto> {
    shared.fence.ask(|hooks| question(hooks, &asking)).map_err(|vetoed| {
        let reason = if vetoed.has_panicked { RefusalReason::HookPanicked } else { RefusalReason::Veto };
        shared.refusals.count(reason, asking.address);
        vetoed.veto
    })
}

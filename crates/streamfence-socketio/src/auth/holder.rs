//! Whether a later request of a session comes from whom the session is of. Never whether it needs to say so: a session is
//! found by its id, which is a secret, and a request that shows no token is let in by that alone.

use std::net::IpAddr;
use std::sync::Arc;

use streamfence_auth::{Action, Token};

use super::gate::Question;
use crate::connection::Member;
use crate::link::LinkState;
use crate::namespaces::Namespaces;

/// Whether somebody who shows this token with a request may have this session.
///
/// It is the token that the session was opened with, or one that was shown in it since; or another one of the same
/// principal, which the validator is asked about. A session that is nobody's is anybody's who knows its id.
pub(crate) async fn is_holder(namespaces: &Namespaces, link: &LinkState, token: Token, from: Option<IpAddr>) -> bool {
    let gate = namespaces.gate();
    if !gate.takes_tokens() || link.knows(&token) {
        return true;
    }
    let members: Vec<_> = link
        .opened_connection()
        .map_or_else(Vec::new, |connection| connection.members().iter().map(|(_, member)| member.clone()).collect());
    let is_shown = |member: &Arc<Member>| member.papers().shown().any(|shown| shown.question.token.is(&token));
    if members.iter().any(is_shown) {
        return true;
    }
    let owner = |member: &Arc<Member>| Some((member.namespace, member.papers().identity()?.clone()));
    let owners: Vec<_> = members.iter().filter_map(owner).collect();
    let Some((namespace, _)) = owners.first() else { return !link.knows_any() };
    let namespace = namespaces.path_of(*namespace);
    let question = Question { token: token.clone(), namespace, topic: None, action: Action::Connect };
    let Ok(shown) = gate.admit(question, from).await else { return false };
    let is_theirs = owners.iter().any(|(_, owner)| owner.is(&shown.grant.principal));
    if is_theirs {
        // A client that has a new token shows it with every request from now on.
        link.learn(token);
    }
    is_theirs
}

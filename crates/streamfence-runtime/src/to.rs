//! Whom a message is for, as a publisher says it.

use std::sync::Arc;

use streamfence_core::ClientId;

use crate::command::Audience;

/// Whom a message is for: some clients, or all sessions of a principal; and of those, whom it is not for.
///
/// Whoever is not connected, or not subscribed to the topic, is passed over.
///
/// ```
/// use streamfence_runtime::{ClientId, To};
///
/// let (laptop, phone) = (ClientId([1; 12]), ClientId([2; 12]));
/// let one = To::from(laptop);
/// let both = To::from([laptop, phone]);
/// let her_other_devices = To::principal("ann").except([laptop]);
/// let all_but_her = To::everyone().except([laptop, phone]);
/// # drop((one, both, her_other_devices, all_but_her));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct To {
    pub(crate) whom: Whom,
    /// Sorted, each once.
    pub(crate) except: Vec<ClientId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Everyone,
    /// Each once.
    Clients(Vec<ClientId>),
    Principal(Arc<str>),
}

impl To {
    /// Everyone subscribed to the topic.
    #[must_use]
    pub fn everyone() -> Self {
        Self { whom: Whom::Everyone, except: Vec::new() }
    }

    /// All sessions of a principal in the namespace: whoever the application says that a client is.
    #[must_use]
    pub fn principal(principal: impl Into<Arc<str>>) -> Self {
        Self { whom: Whom::Principal(principal.into()), except: Vec::new() }
    }

    /// The same, but not these clients.
    #[must_use]
    pub fn except(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        self.except.extend(clients);
        self.except = each_once(self.except);
        self
    }
}

impl From<ClientId> for To {
    fn from(client: ClientId) -> Self {
        Self { whom: Whom::Clients(vec![client]), except: Vec::new() }
    }
}

impl From<Vec<ClientId>> for To {
    fn from(clients: Vec<ClientId>) -> Self {
        Self { whom: Whom::Clients(each_once(clients)), except: Vec::new() }
    }
}

impl From<&[ClientId]> for To {
    fn from(clients: &[ClientId]) -> Self {
        clients.to_vec().into()
    }
}

impl<const N: usize> From<[ClientId; N]> for To {
    fn from(clients: [ClientId; N]) -> Self {
        Vec::from(clients).into()
    }
}

impl From<To> for Audience {
    fn from(to: To) -> Self {
        match (&to.whom, &to.except[..]) {
            (Whom::Everyone, []) => Self::Subscribers,
            (Whom::Everyone, [client]) => Self::AllBut(*client),
            (Whom::Clients(clients), []) if clients.len() == 1 => Self::Only(clients[0]),
            _ => Self::Some(Arc::new(to)),
        }
    }
}

fn each_once(mut clients: Vec<ClientId>) -> Vec<ClientId> {
    clients.sort_unstable();
    clients.dedup();
    clients
}

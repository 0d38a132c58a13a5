//! What is told of messages whose ways are recorded, when a lane has them no more.

use super::SeatedLane;
use crate::books::Books;
use crate::lane::{Admission, Lane};
use crate::message::{ClientId, Message};
use crate::trace::{DeliveryOutcome, Ending, Left};

impl SeatedLane {
    /// Tells of the message it was offered, if its way is recorded and it ends here, and of those that it has replaced.
    #[inline]
    pub(super) fn trace_offer(&mut self, message: &Message, admission: Admission, client: ClientId, books: &mut Books) {
        if let Admission::Rejected(why) = admission {
            let outcome = DeliveryOutcome::Rejected(why);
            books.traces.end(message, || Ending { client, sent: None, attempts: 0, outcome });
        }
        self.tell_left(client, books);
    }

    /// Tells of recorded messages that it has left behind.
    #[inline]
    pub(crate) fn tell_left(&mut self, client: ClientId, books: &mut Books) {
        if self.lane.has_left_behind() {
            for Left { message, sent, attempts, outcome } in self.lane.take_left() {
                books.traces.end(&message, || Ending { client, sent, attempts, outcome });
            }
        }
    }
}

/// Tells of everything that a lane held whose client is gone.
pub(super) fn tell_abandoned(lane: &Lane, client: ClientId, books: &mut Books) {
    // Until there is anything to find, nothing is looked at.
    if books.traces.is_used() {
        let outcome = DeliveryOutcome::Abandoned;
        lane.for_each_held(|message, sent, attempts| {
            books.traces.end(message, || Ending { client, sent, attempts, outcome });
        });
    }
}

//! Attempts that have ended and wait to be settled.

use std::sync::Arc;

use queue_core::Settlement;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::hand::{Held, Place};

/// An attempt that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) settlement: Settlement,
    /// Whether it is recorded already, by the job's unit of work.
    pub(super) is_recorded: bool,
    pub(super) held: Arc<Held>,
    pub(super) place: Place,
}

/// Where workers leave the attempts that have ended. It never holds a worker up.
#[derive(Debug)]
pub(super) struct EndedAttempts(UnboundedSender<Ended>);

impl EndedAttempts {
    /// How many go in one settlement at most.
    pub(super) const BATCH: usize = 1000;

    pub(super) fn new() -> (Self, UnboundedReceiver<Ended>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }

    pub(super) fn push(&self, ended: Ended) {
        // Nobody settles any more once the loop is over; the lease expires then.
        drop(self.0.send(ended));
    }
}

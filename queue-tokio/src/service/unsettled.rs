//! Settlements that were not recorded at the first try.

use queue_core::QueueError;

use super::finished::Finished;

/// Settlements to send again. Their jobs stay in flight, so their leases are renewed.
#[derive(Debug)]
pub(super) enum Unsettled {
    /// They were answered [`Settled::Blocked`](queue_core::Settled::Blocked): an open transaction of an application holds them up.
    Blocked(Vec<Finished>),
    /// The queue failed, or refused one of them.
    Failed(Vec<Finished>, QueueError),
}

//! Deliveries on their way from the writer to a claimer, who may be gone by then.

use queue_core::{Delivery, Settlement, Transition};

use crate::writer::WriterHandle;

/// Leased jobs that nobody has received yet: dropped as such, they are released, uncounted.
#[derive(Debug)]
pub(crate) struct Handover {
    deliveries: Vec<Delivery>,
    writer: Option<WriterHandle>,
}

impl Handover {
    pub(crate) fn new(deliveries: Vec<Delivery>, writer: WriterHandle) -> Self {
        Self { deliveries, writer: Some(writer) }
    }

    /// The answer to a claim whose wait is over.
    pub(crate) fn nothing() -> Self {
        Self { deliveries: Vec::new(), writer: None }
    }

    /// Gives them to the claimer.
    pub(crate) fn received(mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take().filter(|_| !self.deliveries.is_empty()) else { return };
        let leases = std::mem::take(&mut self.deliveries).into_iter().map(|delivery| delivery.lease);
        let released: Vec<_> = leases.map(|lease| Settlement::new(lease, Transition::Release)).collect();
        let followups: Vec<_> = released.iter().map(|_| Vec::new()).collect();
        // Nobody waits for the answer; if the writer is gone, the leases expire.
        drop(writer.call(released.len(), move |table| table.settle(&released, &followups)));
    }
}

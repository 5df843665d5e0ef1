//! The answer to an enqueue.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::contract::queue::Receipt;

/// The receipt of a job that was enqueued, with the job's type.
///
/// It dereferences to the [`Receipt`]. For a [`Job`](crate::Job), `handle` returns the handle that waits for the job's end and returns
/// its result.
pub struct EnqueuedJob<J> {
    receipt: Receipt,
    job: PhantomData<fn() -> J>,
}

impl<J> EnqueuedJob<J> {
    pub(crate) const fn new(receipt: Receipt) -> Self {
        Self { receipt, job: PhantomData }
    }

    /// Returns the receipt.
    #[must_use]
    pub const fn receipt(&self) -> Receipt {
        self.receipt
    }
}

impl<J> Clone for EnqueuedJob<J> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<J> Copy for EnqueuedJob<J> {}

impl<J> Deref for EnqueuedJob<J> {
    type Target = Receipt;

    fn deref(&self) -> &Receipt {
        &self.receipt
    }
}

impl<J> From<EnqueuedJob<J>> for Receipt {
    fn from(enqueued: EnqueuedJob<J>) -> Self {
        enqueued.receipt
    }
}

impl<J> PartialEq<Receipt> for EnqueuedJob<J> {
    fn eq(&self, receipt: &Receipt) -> bool {
        self.receipt == *receipt
    }
}

impl<J> fmt::Debug for EnqueuedJob<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receipt.fmt(f)
    }
}

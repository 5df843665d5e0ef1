//! The locks that an application's open transaction can hold.

use std::time::Duration;

use queue_core::{Admin, Demand, JobId, Lease, NewJob, QueueError, Settlement, State, Transition, Unique};

use super::harness::StoreHarness;
use super::operation::{Delays, Operation};
use super::store::Transaction;
use crate::conformance::jobs::{id, job};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The time after its push or claim at which the held job becomes due or its lease expires. The job is still held then.
const MEANWHILE: Duration = Duration::from_secs(2);

/// The queue of the held job.
pub(super) const QUEUE: &str = "held";

/// The work that the open transaction has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Reading,
    Push,
    PushOfANewKey,
    PushOfAHeldKey,
    PushThatReplaces,
    UnitOfWork,
    Claim,
    Renewal,
    Settlement,
    CancelOfAWaitingJob,
    CancelOfAnExecutingJob,
    RetryOfAFinishedJob,
    RetryOfAWaitingJob,
    Delete,
    Prune,
    Pause,
}

/// The job that a transaction holds.
pub(super) struct HeldJob {
    id: JobId,
    lease: Option<Lease>,
}

impl HeldJob {
    /// Returns the lease of the held job, if it is executing.
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }
}

impl Hold {
    pub(super) const ALL: [Self; 16] = [
        Self::Reading,
        Self::Push,
        Self::PushOfANewKey,
        Self::PushOfAHeldKey,
        Self::PushThatReplaces,
        Self::UnitOfWork,
        Self::Claim,
        Self::Renewal,
        Self::Settlement,
        Self::CancelOfAWaitingJob,
        Self::CancelOfAnExecutingJob,
        Self::RetryOfAFinishedJob,
        Self::RetryOfAWaitingJob,
        Self::Delete,
        Self::Prune,
        Self::Pause,
    ];

    /// Returns the key of the held job.
    pub(super) fn key() -> Unique {
        Unique::new("held")
    }

    fn job() -> NewJob {
        job(0).id(id(0)).queue(QUEUE).unique(Self::key())
    }

    /// Stores the job that the transaction will hold.
    pub(super) async fn prepare(self, harness: &StoreHarness, queue: &dyn Admin) -> HeldJob {
        let job = match self {
            Self::Reading | Self::Push | Self::PushOfANewKey => return HeldJob { id: id(0), lease: None },
            Self::PushOfAHeldKey
            | Self::PushThatReplaces
            | Self::CancelOfAWaitingJob
            | Self::RetryOfAWaitingJob
            | Self::Delete => Self::job().delay(MEANWHILE),
            Self::UnitOfWork => Self::job().unique("of the job that works"),
            Self::Claim
            | Self::Renewal
            | Self::Settlement
            | Self::CancelOfAnExecutingJob
            | Self::RetryOfAFinishedJob
            | Self::Prune
            | Self::Pause => Self::job(),
        };
        harness.push(queue, vec![job]).await;
        let length = match self {
            Self::UnitOfWork | Self::Renewal | Self::Settlement | Self::CancelOfAnExecutingJob => MEANWHILE,
            Self::RetryOfAFinishedJob | Self::Prune => HOUR,
            _ => return HeldJob { id: id(0), lease: None },
        };
        let demand = Demand::new(QUEUE, 1).lease(length);
        let lease =
            harness.steps().ok("a claim", queue.claim(&demand)).await.pop().map(|delivery| delivery.lease);
        if let (Self::RetryOfAFinishedJob | Self::Prune, Some(lease)) = (self, &lease) {
            let done = Settlement::new(lease.clone(), Transition::complete());
            harness.steps().ok("a settlement", queue.settle(vec![done])).await;
        }
        HeldJob { id: id(0), lease }
    }

    /// Begins the transaction. The jobs that become due or expire are stored after that, since storing them may take long.
    ///
    /// Also returns whether such a transaction keeps others from writing. In that case none is open, and the caller begins one
    /// after the jobs are stored. Returns `None` if the store has no transactions.
    pub(super) async fn begin_early(
        self,
        harness: &StoreHarness,
    ) -> Option<(Option<Box<dyn Transaction>>, bool)> {
        if self == Self::Reading {
            return Some((None, false));
        }
        let transaction = harness.store().begin().await?;
        if transaction.delays() == Delays::SameKeyOrJob {
            return Some((Some(transaction), false));
        }
        transaction.rollback().await;
        Some((None, true))
    }

    /// Does the work of this hold in the transaction. Returns `None` if the store can't.
    pub(super) async fn begin(
        self,
        harness: &StoreHarness,
        begun: Option<Box<dyn Transaction>>,
        held_job: &HeldJob,
    ) -> Option<Box<dyn Transaction>> {
        let mut transaction = match begun {
            _ if self == Self::Reading => return harness.store().begin_reading().await,
            Some(begun) => begun,
            None => harness.store().begin().await?,
        };
        let step = format!("within a transaction: {self:?}");
        match harness.steps().ok(step, self.work(&mut *transaction, held_job)).await {
            true => Some(transaction),
            false => {
                transaction.rollback().await;
                None
            }
        }
    }

    async fn work(self, transaction: &mut dyn Transaction, held_job: &HeldJob) -> Result<bool, QueueError> {
        let keyed = Self::job();
        let push = match self {
            Self::Reading => return Ok(true),
            Self::Push => job(0).id(id(0)).queue(QUEUE),
            Self::PushOfANewKey | Self::PushOfAHeldKey => keyed,
            Self::PushThatReplaces => keyed.unique(Self::key().replace()).delay(HOUR),
            Self::UnitOfWork => {
                transaction.push(keyed.id(id(1)).delay(HOUR)).await?;
                let operation = held_job.lease.clone().map(Operation::Settle);
                return match operation {
                    Some(operation) => transaction.operate(&operation).await,
                    None => Ok(false),
                };
            }
            _ => return transaction.operate(&self.operation(held_job)).await,
        };
        transaction.push(push).await?;
        Ok(true)
    }

    fn operation(self, HeldJob { id, lease }: &HeldJob) -> Operation {
        match (self, lease.clone()) {
            (Self::Renewal, Some(lease)) => Operation::Renew(lease),
            (Self::Settlement, Some(lease)) => Operation::Settle(lease),
            (Self::Claim, _) => Operation::Claim(QUEUE.into()),
            (Self::Delete, _) => Operation::Delete(*id),
            (Self::Prune, _) => Operation::Prune(Duration::ZERO),
            (Self::Pause, _) => Operation::Pause(QUEUE.into()),
            (Self::RetryOfAFinishedJob | Self::RetryOfAWaitingJob, _) => Operation::Retry(*id),
            _ => Operation::Cancel(*id),
        }
    }

    /// Waits until the held job would have become due, or its lease expired.
    pub(super) async fn let_time_pass(self, harness: &StoreHarness, queue: &dyn Admin, held_job: &HeldJob) {
        match self {
            Self::PushOfAHeldKey
            | Self::PushThatReplaces
            | Self::UnitOfWork
            | Self::Renewal
            | Self::Settlement
            | Self::CancelOfAWaitingJob
            | Self::CancelOfAnExecutingJob
            | Self::RetryOfAWaitingJob
            | Self::Delete => harness.is_in(queue, held_job.id, State::Available).await,
            Self::Reading
            | Self::Push
            | Self::PushOfANewKey
            | Self::Claim
            | Self::RetryOfAFinishedJob
            | Self::Prune
            | Self::Pause => {}
        }
    }
}

//! Application transactions that stay open (D26).
//!
//! The tasks of a law are two programs with a handle each, and the application with its open transaction. The transaction has
//! locked a job or a unique key (`hold.rs`). Meanwhile the programs run every operation on other jobs and keys (`beside.rs`),
//! one after another, and each must finish within [`BOUND`]. If the transaction keeps all others from writing, the writes start
//! all at once instead, and must finish once the transaction has ended.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use queue_core::backend::error_chain;
use queue_core::{
    Admin, Demand, Heartbeat, Lease, NewJob, QueueError, Receipt, Renewal, Settled, Settlement, Transition,
};
use tokio::time::timeout;

use super::beside::{Beside, Operation, Wrong};
use super::harness::StoreHarness;
use super::hold::Hold;
use super::operation::Delays;
use crate::conformance::jobs::{id, job};
use crate::law::expect_eq;

/// How long an operation may take beside an open transaction.
const BOUND: Duration = Duration::from_secs(3);

/// After how many wrong operations beside one transaction the remaining ones are skipped.
const ENOUGH: usize = 3;

/// After how many wrong operations the remaining transactions are skipped.
const PLENTY: usize = 30;

pub(super) async fn d26_an_open_transaction_delays_only_callers_that_need_its_key_or_job(
    harness: &StoreHarness,
) {
    let mut wrong = Vec::new();
    for hold in Hold::ALL {
        let found = beside(&harness.afresh().await, hold).await;
        wrong.extend(found.into_iter().map(|found| format!("beside an open {hold:?}: {found}")));
        if wrong.len() >= PLENTY {
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs every operation of two programs beside an open transaction. Returns what went wrong.
async fn beside(harness: &StoreHarness, hold: Hold) -> Vec<String> {
    let mut programs = [harness.open().await, harness.open().await];
    let callers =
        [Beside::prepare(harness, &*programs[0], 1).await, Beside::prepare(harness, &*programs[1], 2).await];
    let Some((begun, is_alone)) = hold.begin_early(harness).await else { return Vec::new() };
    let held_job = hold.prepare(harness, &*programs[0]).await;
    Beside::let_time_pass(harness, &*programs[0], &callers).await;
    let Some(transaction) = hold.begin(harness, begun, &held_job).await else { return Vec::new() };
    hold.let_time_pass(harness, &*programs[1], &held_job).await;

    let mut wrong = Vec::new();
    if is_alone {
        let mut waiting = Vec::new();
        for (caller, program) in callers.iter().zip(&mut programs) {
            let (reads, writes) = caller.operations().into_iter().partition(|operation| operation.reads);
            waiting.push(tokio::spawn(all_at_once(writes, program.clone())));
            wrong.extend(one_by_one(harness, reads, program).await);
        }
        harness.steps().finishes("the end of the application's transaction", transaction.commit()).await;
        for waiting in waiting {
            let answers = harness.steps().finishes("operations that waited for the writer", waiting).await;
            wrong.extend(answers.unwrap_or_else(|error| panic!("the operations: {error}")));
        }
    } else {
        // A worker renews all its leases in one call, also the lease of the job that the transaction holds.
        let held = held_job.lease().cloned();
        wrong.extend(callers[0].is_renewed_beside(held, &*programs[0], BOUND).await);
        for (caller, program) in callers.iter().zip(&mut programs) {
            wrong.extend(one_by_one(harness, caller.operations(), program).await);
        }
        match timeout(BOUND, harness.store().open()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => wrong.push(format!("opening the store failed: {}", error_chain(&error))),
            Err(_) => wrong.push(format!("opening the store did not answer within {BOUND:?}")),
        }
        harness.steps().finishes("the end of the application's transaction", transaction.commit()).await;
    }
    for (caller, program) in callers.iter().zip(&programs) {
        caller.holds_its_leases(harness, &**program).await;
    }
    wrong
}

/// Runs operations one after another. After an operation that failed or was late, a newly opened program continues.
async fn one_by_one(
    harness: &StoreHarness,
    operations: Vec<Operation>,
    program: &mut Arc<dyn Admin>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for Operation { what, make, .. } in operations {
        harness.steps().note(format!("{what} beside an open transaction"));
        match timeout(BOUND, make(program.clone())).await {
            Ok(Ok(())) => continue,
            Ok(Err(Wrong(why))) => wrong.push(format!("{what} {why}")),
            Err(_) => wrong.push(format!("{what} did not answer within {BOUND:?}")),
        }
        if wrong.len() >= ENOUGH {
            wrong.push("the operations after it were skipped".to_owned());
            break;
        }
        *program = harness.open().await;
    }
    wrong
}

async fn all_at_once(operations: Vec<Operation>, program: Arc<dyn Admin>) -> Vec<String> {
    let made = operations.into_iter().map(|Operation { what, make, .. }| {
        make(program.clone()).map(move |made| made.err().map(|Wrong(why)| format!("{what} {why}")))
    });
    join_all(made).await.into_iter().flatten().collect()
}

/// How many callers of one program wait for the key.
const WAITING: u32 = 8;

pub(super) async fn d26_a_caller_that_waits_for_a_key_holds_up_no_other_of_its_process(
    harness: &StoreHarness,
) {
    for is_committed in [true, false] {
        behind(&harness.afresh().await, is_committed).await;
    }
}

async fn behind(harness: &StoreHarness, is_committed: bool) {
    let mut program = harness.open().await;
    let queue = program.clone();
    let caller = Beside::prepare(harness, &*queue, 1).await;
    let attempts: Vec<_> = (0..2).map(|number| job(number).id(id(10 + number)).queue("attempts")).collect();
    harness.push(&*queue, attempts).await;
    let demand = Demand::new("attempts", 2);
    let claimed = harness.steps().ok("a claim", queue.claim(&demand)).await;
    let attempts: Vec<_> = claimed.into_iter().map(|delivery| delivery.lease).collect();
    Beside::let_time_pass(harness, &*queue, std::slice::from_ref(&caller)).await;
    let Some(mut transaction) = harness.store().begin().await else { return };
    if transaction.delays() == Delays::Writers {
        return transaction.rollback().await;
    }
    harness.steps().ok("a push in a transaction", transaction.push(keyed(0))).await;

    let mut waiting = WaitingCalls::begin(harness, &queue, &attempts).await;
    let wrong = one_by_one(harness, caller.operations(), &mut program).await;
    assert!(wrong.is_empty(), "behind callers that wait for a key: {}", wrong.join("\n"));
    let renewed = harness
        .steps()
        .ok("a renewal of attempts that are being settled", queue.renew(&Heartbeat::of(&attempts)))
        .await;
    let are_held = renewed.iter().all(|renewal| matches!(renewal, Renewal::Held { .. }));
    assert!(are_held, "an attempt whose settlement waits for a key has lost its lease: {renewed:?}");
    waiting.check_none_answered();

    if is_committed {
        transaction.commit().await;
    } else {
        transaction.rollback().await;
    }
    waiting.check_answers(harness, is_committed).await;
    caller.holds_its_leases(harness, &*queue).await;
}

/// The calls of one program that wait for the key of the transaction.
struct WaitingCalls {
    pushes: Vec<BoxFuture<'static, Result<Receipt, QueueError>>>,
    settlements: Vec<BoxFuture<'static, Result<Settled, QueueError>>>,
}

impl WaitingCalls {
    /// Begins the calls: pushes with the key, and settlements whose followups have it. After each, an unrelated push must succeed.
    async fn begin(harness: &StoreHarness, queue: &Arc<dyn Admin>, attempts: &[Lease]) -> Self {
        let mut pushes = Vec::new();
        let mut settlements = Vec::new();
        for number in 1..=WAITING {
            pushes.push(asked(push(queue.clone(), keyed(number))).await);
            if let Some(lease) = attempts.get(settlements.len()) {
                let mut settlement = Settlement::new(lease.clone(), Transition::complete());
                settlement.followups.push(keyed(20 + number));
                settlements.push(asked(settle(queue.clone(), settlement)).await);
            }
            let unrelated = queue.push(vec![job(number).queue("unrelated")]);
            let step = format!("a push behind {number} that wait for a key, within {BOUND:?},");
            harness.steps().note(step.clone());
            let pushed =
                timeout(BOUND, unrelated).await.unwrap_or_else(|_| panic!("{step} was not answered"));
            pushed.unwrap_or_else(|error| panic!("{step} failed: {}", error_chain(&error)));
        }
        Self { pushes, settlements }
    }

    fn check_none_answered(&mut self) {
        for waiting in &mut self.pushes {
            let answer = waiting.now_or_never();
            assert!(
                answer.is_none(),
                "a push was answered before the transaction that holds its key: {answer:?}"
            );
        }
    }

    /// Checks the answers once the transaction has ended: the key has one holder.
    async fn check_answers(self, harness: &StoreHarness, is_committed: bool) {
        let mut receipts = Vec::new();
        for waiting in self.pushes {
            receipts.push(harness.steps().ok("a push that waited for a key", waiting).await);
        }
        for waiting in self.settlements {
            let settled = harness.steps().ok("a settlement that waited for a key", waiting).await;
            expect_eq!(settled, Settled::Applied, "a settlement that waited for its followup's key");
        }
        let stored = receipts.iter().filter(|receipt| matches!(receipt, Receipt::Stored(_))).count();
        assert!(
            stored <= usize::from(!is_committed)
                && receipts.iter().all(|receipt| receipt.id() == receipts[0].id()),
            "a key was held by more than one job: {receipts:?}"
        );
        if is_committed {
            expect_eq!(receipts[0].id(), id(0), "the job that holds the key whose transaction has committed");
        }
    }
}

fn keyed(number: u32) -> NewJob {
    job(number).id(id(number)).queue("keyed").unique(Hold::key())
}

/// Begins a call, so that every later call of the program comes behind it.
async fn asked<T: std::fmt::Debug + Send + 'static>(
    call: impl Future<Output = Result<T, QueueError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, QueueError>> {
    let mut call = call.boxed();
    let answer = futures_util::poll!(&mut call);
    assert!(answer.is_pending(), "a call was answered before the transaction that holds its key: {answer:?}");
    call
}

async fn push(queue: Arc<dyn Admin>, job: NewJob) -> Result<Receipt, QueueError> {
    let receipts = queue.push(vec![job]).await?;
    receipts.into_iter().next().ok_or_else(|| QueueError::invalid("a push of one job returned no receipt"))
}

/// Settles as the hosted loop does: retries while another transaction blocks the settlement.
async fn settle(queue: Arc<dyn Admin>, settlement: Settlement) -> Result<Settled, QueueError> {
    loop {
        let settled = queue.settle(vec![settlement.clone()]).await?;
        match settled.into_iter().next() {
            Some(Settled::Blocked) => tokio::task::yield_now().await,
            Some(settled) => return Ok(settled),
            None => return Err(QueueError::invalid("a settlement returned no answer")),
        }
    }
}

//! Tests the testkit's faults (law T8), and attempts under faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue_core::{JobId, NewJob, QueueExt as _, Settled, State, background_job, jobs};
use queue_testkit::{Fault, Operation, TestKit};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[background_job]
async fn count(#[inject] runs: &AtomicU32) {
    runs.fetch_add(1, Ordering::SeqCst);
}

fn kit(runs: &Arc<AtomicU32>) -> TestKit {
    TestKit::new(jobs![count]).singleton_as(runs.clone()).build().unwrap()
}

/// Q3, T8: a push whose answer was lost may be repeated under its id, and stores the job once.
#[test]
fn a_push_whose_answer_was_lost_may_be_repeated() -> TestResult {
    queue_testkit::block_on(async {
        let kit = kit(&Arc::default());
        kit.faults().on(Operation::Push, 1, Fault::FailAfter);
        let job = NewJob::from(count::new()).id(JobId::from_u128(9));

        let lost = kit.queue().enqueue(job.clone()).await.unwrap_err();
        let repeated = kit.queue().enqueue(job).await?;

        assert!(lost.is_transient(), "{lost}");
        assert_eq!(repeated.id(), JobId::from_u128(9));
        assert_eq!(kit.jobs().len(), 1);
        Ok(())
    })
}

/// Q26, T8: the result of an attempt whose lease was lost is not recorded.
#[test]
fn a_lost_lease_makes_the_result_stale() -> TestResult {
    queue_testkit::block_on(async {
        let kit = kit(&Arc::default());
        kit.queue().enqueue(count::new()).await?;
        kit.faults().on(Operation::Claim, 1, Fault::LoseLease);

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.settled, Settled::Stale);
        assert_eq!(kit.jobs()[0].state, State::Available);
        Ok(())
    })
}

/// T8: random faults from a seed lose no job either, for any seed.
#[test]
fn random_faults_lose_no_job() -> TestResult {
    for seed in 0..50 {
        queue_testkit::block_on(async {
            let runs = Arc::new(AtomicU32::new(0));
            let kit = TestKit::new(jobs![count]).singleton_as(runs.clone()).seed(seed).build()?;
            let jobs = (0..20).map(|_| NewJob::from(count::new()).max_attempts(1000));
            kit.queue().enqueue_all(jobs).await?;
            kit.faults().randomly(seed, 3);

            kit.run_until_idle().await?;

            let states: Vec<_> = kit.jobs().iter().map(|job| job.state).collect();
            assert!(states.iter().all(|state| *state == State::Completed), "seed {seed}: {states:?}");
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        })?;
    }
    Ok(())
}

/// T8: a renewal that loses the lease asks the job to stop, and its result is not recorded.
#[test]
fn a_lease_lost_at_a_renewal_stops_the_job() -> TestResult {
    #[background_job]
    async fn long(#[inject] context: &queue_core::JobContext) {
        let (stop, end) = (context.token().cancelled(), context.sleep(Duration::from_secs(60))); // virtual
        futures_util::future::select(std::pin::pin!(stop), std::pin::pin!(end)).await;
    }
    queue_testkit::block_on(async {
        let kit = TestKit::new(jobs![long]).build()?;
        kit.queue().enqueue(long::new()).await?;
        kit.faults().on(Operation::Renew, 1, Fault::LoseLease);

        let attempt = kit.step().await?.unwrap();

        assert_eq!(attempt.settled, Settled::Stale);
        assert_eq!(attempt.ended_at.since(attempt.started_at), Duration::from_secs(10), "the first renewal");
        kit.run_until_idle().await?;
        assert_eq!(kit.jobs()[0].state, State::Completed);
        Ok(())
    })
}

/// T8: the nth call is counted from the request for the fault.
#[test]
fn a_fault_counts_calls_from_its_request() -> TestResult {
    queue_testkit::block_on(async {
        let kit = kit(&Arc::default());
        kit.queue().enqueue_all([count::new(), count::new()]).await?;
        kit.queue().enqueue(count::new()).await?;

        kit.faults().on(Operation::Push, 2, Fault::FailBefore);

        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(kit.queue().enqueue(count::new()).await.is_ok());
        }
        assert_eq!(answers, [true, false, true]);
        Ok(())
    })
}

//! The crash explorer finds the points at which a crash breaks a job, and no others (T9).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::backend::Attempt;
use queue_core::{
    BoxError, JobContext, JobError, NewJob, OutcomeKind, Queue as _, QueueExt as _, Settled, background_job,
    jobs,
};
use queue_testkit::explore::{CrashPoint, ExploreError};
use queue_testkit::{KitQueue, TestKit, block_on, crash_everywhere};

/// A bank that counts charges, and ignores a charge with the key of an earlier one.
#[derive(Debug, Default)]
struct Bank {
    keys: Mutex<HashSet<String>>,
    charges: AtomicU32,
}

impl Bank {
    async fn charge(&self, key: Option<String>) {
        if key.is_none_or(|key| self.keys.lock().expect("the lock is not poisoned").insert(key)) {
            self.charges.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn charges(&self) -> u32 {
        self.charges.load(Ordering::SeqCst)
    }
}

#[background_job]
async fn charge(#[inject] bank: &Bank) {
    bank.charge(None).await;
}

#[background_job]
async fn charge_by_key(#[inject] bank: &Bank, #[inject] context: &JobContext) {
    bank.charge(Some(context.id().to_string())).await;
    std::future::ready(()).await;
}

/// Charges that are made only when the job is settled.
struct Charges {
    queue: KitQueue,
    bank: Arc<Bank>,
    context: JobContext,
    count: u32,
}

impl Charges {
    async fn end(self, outcome: OutcomeKind) -> Result<(), BoxError> {
        if !outcome.is_success() {
            return Ok(());
        }
        if self.queue.settle(vec![Attempt::of(&self.context).completion()]).await? == [Settled::Applied] {
            self.bank.charges.fetch_add(self.count, Ordering::SeqCst);
            Attempt::of(&self.context).note_completed();
        }
        Ok(())
    }
}

#[background_job]
async fn charge_with_completion(#[inject] charges: &mut Charges) {
    std::future::ready(()).await;
    charges.count += 1;
    std::future::ready(()).await;
}

async fn with_bank<J: queue_core::Job>(job: J) -> Result<(TestKit, Arc<Bank>), BoxError> {
    let bank = Arc::new(Bank::default());
    // The unit of work settles in the kit's own queue, which exists once the kit is built.
    let queue = Arc::new(std::sync::OnceLock::<KitQueue>::new());
    let (of, charged) = (queue.clone(), bank.clone());
    let begin = move |context: JobContext| {
        let (of, bank) = (of.clone(), charged.clone());
        async move {
            let queue = of.get().cloned().ok_or("no queue")?;
            Ok::<_, BoxError>(Charges { queue, bank, context, count: 0 })
        }
    };
    let kit = TestKit::new(jobs![charge, charge_by_key, charge_with_completion])
        .singleton_as(bank.clone())
        .with(|services| services.unit_of_work(begin, Charges::end))
        .build()?;
    drop(queue.set(kit.queue().clone()));
    kit.queue().enqueue(job).await?;
    Ok((kit, bank))
}

fn charged_once((_, bank): &(TestKit, Arc<Bank>)) -> Result<(), String> {
    if bank.charges() == 1 { Ok(()) } else { Err(format!("charged {} times", bank.charges())) }
}

/// Returns the first line of this file that contains a text.
fn line_of(text: &str) -> usize {
    1 + include_str!("explore.rs").lines().position(|line| line.contains(text)).expect("a line")
}

#[test]
fn the_line_after_which_a_job_charges_twice_is_named() {
    let found = block_on(crash_everywhere(async || with_bank(charge::new()).await).check(charged_once));

    let Err(ExploreError::Broken { crashes, breaks }) = found else { panic!("{found:?}") };
    let line = line_of("bank.charge(None).await");
    let points: Vec<_> = breaks.iter().map(|found| found.point.name()).collect();
    let after = format!("charge after {}:{line}:5 #1", file!());
    assert_eq!(points, [after.as_str(), "charge unsettled #1"]);
    assert_eq!(crashes, 3, "before, after, and unsettled");
    let error = ExploreError::Broken { crashes, breaks }.to_string();
    for part in [
        format!("{}:{line}:5: after `bank.charge(None)`, in `charge`", file!()),
        "charged 2 times".to_owned(),
        format!("crash_everywhere(..).only({after:?}).check(..)"),
        "needs an idempotency key".to_owned(),
    ] {
        assert!(error.contains(&part), "{part} in:\n{error}");
    }
}

#[test]
fn a_job_that_charges_by_a_key_passes() {
    let explored =
        block_on(crash_everywhere(async || with_bank(charge_by_key::new()).await).check(charged_once));

    assert_eq!(explored.unwrap().crashes, 5, "both points before and after, and unsettled");
}

#[test]
fn a_job_whose_charge_commits_with_its_completion_passes() {
    let job = async || with_bank(charge_with_completion::new()).await;

    let explored = block_on(crash_everywhere(job).check(charged_once));

    assert_eq!(explored.unwrap().crashes, 7, "and before and after the scope closes");
}

#[test]
fn a_single_point_is_explored_by_its_name() {
    let job = async || with_bank(charge::new()).await;

    let one = block_on(crash_everywhere(job).only("charge unsettled #1").check(charged_once));
    let none = block_on(crash_everywhere(job).only("charge somewhere").check(charged_once));

    let Err(ExploreError::Broken { crashes: 1, breaks }) = one else { panic!("{one:?}") };
    assert!(breaks.iter().all(|found| found.point.is_after_the_work()));
    let Err(ExploreError::NoSuchPoint { names, .. }) = none else { panic!("{none:?}") };
    assert_eq!(names.len(), 3);
}

#[derive(Default)]
struct Steps(Mutex<Vec<u32>>);

#[background_job]
async fn walk(#[inject] steps: &Steps, count: u32) {
    for step in 0..count {
        std::future::ready(()).await;
        steps.0.lock().expect("the lock is not poisoned").push(step);
    }
}

/// Of a point in a loop, the first, the second and the last time are explored: more would cost quadratic time.
#[test]
fn only_the_first_the_second_and_the_last_time_of_a_point_are_explored() {
    let setup = async || {
        let steps = Arc::new(Steps::default());
        let kit = TestKit::new(jobs![walk]).singleton_as(steps.clone()).build()?;
        kit.queue().enqueue(walk::new(100)).await?;
        Ok((kit, steps))
    };
    let walked: Mutex<Vec<usize>> = Mutex::default();

    let explored = block_on(crash_everywhere(setup).check(|(_, steps)| {
        walked.lock().unwrap().push(steps.0.lock().unwrap().len());
    }));

    assert_eq!(explored.unwrap().crashes, 7);
    let walked = walked.into_inner().unwrap();
    assert_eq!(
        walked,
        [100, 100, 100, 101, 101, 199, 199, 200],
        "each run continues to its end after the crash"
    );
}

#[background_job]
async fn nap(#[inject] steps: &Steps) -> Result<(), JobError> {
    let (first, second) = tokio::join!(doze(steps), async { std::future::ready(7).await });
    steps.0.lock().expect("the lock is not poisoned").push(first + second);
    Ok(())
}

async fn doze(steps: &Steps) -> u32 {
    tokio::time::sleep(Duration::from_secs(1)).await; // virtual
    steps.0.lock().expect("the lock is not poisoned").push(1);
    tokio::time::sleep(Duration::from_secs(1)).await; // virtual
    1
}

/// Suspensions in the functions that the body calls are points too, also inside of `join!`.
#[tokio::test(start_paused = true)]
async fn a_job_dies_at_each_suspension_of_what_it_calls() {
    let setup = async || {
        let steps = Arc::new(Steps::default());
        let kit = TestKit::new(jobs![nap]).singleton_as(steps.clone()).build()?;
        kit.queue().enqueue(nap::new()).await?;
        Ok((kit, steps))
    };

    let found = crash_everywhere(setup)
        .check(|(_, steps)| match steps.0.lock().unwrap().as_slice() {
            [1, 8] => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;

    let Err(ExploreError::Broken { crashes, breaks }) = found else { panic!("{found:?}") };
    let at = format!("{}:{}:27", file!(), line_of("tokio::join!(doze"));
    let points: Vec<_> = breaks.iter().map(|found| found.point.name()).collect();
    let expected = [
        // After the first nap is over; before that, the job had done nothing.
        format!("nap waiting at {at} #2"),
        format!("nap after {at} #1"),
        "nap unsettled #1".to_owned(),
    ];
    assert_eq!(points, expected);
    assert_eq!(crashes, 7, "before and after both awaits, two suspensions, and unsettled");
}

#[background_job]
async fn both() {
    tokio::join!(async { std::future::ready(1).await }, async { std::future::ready(2).await });
}

#[background_job]
async fn both_or_neither() -> Result<(), JobError> {
    tokio::try_join!(async { std::future::ready(Ok::<_, JobError>(1)).await }, async {
        std::future::ready(Ok::<_, JobError>(2)).await
    })?;
    Ok(())
}

/// T9: futures inside of `try_join!` are explored like futures inside of `join!`.
#[test]
fn a_job_dies_inside_of_what_it_joins() {
    let kit = async |job: NewJob| {
        let kit = TestKit::new(jobs![both, both_or_neither]).build()?;
        kit.queue().enqueue(job).await?;
        Ok(kit)
    };

    let joined = block_on(crash_everywhere(async || kit(both::new().into()).await).check(|_| ()));
    let tried = block_on(crash_everywhere(async || kit(both_or_neither::new().into()).await).check(|_| ()));

    assert_eq!(joined.unwrap().crashes, 7, "before and after three awaits, and unsettled");
    assert_eq!(tried.unwrap().crashes, 7);
}

#[background_job]
async fn gamble(#[inject] calls: &AtomicU32) {
    // Differs from run to run.
    if calls.fetch_add(1, Ordering::SeqCst) == 0 {
        std::future::ready(()).await;
    }
}

#[test]
fn an_exploration_that_can_not_start_returns_why() {
    let idle = async || Ok(TestKit::new(jobs![charge]).singleton(Bank::default()).build()?);
    let nothing = block_on(crash_everywhere(idle).check(|_| ()));
    assert!(matches!(nothing, Err(ExploreError::NothingRan)), "{nothing:?}");

    let wrong = block_on(crash_everywhere(async || with_bank(charge::new()).await).check(|_| Err("as ever")));
    assert!(matches!(&wrong, Err(ExploreError::WithoutCrash(text)) if text == "as ever"), "{wrong:?}");

    let failing = async || Err::<TestKit, BoxError>("no bank".into());
    let failed = block_on(crash_everywhere(failing).check(|_| ()));
    assert!(
        matches!(&failed, Err(ExploreError::SetUp(error)) if error.to_string() == "no bank"),
        "{failed:?}"
    );

    let calls = Arc::new(AtomicU32::new(0));
    let changing = async || {
        let kit = TestKit::new(jobs![gamble]).singleton_as(calls.clone()).build()?;
        kit.queue().enqueue(gamble::new()).await?;
        Ok(kit)
    };
    let unsteady = block_on(crash_everywhere(changing).check(|_| ()));
    let Err(ExploreError::NotReached(point)) = &unsteady else { panic!("{unsteady:?}") };
    assert!(point.name().starts_with("gamble before"), "{unsteady:?}");
}

#[background_job(max_attempts = 2)]
async fn fails_once(#[inject] calls: &AtomicU32) -> Result<(), JobError> {
    std::future::ready(()).await;
    if calls.fetch_add(1, Ordering::SeqCst) == 0 {
        panic!("a bug");
    }
    Ok(())
}

/// A panic of the job itself is a failure, and both attempts have points.
#[test]
fn a_panic_of_the_job_is_a_failure_and_no_crash() {
    let setup = async || {
        let calls = Arc::new(AtomicU32::new(0));
        let kit = TestKit::new(jobs![fails_once]).singleton_as(calls.clone()).build()?;
        kit.queue().enqueue(fails_once::new()).await?;
        Ok((kit, calls))
    };

    let explored = block_on(crash_everywhere(setup).check(|(kit, calls)| {
        let ran = calls.load(Ordering::SeqCst);
        let names: Vec<_> = kit.jobs().iter().map(|job| job.state).collect();
        assert!((1..=2).contains(&ran), "{ran} {names:?}");
    }));

    assert_eq!(explored.unwrap().crashes, 6);
    let _: fn(&CrashPoint) -> bool = CrashPoint::is_after_the_work;
}

//! Time: moved between attempts, and real within them.

use std::time::{Duration, Instant};

use queue_core::{
    Admin as _, Clock as _, Demand, JobContext, Queue, QueueExt as _, State, background_job, jobs,
};
use queue_testkit::{KitError, TestKit, VirtualClock};

use tokio::runtime::Builder;

use super::harness::KitHarness;
use super::jobs::{chain_for_ever, flaky, send_welcome};
use crate::law::expect_eq;

const HOUR: Duration = Duration::from_secs(3600);

/// Hours of backoff, delay and lease pass without waiting.
pub(super) async fn t3_retries_delays_and_leases_pass_without_waiting(harness: &KitHarness) {
    let began = Instant::now();
    let store = harness.store().await;
    let kit = TestKit::over(store.clone()).jobs(jobs![flaky, send_welcome]).build().expect("a kit");
    expect_eq!(kit.now(), VirtualClock::START);

    kit.queue().enqueue(flaky::new(2)).delay(24 * HOUR).await.expect("a push");
    let run = kit.run_until_idle().await.expect("a run");
    expect_eq!(run.attempts().len(), 3, "attempts in\n{}", run.trace());
    expect_eq!(kit.now().since(VirtualClock::START), 26 * HOUR, "a day and two hours of backoff");
    expect_eq!(kit.clock().now(), kit.now());

    // Another worker claims the job and dies.
    kit.queue().enqueue(send_welcome::new(1, "x")).await.expect("a push");
    let lost = kit.queue().claim(&Demand::new("default", 1).wait(Duration::ZERO)).await.expect("a claim");
    expect_eq!(lost.len(), 1);
    kit.run_until_idle().await.expect("a run").expect_success();
    kit.assert_completed(&send_welcome::new(1, "x"));
    expect_eq!(kit.now().since(VirtualClock::START), 26 * HOUR + Duration::from_secs(30));

    let kit_time = kit.now();
    kit.advance(HOUR).await;
    let clock = store.test_clock().expect("a clock for tests");
    expect_eq!(clock.now().await.expect("the time"), kit.now(), "the store's clock follows the kit's");
    clock.advance_to(kit.now().saturating_add(HOUR)).await.expect("the time");
    kit.queue().enqueue(send_welcome::new(2, "x")).await.expect("a push");
    expect_eq!(kit.now().since(kit_time), 2 * HOUR, "the kit's clock follows the store's");
    assert!(began.elapsed() < HOUR / 60, "the kit waited for real");
}

/// T28: A lease that another worker holds expires when its length has passed, shorter or longer than the kit's own.
pub(super) async fn t28_a_run_waits_for_a_lease_of_any_length(harness: &KitHarness) {
    for length in [Duration::from_secs(5), HOUR] {
        let kit = harness.kit(jobs![send_welcome]).await;
        kit.queue().enqueue(send_welcome::new(1, "x")).await.expect("a push");
        let demand = Demand::new("default", 1).lease(length).wait(Duration::ZERO);
        let lost = kit.queue().claim(&demand).await.expect("a claim");
        expect_eq!(lost.len(), 1);

        let run = kit.run_until_idle().await.expect("a run");

        run.expect_success();
        expect_eq!(run.attempts().len(), 1, "attempts in\n{}", run.trace());
        expect_eq!(kit.now().since(VirtualClock::START), length, "the lease in\n{}", run.trace());
    }
}

/// A run ends when nothing is due within its horizon. An endless chain and an unknown job end it with an error.
pub(super) async fn t4_a_run_ends_when_nothing_is_due_and_says_what_waits(harness: &KitHarness) {
    let minute = Duration::from_secs(60);
    let kit = harness.kit_with(jobs![send_welcome], |kit| kit.horizon(minute)).await;
    kit.queue().enqueue(send_welcome::new(1, "now")).await.expect("a push");
    kit.queue().enqueue(send_welcome::new(2, "later")).delay(2 * minute).await.expect("a push");
    let run = kit.run_until_idle().await.expect("a run");
    expect_eq!((run.attempts().len(), run.waiting().len()), (1, 1));
    expect_eq!(run.waiting()[0].state, State::Scheduled);
    expect_eq!(kit.run_for(2 * minute).await.expect("a run").attempts().len(), 1);
    expect_eq!(kit.now().since(VirtualClock::START), 2 * minute);

    let kit = harness.kit_with(jobs![chain_for_ever], |kit| kit.limit(5)).await;
    kit.queue().enqueue(chain_for_ever::new()).await.expect("a push");
    let error = kit.run_until_idle().await.expect_err("the chain is endless");
    assert!(error.to_string().contains("still not idle after 5 attempts"), "{error}");

    let kit = harness.kit(jobs![chain_for_ever]).await;
    kit.queue().enqueue(send_welcome::new(1, "x")).await.expect("a push");
    let error = kit.run_until_idle().await.expect_err("nothing runs this job");
    assert!(matches!(&error, KitError::Unknown { name } if *name == "send_welcome"), "{error}");
}

/// Waits for an event of another thread, which needs some real time.
#[background_job(timeout = "20s", max_attempts = 1)]
async fn wait_for_a_thread(#[inject] context: &JobContext) {
    let (done, is_done) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(20));
        done.send(())
    });
    is_done.await.expect("the thread answers");
    assert!(context.interrupt_reason().is_none());
}

#[background_job(timeout = "50ms", max_attempts = 1)]
async fn wait_for_ever() {
    std::future::pending::<()>().await;
}

#[background_job]
async fn wait_a_little(#[inject] context: &JobContext) {
    context.sleep(Duration::from_millis(30)).await; // virtual
}

/// Waits until a second has passed, as a job with a deadline of its own does.
#[background_job(max_attempts = 2, backoff = fixed("1h"))]
async fn wait_for_a_second(#[inject] context: &JobContext) -> Result<(), &'static str> {
    let began = context.now();
    while context.attempt() == 1 && context.now().since(began) < Duration::from_secs(1) {
        let (done, is_done) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(100));
            done.send(())
        });
        is_done.await.expect("the thread answers");
    }
    if context.attempt() == 1 { Err("not yet") } else { Ok(()) }
}

/// A timeout does not fire because a job waits for something real, and it fires when its time has really passed.
pub(super) async fn t22_time_within_an_attempt_is_real(harness: &KitHarness) {
    let kit = harness.kit(jobs![wait_for_a_thread, wait_for_ever, wait_a_little]).await;
    kit.queue().enqueue(wait_for_a_thread::new()).await.expect("a push");
    kit.run_until_idle().await.expect("a run").expect_success();
    expect_eq!(kit.now(), VirtualClock::START, "the time stands still while a job waits for something real");

    kit.queue().enqueue(wait_for_ever::new()).await.expect("a push");
    let (began, run) = (Instant::now(), kit.run_until_idle().await.expect("a run"));
    assert!(run.trace().contains("timed out after 50ms"), "{}", run.trace());
    assert!(began.elapsed() >= Duration::from_millis(50), "the timeout fired early");
    expect_eq!(kit.now().since(VirtualClock::START), Duration::from_millis(50));

    kit.queue().enqueue(wait_a_little::new()).await.expect("a push");
    let attempt = kit.step().await.expect("a step").expect("a job");
    expect_eq!(attempt.ended_at.since(attempt.started_at), Duration::from_millis(30));

    // A job sees the seconds that it takes, and nothing else depends on them.
    let kit = harness.kit(jobs![wait_for_a_second]).await;
    kit.queue().enqueue(wait_for_a_second::new()).await.expect("a push");
    let run = kit.run_until_idle().await.expect("a run");
    expect_eq!(run.attempts().len(), 2);
    expect_eq!(kit.now().since(VirtualClock::START), HOUR, "the backoff in\n{}", run.trace());
}

#[background_job]
async fn nap(#[inject] context: &JobContext, #[inject] queue: &dyn Queue) {
    context.sleep(HOUR).await; // virtual
    queue.enqueue(send_welcome::new(1, "after the nap")).delay(HOUR).await.expect("a push");
    tokio::time::sleep(HOUR).await; // virtual
}

/// An hour within an attempt passes at once if the test asks for it. The lease is renewed, and the store sees that time.
pub(super) async fn t23_virtual_time_passes_within_an_attempt(harness: &KitHarness) {
    let harness = harness.clone();
    let nap_there = move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(nap_under_paused_time(&harness));
    };
    tokio::task::spawn_blocking(nap_there).await.expect("the law");
}

async fn nap_under_paused_time(harness: &KitHarness) {
    let began = Instant::now();
    let store = harness.store().await;
    let kit =
        TestKit::over(store.clone()).jobs(jobs![nap, send_welcome]).virtual_time().build().expect("a kit");
    kit.queue().enqueue(nap::new()).await.expect("a push");

    let run = kit.run_until_idle().await.expect("a run");

    run.expect_success();
    expect_eq!(run.attempts().len(), 2, "attempts in\n{}", run.trace());
    // Tokio counts milliseconds.
    expect_eq!(kit.now().since(VirtualClock::START).as_secs(), 2 * HOUR.as_secs());
    kit.assert_completed(&send_welcome::new(1, "after the nap"));
    assert!(began.elapsed() < HOUR / 60, "the kit waited for real");
}

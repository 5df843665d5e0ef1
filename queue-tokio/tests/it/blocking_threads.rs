//! Tests that jobs that hold their threads delay no others: H1, H11, H12.

use std::hint;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use queue_core::{
    Admin as _, BoxError, Event, NewJob, Observer, Queue, QueueExt as _, Services, State, Transition,
    background_job, jobs,
};
use queue_testkit::Recorder;
use queue_tokio::QueueService;
use tokio::sync::Notify;

use crate::world::{TestResult, World, far_away, host, keeping_queue, shared};

/// A gate for jobs that hold a thread while they wait.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

#[background_job(max_attempts = 1)]
async fn hold_a_thread(#[inject] gate: &Gate, #[inject] holds: &Notify) {
    holds.notify_one();
    let is_closed = |is_open: &mut bool| !*is_open;
    let wait =
        gate.opened.wait_timeout_while(gate.is_open.lock().unwrap(), Duration::from_secs(60), is_closed);
    assert!(!wait.unwrap().1.timed_out(), "the gate was not opened");
}

#[background_job]
async fn open(#[inject] gate: &Gate) {
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
}

/// H1: a job that holds its thread delays no job claimed with it or after it, while another thread is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_holds_its_thread_delays_no_other() -> TestResult {
    for _ in 0..50 {
        for comes_along in [true, false] {
            let holds = shared::<Notify>();
            let services = Services::builder().singleton(Gate::default()).singleton_as(holds.clone());
            let world = World::start(jobs![hold_a_thread, open], services).await;

            if comes_along {
                world.queue.enqueue_all([NewJob::from(hold_a_thread::new()), open::new().into()]).await?;
            } else {
                world.queue.enqueue(hold_a_thread::new()).await?;
                holds.notified().await;
                world.queue.enqueue(open::new()).await?;
            }
            world.recorder.wait_for_settled::<open>(1).await;
            world.recorder.wait_for_settled::<hold_a_thread>(1).await;

            assert_eq!(world.queue.counts().await?[0].of(State::Completed), 2);
            world.host.stop().await?;
        }
    }
    Ok(())
}

/// A barrier at which jobs wait for one another, each holding its thread.
#[derive(Default)]
struct Meeting {
    came: Mutex<u32>,
    next: Condvar,
}

#[background_job(max_attempts = 1)]
async fn meet_with_threads(#[inject] meeting: &Meeting) {
    let mut came = meeting.came.lock().unwrap();
    *came += 1;
    meeting.next.notify_all();
    let wait = meeting.next.wait_timeout_while(came, Duration::from_secs(60), |came| *came < 4);
    assert!(!wait.unwrap().1.timed_out(), "not all jobs have arrived");
}

/// H1: jobs that hold their threads are spread over all threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocking_jobs_are_spread_over_all_threads() -> TestResult {
    for _ in 0..50 {
        let services = Services::builder().singleton(Meeting::default());
        let world = World::start(jobs![meet_with_threads], services).await;

        // The barrier opens only if four threads wait at once.
        world.queue.enqueue_all((0..4).map(|_| meet_with_threads::new())).await?;
        world.recorder.wait_for_settled::<meet_with_threads>(4).await;

        assert_eq!(world.queue.counts().await?[0].of(State::Completed), 4);
        world.host.stop().await?;
    }
    Ok(())
}

#[background_job]
async fn quiet() {}

/// The number of completed jobs.
#[derive(Default)]
struct Completed {
    count: Mutex<usize>,
    next: Condvar,
}

impl Observer for Counting {
    fn observe(&self, event: &Event) {
        if is_completed(event) {
            *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.0.next.notify_all();
        }
    }
}

struct Counting(Arc<Completed>);

fn is_completed(event: &Event) -> bool {
    matches!(event, Event::Settled { transition: Transition::Complete { .. }, .. })
}

/// Holds its thread until `jobs` jobs are completed.
#[background_job(max_attempts = 1)]
async fn wait_until_completed(#[inject] completed: &Completed, jobs: usize) {
    let are_missing = |count: &mut usize| *count < jobs;
    let count = completed.count.lock().unwrap();
    let wait = completed.next.wait_timeout_while(count, Duration::from_secs(60), are_missing);
    assert!(!wait.unwrap().1.timed_out(), "the jobs before this one have ended, but not all are settled");
}

#[background_job]
async fn take_two_milliseconds() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2) {
        hint::spin_loop();
    }
}

/// H11, H12: the end of a job is recorded although the next job holds the thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_attempt_is_settled_although_the_next_job_holds_the_thread() -> TestResult {
    for _ in 0..50 {
        let jobs = vec![quiet::new().into(), wait_until_completed::new(1).into()];
        all_complete(keeping_queue(), jobs, |service| service.concurrency(1).prefetch(1)).await?;
    }
    Ok(())
}

/// H11: the same if more jobs wait than there are workers to run them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_attempt_is_settled_although_more_jobs_wait() -> TestResult {
    for _ in 0..50 {
        let jobs = vec![quiet::new().into(), wait_until_completed::new(1).into(), quiet::new().into()];
        all_complete(keeping_queue(), jobs, |service| service.concurrency(1).prefetch(2)).await?;
    }
    Ok(())
}

/// H11: the same after a long job, if there is a worker for each waiting job but no thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_attempt_is_settled_although_no_thread_is_free() -> TestResult {
    for _ in 0..20 {
        let first = take_two_milliseconds::new().into();
        let jobs = vec![first, wait_until_completed::new(1).into(), quiet::new().into()];
        all_complete(keeping_queue(), jobs, |service| service.concurrency(3)).await?;
    }
    Ok(())
}

/// H11: the same with automatic prefetch, sooner than waiting jobs are released, which would flush the
/// settlements too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_attempt_is_settled_although_more_jobs_were_prefetched() -> TestResult {
    let job = |before: usize| match before % 5 {
        4 => wait_until_completed::new(before).into(),
        _ => quiet::new().into(),
    };
    let queue = far_away(&keeping_queue());

    let recorder = all_complete(queue, (0..200).map(job).collect(), |service| service.concurrency(1)).await?;

    let is_released = |event: &Event| matches!(event, Event::Settled { transition: Transition::Release, .. });
    let released = recorder.count(is_released);
    assert!(released < 20, "behind 40 jobs that held their thread, {released} were released");
    Ok(())
}

/// Starts the loop on jobs that are already queued, and waits until all are completed.
async fn all_complete(
    queue: impl Queue,
    jobs: Vec<NewJob>,
    set: impl FnOnce(QueueService) -> QueueService,
) -> Result<Recorder, BoxError> {
    let (completed, number) = (shared::<Completed>(), jobs.len());
    queue.push(jobs).await?;
    let recorder = Recorder::with_deadline(Duration::from_secs(120));
    let known = jobs![quiet, take_two_milliseconds, wait_until_completed];
    let service =
        set(QueueService::new(queue, known)).observe(recorder.clone()).observe(Counting(completed.clone()));
    let services = Services::builder().singleton_as(completed).build()?;

    let host = host(services, service).start().await?;

    recorder.wait_for_count("completions", number, is_completed).await;
    host.stop().await?;
    Ok(recorder)
}

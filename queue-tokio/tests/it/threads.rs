//! Jobs that hold their threads hold up no others: H1, H11, H12.

use std::hint;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use queue_core::{
    Event, Inspect as _, NewJob, Observer, QueueExt as _, Services, State, background_job, jobs,
};
use queue_testkit::Recorder;
use queue_tokio::QueueService;
use tokio::sync::Notify;

use crate::world::{TestResult, World, host, keeping_queue, shared};

/// Opens for those that hold a thread while they wait at it.
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
    assert!(!wait.unwrap().1.timed_out(), "nobody opened the gate");
}

#[background_job]
async fn open(#[inject] gate: &Gate) {
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
}

/// H1: a job that holds its thread holds up none that was claimed with it, nor any after it, while another thread is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_holds_its_thread_holds_up_no_other() -> TestResult {
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

/// Where jobs wait for one another, each holding its thread.
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
    assert!(!wait.unwrap().1.timed_out(), "not all have come");
}

/// H1: jobs that hold their threads are spread over all that there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_jobs_hold_threads_as_there_are() -> TestResult {
    for _ in 0..50 {
        let services = Services::builder().singleton(Meeting::default());
        let world = World::start(jobs![meet_with_threads], services).await;

        // It takes four threads at once.
        world.queue.enqueue_all((0..4).map(|_| meet_with_threads::new())).await?;
        world.recorder.wait_for_settled::<meet_with_threads>(4).await;

        assert_eq!(world.queue.counts().await?[0].of(State::Completed), 4);
        world.host.stop().await?;
    }
    Ok(())
}

#[background_job]
async fn quiet() {}

/// Tells each settlement.
struct Settlements(Mutex<Sender<()>>);

impl Observer for Settlements {
    fn observe(&self, event: &Event) {
        if matches!(event, Event::Settled { .. }) {
            // Nobody listens any more once the job is over.
            self.0.lock().unwrap_or_else(PoisonError::into_inner).send(()).unwrap_or_default();
        }
    }
}

#[background_job(max_attempts = 1)]
async fn wait_for_a_settlement(#[inject] settlements: &Mutex<Receiver<()>>) {
    let settled = settlements.lock().unwrap().recv_timeout(Duration::from_secs(60));
    settled.expect("the job before this one was not settled");
}

#[background_job]
async fn take_two_milliseconds() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2) {
        hint::spin_loop();
    }
}

/// H11, H12: the end of a job is recorded although the next one holds the thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_is_settled_although_the_next_job_holds_the_thread() -> TestResult {
    for _ in 0..50 {
        settled_in_between([quiet::new().into(), wait_for_a_settlement::new().into()]).await?;
    }
    Ok(())
}

/// H11, H12: it is recorded too if more jobs wait, once it took long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_took_long_is_settled_although_more_jobs_wait() -> TestResult {
    for _ in 0..20 {
        let first = take_two_milliseconds::new().into();
        settled_in_between([first, wait_for_a_settlement::new().into(), quiet::new().into()]).await?;
    }
    Ok(())
}

/// H11: so it is after a job that took no time, where the service was told how much to claim ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_took_no_time_is_settled_although_more_jobs_wait() -> TestResult {
    for _ in 0..20 {
        settled_in_between([quiet::new().into(), wait_for_a_settlement::new().into(), quiet::new().into()])
            .await?;
    }
    Ok(())
}

/// Runs jobs one after the other, of which the second waits until the first is settled.
async fn settled_in_between<const N: usize>(jobs: [NewJob; N]) -> TestResult {
    let queue = keeping_queue();
    let recorder = Recorder::with_deadline(Duration::from_secs(120));
    let (told, settlements) = channel();
    let known = jobs![quiet, take_two_milliseconds, wait_for_a_settlement];
    let service = QueueService::new(queue.clone(), known)
        .concurrency(1)
        .prefetch(N - 1)
        .observe(recorder.clone())
        .observe(Settlements(Mutex::new(told)));
    let services = Services::builder().singleton(Mutex::new(settlements)).build()?;
    queue.enqueue_all(jobs).await?;

    let host = host(services, service).start().await?;

    let settled = |event: &Event| matches!(event, Event::Settled { .. });
    recorder.wait_for_count("settlements", N, settled).await;
    assert_eq!(queue.counts().await?[0].of(State::Completed), u64::try_from(N)?);
    host.stop().await?;
    Ok(())
}

//! Tests how the hosted loop runs jobs: H1, H2, H5, H6, H11, H12, H18, H20, H21, H23, H24, H26, H27.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Admin as _, Body, Delivery, Event, Failure, FailureCause, Job as _, JobContext, JobError, NewJob,
    Outcome, OutcomeKind, QueueExt as _, Services, State, Worker, background_job, jobs,
};
use serde::Serialize;
use tokio::sync::{Barrier, Notify, Semaphore};

use crate::world::{TestResult, World, record, shared};

#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[background_job]
async fn meet(#[inject] gauge: &Gauge, #[inject] barrier: &Barrier) {
    let now = gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
    gauge.most.fetch_max(now, Ordering::SeqCst);
    barrier.wait().await;
    gauge.now.fetch_sub(1, Ordering::SeqCst);
}

/// H1: exactly `concurrency` attempts run at once while there is work, and never more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_jobs_run_at_once_as_concurrency_says() -> TestResult {
    let gauge = shared::<Gauge>();
    let services = Services::builder().singleton_as(gauge.clone()).singleton(Barrier::new(8));
    let world = World::with(jobs![meet], services, |service| service.concurrency(8)).await;

    // The barrier opens only when eight meet, so the loop must run eight at once, five times.
    world.queue.enqueue_all((0..40).map(|_| meet::new())).await?;
    world.recorder.wait_for_settled::<meet>(40).await;

    assert_eq!(gauge.most.load(Ordering::SeqCst), 8);
    world.host.stop().await?;
    Ok(())
}

#[background_job(max_attempts = 1)]
async fn explode() {
    panic!("boom");
}

#[background_job]
async fn quiet() {}

/// H2: a panic is a failed attempt; the loop and the other jobs continue.
#[tokio::test]
async fn a_panic_fails_its_job_and_no_other() -> TestResult {
    let world =
        World::with(jobs![explode, quiet], Services::builder(), |service| service.concurrency(1)).await;
    let exploded = world.queue.enqueue(explode::new()).await?.id();

    world.queue.enqueue(quiet::new()).await?;
    world.recorder.wait_for_settled::<quiet>(1).await;

    let job = record(&world.queue, exploded).await;
    assert_eq!(job.state, State::Discarded);
    assert!(job.errors[0].message.starts_with("panicked: boom, at "), "{:?}", job.errors);
    world.host.stop().await?;
    Ok(())
}

/// A payload that panics when it is dropped.
#[derive(Serialize)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// H2: many jobs whose payloads panic when they are dropped harm neither the loop nor other jobs.
#[tokio::test]
async fn payloads_that_panic_when_dropped_harm_no_other_job() -> TestResult {
    let world = World::start(jobs![quiet], Services::builder()).await;
    let bomb = || NewJob::new(quiet::NAME, Body::typed(Bomb));

    let bombs = world.queue.enqueue_all((0..10).map(|_| bomb())).await?;
    world.recorder.wait_for_settled::<quiet>(10).await;
    for receipt in bombs {
        world.queue.delete(receipt.id()).await?;
    }
    world.queue.enqueue(quiet::new()).await?;
    world.recorder.wait_for_settled::<quiet>(11).await;

    assert_eq!(world.queue.counts().await?[0].of(State::Completed), 1);
    world.host.stop().await?;
    Ok(())
}

#[background_job]
async fn wait_for_token(#[inject] context: &JobContext) -> Result<(), JobError> {
    context.token().cancelled().await;
    Err(JobError::transient("told to stop"))
}

#[background_job]
async fn never_stop() {
    std::future::pending::<()>().await;
}

/// H5: a cancelled job's token fires at the next renewal, and the job ends as cancelled.
#[tokio::test(start_paused = true)]
async fn a_cancelled_jobs_token_fires_at_the_next_renewal() -> TestResult {
    let world = World::start(jobs![wait_for_token], Services::builder()).await;
    let id = world.queue.enqueue(wait_for_token::new()).await?.id();
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    world.queue.cancel(id, "changed my mind").await?;
    world.recorder.wait_for("the news", |event| matches!(event, Event::CancelRequested { .. })).await;
    world.recorder.wait_for_settled::<wait_for_token>(1).await;

    let job = record(&world.queue, id).await;
    assert_eq!((job.state, job.cancel_reason.as_deref()), (State::Cancelled, Some("changed my mind")));
    world.host.stop().await?;
    Ok(())
}

/// H5: a cancelled job that does not stop is dropped after the grace period, and its scope is disposed.
#[tokio::test(start_paused = true)]
async fn a_cancelled_job_that_does_not_stop_is_dropped() -> TestResult {
    let world = World::with(jobs![never_stop], Services::builder(), |service| {
        service.grace(Duration::from_secs(3)).lease(Duration::from_secs(9))
    })
    .await;
    let id = world.queue.enqueue(never_stop::new()).await?.id();
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    world.queue.cancel(id, "enough").await?;
    world.recorder.wait_for_settled::<never_stop>(1).await;

    assert_eq!(record(&world.queue, id).await.state, State::Cancelled);
    world.host.stop().await?;
    Ok(())
}

/// H5: a job that is cancelled while it waits for a worker never starts.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_cancelled_before_it_starts_never_does() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let services = Services::builder().singleton_as(gate.clone());
    let world = World::with(jobs![hold, quiet], services, |service| service.concurrency(1).prefetch(1)).await;
    world.queue.enqueue_all([queue_core::NewJob::from(hold::new()), quiet::new().into()]).await?;
    let claimed = |event: &Event| matches!(event, Event::Claimed(job) if job.name == "quiet");
    let Event::Claimed(quiet_one) = world.recorder.wait_for("its claim", claimed).await else {
        unreachable!()
    };

    world.queue.cancel(quiet_one.id, "changed my mind").await?;
    world.recorder.wait_for("the news", |event| matches!(event, Event::CancelRequested { .. })).await;
    gate.add_permits(1);
    world.recorder.wait_for_settled::<quiet>(1).await;

    assert_eq!(record(&world.queue, quiet_one.id).await.state, State::Cancelled);
    assert_eq!(world.recorder.count(|event| matches!(event, Event::Started(job) if job.name == "quiet")), 0);
    world.host.stop().await?;
    Ok(())
}

/// H5, H6: a commit that hangs holds its worker only until the job was cancelled and its grace period has passed.
#[tokio::test(start_paused = true)]
async fn a_commit_that_hangs_is_abandoned_when_the_job_is_aborted() -> TestResult {
    let services = Services::builder().unit_of_work(
        async || Ok::<_, std::io::Error>(String::new()),
        async |_: String, _: OutcomeKind| std::future::pending::<Result<(), std::io::Error>>().await,
    );
    let world = World::with(jobs![commit], services, |service| service.concurrency(1)).await;
    let id = world.queue.enqueue(commit::new("hang")).await?.id();
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    world.queue.cancel(id, "it hangs").await?;
    world.recorder.wait_for_settled::<commit>(1).await;

    assert_eq!(record(&world.queue, id).await.state, State::Cancelled);
    world.host.stop().await?;
    Ok(())
}

struct Journal(std::sync::Mutex<Vec<String>>);

#[background_job(max_attempts = 1)]
async fn commit(#[inject] unit: &mut String, how: &str) -> Result<(), JobError> {
    unit.push_str(how);
    if how == "fail" {
        Err("no")?;
    }
    Ok(())
}

/// H6: the unit of work has ended before the settlement is sent.
#[tokio::test]
async fn the_scope_is_closed_before_the_settlement() -> TestResult {
    let journal = Arc::new(Journal(std::sync::Mutex::default()));
    let ended = journal.clone();
    let services = Services::builder().unit_of_work(
        async || Ok::<_, std::io::Error>(String::new()),
        move |unit: String, outcome: OutcomeKind| {
            ended.0.lock().unwrap().push(format!("{unit} {outcome:?}"));
            async { Ok::<(), std::io::Error>(()) }
        },
    );
    let world = World::with(jobs![commit], services, |service| service.concurrency(1)).await;

    world.queue.enqueue_all([commit::new("succeed"), commit::new("fail")]).await?;
    world.recorder.wait_for_settled::<commit>(2).await;

    assert_eq!(*journal.0.lock().unwrap(), ["succeed Success", "fail Failure"]);
    world.host.stop().await?;
    Ok(())
}

#[background_job]
async fn hold(#[inject] gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

/// H11, H12: a result is settled at once, even while another job runs.
#[tokio::test(start_paused = true)]
async fn a_settlement_waits_for_nothing() -> TestResult {
    let gate = Arc::new(Semaphore::new(0));
    let world = World::start(jobs![hold, quiet], Services::builder().singleton_as(gate.clone())).await;
    world.queue.enqueue(hold::new()).await?;
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;
    let began = tokio::time::Instant::now();

    world.queue.enqueue(quiet::new()).await?;
    world.recorder.wait_for_settled::<quiet>(1).await;

    assert_eq!(began.elapsed(), Duration::ZERO, "nothing here needs time");
    gate.add_permits(1);
    world.host.stop().await?;
    Ok(())
}

struct Note {
    inner: Arc<dyn Worker>,
    name: &'static str,
    notes: Arc<Journal>,
}

#[async_trait]
impl Worker for Note {
    async fn work(&self, context: &JobContext) -> Outcome {
        self.notes.0.lock().unwrap().push(format!("{} before", self.name));
        let outcome = self.inner.work(context).await;
        let kind = outcome.failure().map(|failure| failure.cause);
        self.notes.0.lock().unwrap().push(format!("{} after {kind:?}", self.name));
        match outcome {
            Outcome::Failure(failure) if self.name == "outer" => {
                Outcome::Failure(Failure::new(FailureCause::Error, format!("changed: {failure}")))
            }
            other => other,
        }
    }
}

/// H18: middleware runs outermost first, sees panics as outcomes, and may change them.
#[tokio::test]
async fn middleware_sees_every_outcome_and_may_change_it() -> TestResult {
    let notes = Arc::new(Journal(std::sync::Mutex::default()));
    let layer = |name: &'static str| {
        let notes = notes.clone();
        move |inner| Note { inner, name, notes: notes.clone() }
    };
    let world = World::with(jobs![explode], Services::builder(), |service| {
        service.layer(layer("outer")).layer(layer("inner"))
    })
    .await;

    let id = world.queue.enqueue(explode::new()).await?.id();
    world.recorder.wait_for_settled::<explode>(1).await;

    let seen = notes.0.lock().unwrap().clone();
    assert_eq!(seen, ["outer before", "inner before", "inner after Some(Panic)", "outer after Some(Panic)"]);
    assert!(record(&world.queue, id).await.errors[0].message.starts_with("changed: panicked: boom"));
    world.host.stop().await?;
    Ok(())
}

#[background_job(queue = "bulk")]
async fn bulk() {}

#[background_job(queue = "critical")]
async fn critical() {}

/// H20: queues that share a worker do not starve one another, whatever their weights.
#[tokio::test]
async fn no_queue_starves_another() -> TestResult {
    let world = World::with(jobs![bulk, critical], Services::builder(), |service| {
        service.concurrency(1).weighted_queues([("critical", 3), ("bulk", 1)])
    })
    .await;

    world.queue.enqueue_all((0..40).map(|_| critical::new())).await?;
    world.queue.enqueue_all((0..40).map(|_| bulk::new())).await?;
    world.recorder.wait_for_settled::<bulk>(10).await;
    world.recorder.wait_for_settled::<critical>(40).await;

    let events = world.recorder.events();
    let order = events.iter().filter_map(|event| match event {
        Event::Started(job) => Some(job.name.clone()),
        _ => None,
    });
    let before_last_critical: Vec<_> = order.collect();
    let last = before_last_critical.iter().rposition(|name| *name == "critical").unwrap();
    let bulk_before = before_last_critical[..last].iter().filter(|name| **name == "bulk").count();
    assert!((10..=15).contains(&bulk_before), "{bulk_before} bulk jobs ran before the last critical one");
    world.host.stop().await?;
    Ok(())
}

/// H21: an idle loop only repeats its claim every five minutes, whatever happened to the last answer.
#[tokio::test(start_paused = true)]
async fn an_idle_loop_asks_the_queue_once_in_five_minutes() -> TestResult {
    let world = World::start(jobs![quiet], Services::builder()).await;
    world.queue.enqueue(quiet::new()).await?;
    world.recorder.wait_for_settled::<quiet>(1).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = Counting { queue: crate::world::keeping_queue(), calls: calls.clone() };
    let idle = World::over(counting.queue.clone(), counting, jobs![quiet], Services::builder(), |s| s).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let at_first = calls.load(Ordering::SeqCst);

    for _ in 0..24 {
        tokio::time::advance(Duration::from_secs(3600)).await;
    }

    assert_eq!(at_first, 1, "one claim waits");
    let calls = calls.load(Ordering::SeqCst);
    assert!((2..=24 * 12 + 1).contains(&calls), "{calls} calls in a day");
    world.host.stop().await?;
    idle.host.stop().await?;
    Ok(())
}

/// Counts the calls of a queue.
struct Counting {
    queue: queue_tokio::MemoryQueue,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl queue_core::Queue for Counting {
    async fn push(
        &self,
        jobs: Vec<queue_core::NewJob>,
    ) -> Result<Vec<queue_core::Receipt>, queue_core::QueueError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.queue.push(jobs).await
    }

    async fn claim(&self, demand: &queue_core::Demand) -> Result<Vec<Delivery>, queue_core::QueueError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.queue.claim(demand).await
    }

    async fn renew(
        &self,
        heartbeats: &[queue_core::Heartbeat],
    ) -> Result<Vec<queue_core::Renewal>, queue_core::QueueError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.queue.renew(heartbeats).await
    }

    async fn settle(
        &self,
        settlements: Vec<queue_core::Settlement>,
    ) -> Result<Vec<queue_core::Settled>, queue_core::QueueError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.queue.settle(settlements).await
    }
}

/// H23: a closure gets a context with a token and the services of a scope of its own.
#[tokio::test]
async fn a_closure_runs_with_a_token_and_services() -> TestResult {
    let done = Arc::new(Notify::new());
    let world = World::start(jobs![], Services::builder().singleton_as(done.clone())).await;

    world
        .queue
        .enqueue_fn(async move |scope| {
            assert!(!scope.token().is_cancelled());
            scope.service::<Notify>().await?.notify_one();
            Ok::<(), JobError>(())
        })
        .await?;
    done.notified().await;

    world.host.stop().await?;
    Ok(())
}

#[background_job]
async fn first_page(#[inject] context: &JobContext, pages: u32) {
    if pages > 1 {
        context.then(first_page::new(pages - 1));
    }
}

/// H24, Q57: a chain in a queue bounded at one never waits for its own capacity.
#[tokio::test]
async fn a_chain_does_not_wait_for_its_own_queue() -> TestResult {
    let queue = queue_tokio::MemoryQueue::bounded(1);
    let world = World::over(queue.clone(), queue, jobs![first_page], Services::builder(), |s| s).await;

    world.queue.enqueue(first_page::new(5)).await?;
    world.recorder.wait_for_settled::<first_page>(5).await;

    world.host.stop().await?;
    Ok(())
}

#[background_job(blocking)]
fn block_until_told(#[inject] told: &std::sync::Mutex<std::sync::mpsc::Receiver<()>>) {
    told.lock().unwrap().recv().unwrap();
}

/// H27: a blocking job has a thread of its own, so other jobs run meanwhile on a runtime with one thread.
#[tokio::test]
async fn a_blocking_job_delays_no_other() -> TestResult {
    let (tell, told) = std::sync::mpsc::channel();
    let services = Services::builder().singleton(std::sync::Mutex::new(told));
    let world = World::start(jobs![block_until_told, quiet], services).await;
    world.queue.enqueue(block_until_told::new()).await?;
    world.recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    world.queue.enqueue(quiet::new()).await?;
    world.recorder.wait_for_settled::<quiet>(1).await;
    tell.send(())?;
    world.recorder.wait_for_settled::<block_until_told>(1).await;

    world.host.stop().await?;
    Ok(())
}

/// Holds the runtime's only thread until released, which a well-behaved job never does.
#[background_job]
async fn hog(#[inject] stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

/// H26: if a job blocks every thread of the runtime, no job loses its lease, and the job is reported by name.
#[test]
fn a_job_that_hogs_the_runtime_keeps_every_lease_alive() -> TestResult {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let recorder = queue_testkit::Recorder::new();
    let queue = crate::world::keeping_queue();
    let services = Services::builder().singleton_as(stop.clone()).build()?;
    let release = stop.clone();
    let watch = move |event: &Event| {
        if matches!(event, Event::ThreadBlocked { .. }) {
            release.store(true, Ordering::SeqCst);
        }
    };
    let service = queue_tokio::QueueService::new(queue.clone(), jobs![hog, quiet])
        .lease(Duration::from_secs(3))
        .concurrency(1)
        .prefetch(1)
        .observe(recorder.clone())
        .observe(OnEvent(watch));
    runtime.block_on(async {
        let id = queue.enqueue(hog::new()).await?.id();
        // This one waits behind it for the worker, and blocks nothing.
        queue.enqueue(quiet::new()).await?;
        let host = crate::world::host(services, service).start().await?;
        recorder.wait_for_settled::<hog>(1).await;
        let reports = |event: &Event| matches!(event, Event::ThreadBlocked { .. });
        let Event::ThreadBlocked { job, blocked_for } = recorder.wait_for("the report", reports).await else {
            unreachable!("only reports were asked for");
        };
        assert_eq!(job.name, "hog");
        assert!(blocked_for >= Duration::from_secs(1), "{blocked_for:?}");
        assert_eq!(recorder.count(reports), 1, "a job is reported once");

        let job = record(&queue, id).await;

        assert_eq!((job.state, job.fence.0), (State::Completed, 1), "{:?}", job.errors);
        host.stop().await?;
        Ok(())
    })
}

struct OnEvent<F>(F);

impl<F: Fn(&Event) + Send + Sync + 'static> queue_core::Observer for OnEvent<F> {
    fn observe(&self, event: &Event) {
        (self.0)(event);
    }
}

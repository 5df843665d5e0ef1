//! Tests the stop of a host against H61, H62 and H63, on every backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Admin, BoxError, Delivery, Demand, Event, Heartbeat, JobContext, NewJob, OutcomeKind, Queue, QueueError,
    QueueExt as _, Receipt, Renewal, Services, Settled, Settlement, State, background_job, jobs,
};
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_testkit::Recorder;
use queue_tokio::{Host, HostContext, HostedService, MemoryQueue, QueueService};
use test_servers::{Durability, Postgres};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::world::{TestResult, keeping_queue};

const SECOND: Duration = Duration::from_secs(1);

#[background_job(max_attempts = 1)]
async fn quick() {
    tokio::task::yield_now().await;
}

/// Stops a host twenty times while jobs are pushed, and counts the leased jobs after each stop.
async fn no_job_is_leased_after_a_stop(queue: impl Admin + Clone) -> TestResult {
    let pusher = {
        let queue = queue.clone();
        tokio::spawn(async move {
            loop {
                queue.enqueue_all((0..20).map(|_| quick::new())).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    let mut leased = Vec::new();

    for stop in 0..20 {
        let recorder = Recorder::new();
        let service = QueueService::new(queue.clone(), jobs![quick]).concurrency(8).observe(recorder.clone());
        let running = Host::builder().service(service).build()?.start().await?;
        recorder.wait_for_ended::<quick>(stop * 5 + 1).await;
        running.stop().await?;
        leased.push(count(&queue, State::Executing).await?);
    }
    assert!(!pusher.is_finished(), "jobs were pushed all the time");
    pusher.abort();

    assert_eq!(leased, [0; 20], "jobs that are executing after each stop");
    assert_eq!(count(&queue, State::Discarded).await?, 0, "jobs that were discarded");
    Ok(())
}

async fn count(queue: &impl Admin, state: State) -> Result<u64, QueueError> {
    Ok(queue.counts().await?.iter().map(|counts| counts.of(state)).sum())
}

/// H61: when the stop has returned, no job of an in-memory queue is leased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_under_load_no_job_in_memory_is_leased() -> TestResult {
    let retention = queue_core::table::Retention::everything();
    no_job_is_leased_after_a_stop(MemoryQueue::builder().bound(2_000).retention(retention).build()).await
}

/// H61: when the stop has returned, no job in an SQLite file is leased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_under_load_no_job_in_sqlite_is_leased() -> TestResult {
    let folder = tempfile::tempdir()?;
    no_job_is_leased_after_a_stop(SqliteQueue::open(folder.path().join("jobs.db")).await?).await
}

/// H61: when the stop has returned, no job in PostgreSQL is leased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_stop_under_load_no_job_in_postgres_is_leased() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    no_job_is_leased_after_a_stop(PostgresQueue::connect(server.url("postgres")).await?).await
}

/// The action of [`Odd`] in a claim, after it has leased jobs or while it waits for them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Oddity {
    /// It ignores stop signals.
    Deaf,
    /// It answers a second after it leased, and observes stop signals.
    AnswersLate,
    /// It never answers, not even to a stop signal.
    ClaimsHang,
    /// A settlement is never answered.
    SettlementsHang,
}

/// A third-party queue over an in-memory one.
struct Odd {
    queue: MemoryQueue,
    oddity: Oddity,
    leased: Arc<Notify>,
}

impl Odd {
    fn new(oddity: Oddity) -> Self {
        Self { queue: keeping_queue(), oddity, leased: Arc::default() }
    }
}

#[async_trait]
impl Queue for Odd {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.queue.push(jobs).await
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let mut deaf = demand.clone();
        deaf.stop = None;
        match self.oddity {
            Oddity::Deaf => self.queue.claim(&deaf).await,
            Oddity::SettlementsHang => self.queue.claim(demand).await,
            Oddity::AnswersLate => {
                let deliveries = self.queue.claim(demand).await?;
                self.leased.notify_one();
                tokio::time::sleep(SECOND).await; // virtual
                Ok(deliveries)
            }
            Oddity::ClaimsHang => {
                demand.stopped().await;
                std::future::pending().await
            }
        }
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.queue.renew(heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        if self.oddity == Oddity::SettlementsHang {
            std::future::pending::<()>().await;
        }
        self.queue.settle(settlements).await
    }
}

/// H61: jobs that a claim leases while the stop comes are released before the stop returns, however late the claim answers.
#[tokio::test(start_paused = true)]
async fn jobs_claimed_during_a_stop_are_released_before_the_stop_returns() -> TestResult {
    let odd = Odd::new(Oddity::AnswersLate);
    let (queue, leased) = (odd.queue.clone(), odd.leased.clone());
    let running = Host::builder().service(QueueService::new(odd, jobs![quick])).build()?.start().await?;
    let id = queue.enqueue(quick::new()).await?.id();
    leased.notified().await;

    running.stop().await?;

    let job = queue.get(id).await?.ok_or("the job is there")?;
    assert_eq!((job.state, job.attempt, job.fence.0), (State::Available, 0, 1), "released, and never run");
    Ok(())
}

/// H61, H63: a queue that ignores stop signals delays no stop, and none of its jobs stays leased.
#[tokio::test(start_paused = true)]
async fn a_queue_that_ignores_stop_signals_delays_no_stop() -> TestResult {
    let odd = Odd::new(Oddity::Deaf);
    let queue = odd.queue.clone();
    let running = Host::builder().service(QueueService::new(odd, jobs![quick])).build()?.start().await?;
    tokio::task::yield_now().await;
    let began = Instant::now();

    running.stop().await?;

    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    let id = queue.enqueue(quick::new()).await?.id();
    tokio::time::advance(SECOND).await;
    assert_eq!(queue.get(id).await?.ok_or("the job is there")?.fence.0, 0, "no claim is made any more");
    Ok(())
}

#[background_job]
async fn long(#[inject] context: &JobContext) {
    context.sleep(10 * SECOND).await; // virtual
}

/// H62: once a stop is requested, no job begins in any service of the host, whichever service is stopped first.
#[tokio::test(start_paused = true)]
async fn after_a_stop_is_requested_no_job_begins_in_any_service() -> TestResult {
    let (first, second, recorder) = (keeping_queue(), keeping_queue(), Recorder::new());
    let service = |queue: &MemoryQueue| {
        QueueService::new(queue.clone(), jobs![quick, long]).concurrency(2).observe(recorder.clone())
    };
    let host = Host::builder().service(service(&first)).service(service(&second)).build()?;
    let running = host.start().await?;
    second.enqueue(long::new()).await?;
    recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    let stop = tokio::spawn(running.stop());
    recorder.wait_for("the stop", |event| matches!(event, Event::Stopping)).await;
    first.enqueue_all((0..50).map(|_| quick::new())).await?;
    second.enqueue_all((0..50).map(|_| quick::new())).await?;
    stop.await??;

    let starts = recorder.count(|event| matches!(event, Event::Started(_)));
    assert_eq!(starts, 1, "the long job alone began");
    assert_eq!(count(&first, State::Available).await? + count(&second, State::Available).await?, 100);
    Ok(())
}

#[background_job]
async fn instant() {}

/// H62: after a stop is requested, no job begins, not even in a lane that has waiting jobs and a worker that runs before the stop is noted.
#[tokio::test]
async fn a_running_worker_begins_no_buffered_job_after_the_stop() -> TestResult {
    let (queue, recorder) = (keeping_queue(), Recorder::new());
    let service = QueueService::new(queue.clone(), jobs![instant]).concurrency(5000);
    let running = Host::builder().service(service.observe(recorder.clone())).build()?.start().await?;
    queue.enqueue_all((0..5000).map(|_| instant::new())).await?;
    recorder.wait_for_ended::<instant>(1).await;
    let starts = || recorder.count(|event| matches!(event, Event::Started(_)));
    // Nothing runs between this line and the stop: there is one thread.
    let before = starts();

    running.stop().await?;

    assert_eq!(starts(), before);
    assert!(before < 5000, "jobs were left");
    Ok(())
}

/// H62: services are stopped in reverse: an earlier service that a job uses runs until the job has ended.
#[tokio::test(start_paused = true)]
async fn an_earlier_service_stops_after_the_jobs_of_a_later_one_have_ended() -> TestResult {
    let (queue, recorder, is_stopped) = (keeping_queue(), Recorder::new(), Arc::new(AtomicBool::new(false)));
    let service = QueueService::new(queue.clone(), jobs![use_earlier]).observe(recorder.clone());
    let earlier = Slow { takes: Duration::ZERO, clean_up: SECOND, is_stopped: is_stopped.clone() };
    let services = Services::builder().singleton_as(is_stopped.clone()).build()?;
    let host = Host::builder().services(services).service(earlier).service(service).build()?;
    let running = host.start().await?;
    let id = queue.enqueue(use_earlier::new()).await?.id();
    recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;

    running.stop().await?;

    let job = queue.get(id).await?.ok_or("the job is there")?;
    assert_eq!(job.state, State::Completed, "{:?}", job.errors);
    assert!(is_stopped.load(Ordering::SeqCst));
    Ok(())
}

#[background_job(max_attempts = 1)]
async fn use_earlier(#[inject] context: &JobContext, #[inject] is_stopped: &AtomicBool) {
    context.sleep(10 * SECOND).await; // virtual
    assert!(!is_stopped.load(Ordering::SeqCst), "the earlier service was stopped while the job ran");
}

/// A service that takes `takes` to stop.
struct Slow {
    takes: Duration,
    clean_up: Duration,
    is_stopped: Arc<AtomicBool>,
}

#[async_trait]
impl HostedService for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn clean_up(&self) -> Duration {
        self.clean_up
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        context.stopping().cancelled().await;
        self.is_stopped.store(true, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await; // virtual
        Ok(())
    }
}

/// H63: the shutdown timeout counts once for all services, and each has its clean-up time after that.
#[tokio::test(start_paused = true)]
async fn the_shutdown_timeout_counts_once_for_all_services() -> TestResult {
    let hour = 3600 * SECOND;
    let slow = |takes, clean_up| Slow { takes, clean_up, is_stopped: Arc::default() };
    let builder = Host::builder().shutdown_timeout(30 * SECOND);
    let builder = builder.service(slow(20 * SECOND, 20 * SECOND)).service(slow(hour, 10 * SECOND));
    let running =
        builder.service(slow(hour, 40 * SECOND)).service(slow(hour, SECOND)).build()?.start().await?;
    let began = Instant::now();

    let stopped = running.stop().await?;

    assert_eq!(
        stopped.interrupted.len(),
        3,
        "the first still has its clean-up time: {:?}",
        stopped.interrupted
    );
    assert_eq!(began.elapsed(), (30 + 40) * SECOND, "the timeout and the longest clean-up");
    Ok(())
}

#[background_job]
async fn never_stop() {
    std::future::pending::<()>().await;
}

async fn stop_takes(odd: Odd, job: NewJob) -> Result<Duration, BoxError> {
    let (queue, recorder) = (odd.queue.clone(), Recorder::with_deadline(120 * SECOND));
    let is_run = odd.oddity != Oddity::ClaimsHang;
    let service = QueueService::new(odd, jobs![never_stop, quick]).observe(recorder.clone());
    let builder = Host::builder().shutdown_timeout(5 * SECOND).service(service);
    let running = builder.build()?.start().await?;
    queue.push(vec![job]).await?;
    if is_run {
        recorder.wait_for("the start", |event| matches!(event, Event::Started(_))).await;
    }
    tokio::task::yield_now().await;
    let began = Instant::now();
    running.stop().await?;
    Ok(began.elapsed())
}

/// H63: a stop abandons a claim and settlements that are never answered.
#[tokio::test(start_paused = true)]
async fn a_stop_abandons_calls_that_are_never_answered() -> TestResult {
    let claim = stop_takes(Odd::new(Oddity::ClaimsHang), quick::new().into()).await?;
    let settlement = stop_takes(Odd::new(Oddity::SettlementsHang), quick::new().into()).await?;
    let both = stop_takes(Odd::new(Oddity::SettlementsHang), never_stop::new().into()).await?;

    assert_eq!(claim, 10 * SECOND, "the time for the last claim");
    assert_eq!(settlement, 10 * SECOND, "the time for the last settlements");
    assert_eq!(both, (5 + 5 + 10) * SECOND, "the timeout, the grace and the last settlements");
    Ok(())
}

/// H63: the timeouts and the grace periods of several services run at the same time.
#[tokio::test(start_paused = true)]
async fn the_jobs_of_all_services_are_ended_at_the_same_time() -> TestResult {
    let (first, second, recorder) = (keeping_queue(), keeping_queue(), Recorder::new());
    let service =
        |queue: &MemoryQueue| QueueService::new(queue.clone(), jobs![never_stop]).observe(recorder.clone());
    let builder = Host::builder().shutdown_timeout(5 * SECOND).service(service(&first));
    let running = builder.service(service(&second)).build()?.start().await?;
    for queue in [&first, &second] {
        queue.enqueue(never_stop::new()).await?;
    }
    recorder.wait_for_count("starts", 2, |event| matches!(event, Event::Started(_))).await;
    let began = Instant::now();

    let stopped = running.stop().await?;

    assert_eq!(began.elapsed(), (5 + 5) * SECOND, "the shutdown timeout and the grace");
    assert_eq!(stopped.interrupted.len(), 2, "{:?}", stopped.interrupted);
    Ok(())
}

/// H63: a singleton whose disposal hangs delays neither the stop nor the disposal of others, and is named.
#[tokio::test(start_paused = true)]
async fn a_singleton_whose_disposal_hangs_delays_no_stop() -> TestResult {
    let disposed = Arc::new(Notify::new());
    let noted = disposed.clone();
    let services = Services::builder()
        .singleton(1_u8)
        .dispose(move |_: Arc<u8>, _: OutcomeKind| {
            noted.notify_one();
            async { Ok::<(), std::io::Error>(()) }
        })
        .singleton(1_u16)
        .dispose(|_: Arc<u16>, _: OutcomeKind| std::future::pending::<Result<(), std::io::Error>>())
        .build()?;
    let running = Host::builder().services(services).build()?.start().await?;
    let began = Instant::now();

    let stopped = running.stop().await?;

    assert_eq!(began.elapsed(), 10 * SECOND);
    disposed.notified().await;
    let dispose_errors: Vec<_> = stopped.dispose_errors.iter().map(ToString::to_string).collect();
    assert_eq!(dispose_errors, ["u16: was not disposed in time"]);
    Ok(())
}

/// H10: a claim and a settlement that are never answered are abandoned and repeated.
#[tokio::test(start_paused = true)]
async fn calls_that_are_never_answered_are_repeated() -> TestResult {
    for (operation, within) in
        [(queue_testkit::Operation::Claim, 361 * SECOND), (queue_testkit::Operation::Settle, 61 * SECOND)]
    {
        let queue = keeping_queue();
        let faulty = queue_testkit::Faulty::new(queue.clone(), queue_tokio::TokioClock::new());
        faulty.faults().on(operation, 1, queue_testkit::Fault::HangBefore);
        let recorder = Recorder::with_deadline(3600 * SECOND);
        let service = QueueService::new(faulty, jobs![quick]).observe(recorder.clone());
        let running = Host::builder().service(service).build()?.start().await?;
        let began = Instant::now();

        queue.enqueue(quick::new()).await?;
        recorder.wait_for_settled::<quick>(1).await;

        assert!(began.elapsed() <= within, "{operation:?}: {:?}", began.elapsed());
        running.stop().await?;
    }
    Ok(())
}

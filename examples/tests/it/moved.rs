//! Jobs move from an SQLite file to PostgreSQL and back, through a crash at every call.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{Change, Filter, Imported, JobMove, JobPage, MoveError, PageRequest};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{
    Admin, AdminExt as _, Body, BoxError, Demand, JobId, JobRecord, NewJob, QueueError, QueueName, Receipt,
    Settlement, Timestamp, Transition, Unique,
};
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_testkit::TestPostgres;

const MAIL: QueueName = QueueName::from_static("mail");

/// The number of jobs, of which a batch moves a few.
const JOBS: u32 = 60;
const BATCH: usize = 4;

/// The call at which the program crashes next, and the number of calls in this run.
#[derive(Default)]
struct Crash {
    at: AtomicUsize,
    calls: AtomicUsize,
}

/// A store that fails at one call: in even runs before the call is done, and in odd runs after it.
struct Crashing {
    store: Arc<dyn Admin>,
    crash: Arc<Crash>,
}

impl Crashing {
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, QueueError>> + Send,
    ) -> Result<T, QueueError> {
        let (number, at) =
            (self.crash.calls.fetch_add(1, Ordering::Relaxed), self.crash.at.load(Ordering::Relaxed));
        if number != at / 2 {
            return call.await;
        }
        if at % 2 == 1 {
            call.await?;
        }
        Err(QueueError::unavailable("the program crashed here"))
    }
}

impl Decorator for Crashing {
    type Inner = dyn Admin;

    fn inner(&self) -> &Self::Inner {
        &*self.store
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.inner().push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Crashing {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.call(self.inner().get(id)).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.call(self.inner().list(filter, page)).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.call(self.inner().change(ids, filter, change)).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.call(self.inner().import(jobs)).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.call(self.inner().pause(queue)).await
    }
}

/// Stores jobs that have failed, are scheduled, or have keys, and pauses their queue.
async fn fill(store: &dyn Admin) -> Result<(), QueueError> {
    let soon = Timestamp::from_micros(4_000_000_000_000_000);
    let job = |number: u32| {
        let job = NewJob::new("send", Body::stored(format!("{{\"n\":  {number}, \"to\": \"ß{number}\"}}")));
        let job = job.queue(MAIL).priority((number % 3) as i32).meta("tenant", number.to_string());
        match number % 4 {
            0 => job.at(soon.saturating_add(Duration::from_secs(number.into()))),
            1 => job.unique(Unique::new(format!("key {number}")).within(Duration::from_secs(86_400))),
            2 => job.unique(format!("key {number}")),
            _ => job,
        }
    };
    store.push((0..JOBS).map(job).collect()).await?;
    for error in ["first ☂", "second"] {
        let claimed = store.claim(&Demand::new(MAIL, 10).wait(Duration::ZERO)).await?;
        let retry = |lease| Settlement::new(lease, Transition::Retry { at: soon, error: error.to_owned() });
        store.settle(claimed.into_iter().map(|job| retry(job.lease)).collect()).await?;
    }
    store.pause(&MAIL).await
}

/// Returns the unfinished jobs of the queue by id, in full.
async fn shown(store: &dyn Admin) -> Result<BTreeMap<JobId, String>, QueueError> {
    let jobs = store.list_all(&Filter::all().queue(MAIL).unfinished()).await?;
    let shown = |job: JobRecord| {
        let (payload, meta) =
            (job.body.encode().unwrap_or_default(), job.meta.get("tenant").map(str::to_owned));
        (job.id, format!("{payload} {meta:?} {job:?}"))
    };
    Ok(jobs.into_iter().map(shown).collect())
}

/// Moves the jobs, crashes at the next call in each run, and runs again until all are moved. Returns the number of crashes.
async fn move_through_crashes(from: &Arc<dyn Admin>, to: &Arc<dyn Admin>) -> Result<usize, BoxError> {
    let expected = shown(&**from).await?;
    let crash = Arc::<Crash>::default();
    let crashing = |store: &Arc<dyn Admin>| Crashing { store: store.clone(), crash: crash.clone() };
    for crashes in 0.. {
        crash.at.store(crashes, Ordering::Relaxed);
        crash.calls.store(0, Ordering::Relaxed);
        let moved = JobMove::of(MAIL).batch(BATCH).run(&crashing(from), &crashing(to), &mut |_| ()).await;
        match moved {
            Err(MoveError::Source(error) | MoveError::Target(error)) if error.is_transient() => {}
            moved => {
                assert_eq!(moved?.left, []);
                assert_eq!(shown(&**to).await?, expected, "every job is as it was");
                assert!(shown(&**from).await?.is_empty());
                return Ok(crashes);
            }
        }
        let (kept, copied) = (shown(&**from).await?, shown(&**to).await?);
        for (id, job) in &expected {
            let found: Vec<_> = [kept.get(id), copied.get(id)].into_iter().flatten().collect();
            assert!(!found.is_empty(), "job {id} is lost after {crashes} crashes");
            assert!(found.iter().all(|found| *found == job), "{found:?} was {job}");
        }
    }
    Err("the move was never completed".into())
}

/// H56: From SQLite to PostgreSQL and back, crashed at each call, every job keeps its id, attempts, errors, key and schedule.
#[queue_testkit::test(postgres)]
async fn jobs_move_between_sqlite_and_postgres_through_crashes(db: TestPostgres) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let file: Arc<dyn Admin> = Arc::new(SqliteQueue::open(folder.path().join("jobs.db")).await?);
    let server: Arc<dyn Admin> = Arc::new(PostgresQueue::builder(db.url()).schema("moved").connect().await?);
    fill(&*file).await?;
    let before = shown(&*file).await?;
    assert_eq!(before.len(), JOBS as usize);

    let there = move_through_crashes(&file, &server).await?;
    let back = move_through_crashes(&server, &file).await?;

    assert_eq!(shown(&*file).await?, before);
    assert!(there > 10 && back > 10, "{there} and {back} crashes");
    (*file).resume(&MAIL).await?;
    let next = (*file).claim(&Demand::new(MAIL, 1).wait(Duration::ZERO)).await?;
    assert_eq!(next.len(), 1, "the jobs run again once the queue is resumed");
    Ok(())
}

//! The cost of pages and of their updates (H53).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body as HttpBody;
use axum::http::Request;
use axum::http::header::ACCEPT;
use futures_util::StreamExt as _;
use queue_board::{Access, Board};
use queue_core::admin::{
    Filter, HistoryRequest, HistoryRow, JobPage, PageRequest, QueueCounts, QueueSummary, Sort, WorkerRecord,
};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::{Admin as _, BoxError, JobId, JobRecord, NewJob, Queue as _, QueueError, Receipt};
use queue_tokio::MemoryQueue;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt as _;

use crate::fixture::{TestResult, discarded, get, job, queue};

/// A queue that counts the calls of its board.
struct Counted {
    inner: MemoryQueue,
    summaries: AtomicU64,
    lists: AtomicU64,
    /// The largest list that was requested.
    largest: AtomicUsize,
    unbounded: AtomicU64,
    /// The lists whose search has no limit.
    unlimited: AtomicU64,
    /// The reads of workers, of the history and of single jobs.
    others: AtomicU64,
}

impl Counted {
    fn new(inner: MemoryQueue) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        let largest = AtomicUsize::new(0);
        let (summaries, lists, unbounded) = (zero(), zero(), zero());
        Arc::new(Self { inner, summaries, lists, largest, unbounded, unlimited: zero(), others: zero() })
    }

    /// Returns the number of all calls so far.
    fn calls(&self) -> u64 {
        let counted = [&self.summaries, &self.lists, &self.unbounded, &self.others];
        counted.map(|calls| calls.load(Ordering::Relaxed)).iter().sum()
    }

    fn router(self: &Arc<Self>) -> Router {
        Board::new(self.clone()).access(|_| Access::act("ada")).router()
    }
}

#[async_trait]
impl Decorator for Counted {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.inner
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.inner.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Counted {
    async fn summary(&self) -> Result<Vec<QueueSummary>, QueueError> {
        self.summaries.fetch_add(1, Ordering::Relaxed);
        self.inner.summary().await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.largest.fetch_max(page.limit, Ordering::Relaxed);
        let skips = *filter != filter.range() || page.sort == Sort::Pushed && *filter != Filter::all();
        self.unlimited.fetch_add(u64::from(skips && page.search.is_none()), Ordering::Relaxed);
        self.inner.list(filter, page).await
    }

    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.inner.get(id).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.inner.workers().await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        self.others.fetch_add(1, Ordering::Relaxed);
        self.inner.history(request).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.unbounded.fetch_add(1, Ordering::Relaxed);
        self.inner.counts().await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        self.unbounded.fetch_add(1, Ordering::Relaxed);
        self.inner.matching(filter).await
    }
}

/// H53: no page counts or lists all jobs, however many there are.
#[tokio::test]
async fn a_page_reads_a_bounded_part_of_the_jobs() -> TestResult {
    let inner = queue();
    inner.push((0..3_000).map(|number| job("send", &number.to_string())).collect()).await?;
    let id = discarded(&inner, job("bill", "1").queue("bills"), "refused").await?;
    let counted = Counted::new(inner);
    let router = counted.router();

    let job = format!("/jobs/{id}");
    let rare = "/jobs?name=rare&meta=a%3Db&unique=c&state=completed&state=available";
    for path in ["/", "/jobs", "/jobs?limit=500&error=x", rare, "/workers", "/names", "/enqueue", &job] {
        let before = counted.lists.load(Ordering::Relaxed);
        get(&router, path).await?;
        assert!(counted.lists.load(Ordering::Relaxed) - before <= 2, "{path}");
    }

    assert_eq!(counted.unbounded.load(Ordering::Relaxed), 0);
    assert_eq!(counted.unlimited.load(Ordering::Relaxed), 0, "a search has a limit");
    assert_eq!(counted.largest.load(Ordering::Relaxed), 500);
    Ok(())
}

/// Opens a page, and reads its updates until it is dropped.
async fn watch(router: Router, path: &'static str) -> Result<(), BoxError> {
    let request = Request::get(path).header(ACCEPT, "text/event-stream").body(HttpBody::empty())?;
    let response = router.oneshot(request).await?;
    let mut updates = response.into_body().into_data_stream();
    while updates.next().await.is_some() {}
    Ok(())
}

/// Waits for some virtual seconds.
async fn pass(seconds: u64) {
    sleep_until(Instant::now() + Duration::from_secs(seconds)).await; // virtual
}

/// H53: all open pages share one poll a second, and none is made while no page is open.
#[tokio::test(start_paused = true)]
async fn twenty_open_pages_share_one_poll_a_second() -> TestResult {
    let counted = Counted::new(queue());
    let router = counted.router();
    let polls = || counted.summaries.load(Ordering::Relaxed);

    let mut readers = JoinSet::new();
    for reader in 0..20 {
        readers.spawn(watch(router.clone(), if reader % 2 == 0 { "/" } else { "/workers" }));
    }
    pass(1).await;
    let (before, lists) = (polls(), counted.lists.load(Ordering::Relaxed));
    pass(10).await;
    let open = polls() - before;
    let read = counted.lists.load(Ordering::Relaxed) - lists;
    drop(readers);
    pass(3).await;
    let closed = counted.calls();
    pass(60).await;

    assert!((9..=11).contains(&open), "{open} polls in 10 s");
    assert!(read <= 2 * open, "{read} lists for two pages in {open} polls");
    assert_eq!(counted.calls(), closed, "no page is open");
    Ok(())
}

/// H53: an update is sent when the page has changed, and not because time has passed.
#[tokio::test(start_paused = true)]
async fn an_update_is_sent_only_for_a_change() -> TestResult {
    let queue = queue();
    let router = Board::new(Arc::new(queue.clone())).access(|_| Access::Look).router();
    let request = Request::get("/").header(ACCEPT, "text/event-stream").body(HttpBody::empty())?;
    let mut updates = router.oneshot(request).await?.into_body().into_data_stream();

    let first = updates.next().await.ok_or("no update")??;
    let next = updates.next();
    tokio::pin!(next);
    let quiet = tokio::time::timeout(Duration::from_secs(5), &mut next).await;
    queue.push(vec![job("send", "1").queue("mail")]).await?;
    let second = next.await.ok_or("no second update")??;

    assert!(String::from_utf8_lossy(&first).contains("No queue has a job yet"));
    assert!(quiet.is_err(), "nothing has changed");
    assert!(String::from_utf8_lossy(&second).contains("queue-mail"));
    Ok(())
}

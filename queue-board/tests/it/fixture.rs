//! A queue with jobs in each state, and requests to the router of its board.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderMap, Request, StatusCode};
use queue_board::{Access, Board, show_all};
use queue_core::admin::{Change, Filter, QueueSummary};
use queue_core::backend::{AdminDecorator, Decorator};
use queue_core::table::Retention;
use queue_core::{
    Admin as _, Body, BoxError, Delivery, Demand, JobId, NewJob, Queue as _, QueueError, QueueExt as _,
    Receipt, Settlement, StoredResult, Transition,
};
use queue_tokio::MemoryQueue;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

pub(crate) type TestResult = Result<(), BoxError>;

/// An answer of the router.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default()
    }
}

/// Creates a queue that keeps finished jobs.
pub(crate) fn queue() -> MemoryQueue {
    MemoryQueue::builder().unbounded().retention(Retention::everything()).build()
}

/// Returns the board of an operator who may see and change everything.
pub(crate) fn open_board(queue: &MemoryQueue) -> Board {
    Board::new(Arc::new(queue.clone())).access(|_| Access::act("ada")).payloads(show_all)
}

/// A queue whose changes to many jobs wait for a permit each.
pub(crate) struct Stepwise {
    inner: MemoryQueue,
    pub(crate) permits: Semaphore,
    pub(crate) steps: AtomicU64,
}

impl Stepwise {
    pub(crate) fn new(queue: &MemoryQueue, permits: usize) -> Arc<Self> {
        Arc::new(Self { inner: queue.clone(), permits: Semaphore::new(permits), steps: AtomicU64::new(0) })
    }
}

#[async_trait]
impl Decorator for Stepwise {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.inner
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.inner.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Stepwise {
    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.permits.acquire().await.map_err(|_| QueueError::closed())?.forget();
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.inner.change(ids, filter, change).await
    }
}

/// A queue whose summary fails while a test wants it to.
pub(crate) struct Failing {
    inner: MemoryQueue,
    fails: AtomicBool,
}

impl Failing {
    pub(crate) fn new(queue: &MemoryQueue) -> Arc<Self> {
        Arc::new(Self { inner: queue.clone(), fails: AtomicBool::new(false) })
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }
}

#[async_trait]
impl Decorator for Failing {
    type Inner = MemoryQueue;

    fn inner(&self) -> &MemoryQueue {
        &self.inner
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.inner.push_at_once(job)
    }
}

#[async_trait]
impl AdminDecorator for Failing {
    async fn summary(&self) -> Result<Vec<QueueSummary>, QueueError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(QueueError::unavailable("the server does not answer"));
        }
        self.inner.summary().await
    }
}

/// Creates a job with a payload as JSON text.
pub(crate) fn job(name: &str, payload: &str) -> NewJob {
    NewJob::new(name, Body::stored(payload))
}

/// Enqueues a job and ends its only attempt.
pub(crate) async fn ended(
    queue: &MemoryQueue,
    job: NewJob,
    transition: Transition,
) -> Result<JobId, BoxError> {
    let id = queue.enqueue(job.clone()).await?.id();
    let delivered = queue.claim(&Demand::new(job.queue, 1)).await?;
    let settle = |delivery: Delivery| Settlement::new(delivery.lease, transition.clone());
    queue.settle(delivered.into_iter().map(settle).collect()).await?;
    Ok(id)
}

/// Enqueues a job and discards it.
pub(crate) async fn discarded(queue: &MemoryQueue, job: NewJob, error: &str) -> Result<JobId, BoxError> {
    ended(queue, job, Transition::Discard { error: error.to_owned() }).await
}

/// Enqueues a job and completes it with a result.
pub(crate) async fn completed(queue: &MemoryQueue, job: NewJob, result: &str) -> Result<JobId, BoxError> {
    let mut transition = Transition::complete();
    if let Transition::Complete { result: stored, .. } = &mut transition {
        *stored = Some(StoredResult::json(result)?);
    }
    ended(queue, job, transition).await
}

/// Sends a request of a page of the board to the router, from this machine.
pub(crate) async fn send(router: &Router, request: Request<HttpBody>) -> Result<Answer, BoxError> {
    let (mut parts, body) = request.into_parts();
    if parts.extensions.get::<ConnectInfo<SocketAddr>>().is_none() {
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4000))));
    }
    parts.headers.entry(HOST).or_insert("localhost:8080".parse()?);
    let response = router.clone().oneshot(Request::from_parts(parts, body)).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await?.to_vec())?;
    Ok(Answer { status, headers, text })
}

pub(crate) async fn get(router: &Router, path: &str) -> Result<Answer, BoxError> {
    send(router, Request::get(path).body(HttpBody::empty())?).await
}

pub(crate) async fn get_json(router: &Router, path: &str) -> Result<serde_json::Value, BoxError> {
    let request = Request::get(path).header(ACCEPT, "application/json").body(HttpBody::empty())?;
    Ok(serde_json::from_str(&send(router, request).await?.text)?)
}

/// Submits a form, as a page of the board does.
pub(crate) async fn post(router: &Router, path: &str, form: &str) -> Result<Answer, BoxError> {
    let request = Request::post(path)
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(router, request.body(HttpBody::from(form.to_owned()))?).await
}

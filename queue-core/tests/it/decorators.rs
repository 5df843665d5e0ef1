//! Tests that a decorator forwards every method of its queue, those of later versions too.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::admin::{
    Cancellation, Change, Filter, Finding, HistoryRequest, HistoryRow, Imported, JobPage, LimitRecord,
    PageRequest, Prune, QueueCounts, QueueSummary, QueueUsage, Reason, UsageRequest, WorkerRecord,
};
use queue_core::backend::{AdminDecorator, Decorator, ExpiryFeed};
use queue_core::{
    Admin, Announcement, Body, Delivery, Demand, Heartbeat, JobId, JobRecord, Limit, LimitScope, NewJob,
    Queue, QueueError, QueueLimits, QueueName, Receipt, Renewal, Settled, Settlement, TestClock, Timestamp,
};
use queue_testkit::ModelQueue;

/// A queue that records the name of each method that is called.
#[derive(Clone, Default)]
struct Recording {
    queue: ModelQueue,
    calls: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Recording {
    fn note(&self, method: &'static str) -> &ModelQueue {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(method);
        &self.queue
    }
}

#[async_trait]
impl Queue for Recording {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        self.note("push").push(jobs).await
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.note("push_at_once").push_at_once(job)
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        self.note("claim").claim(demand).await
    }

    async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        self.note("renew").renew(heartbeats).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        self.note("settle").settle(settlements).await
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), QueueError> {
        self.note("announce").announce(announcement).await
    }

    async fn declare_limits(&self, queue: &QueueName, limits: &QueueLimits) -> Result<(), QueueError> {
        self.note("declare_limits").declare_limits(queue, limits).await
    }

    fn expiry_feed(&self) -> Option<&ExpiryFeed> {
        self.note("expiry_feed").expiry_feed()
    }

    fn description(&self) -> String {
        self.note("description").description()
    }
}

#[async_trait]
impl Admin for Recording {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        self.note("get").get(id).await
    }

    async fn ended(&self, ids: &[JobId], wait: Duration) -> Result<Vec<Option<JobRecord>>, QueueError> {
        self.note("ended").ended(ids, wait).await
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.note("list").list(filter, page).await
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        self.note("counts").counts().await
    }

    async fn summary(&self) -> Result<Vec<QueueSummary>, QueueError> {
        self.note("summary").summary().await
    }

    async fn summary_up_to(&self, cap: u64) -> Result<Vec<QueueSummary>, QueueError> {
        self.note("summary_up_to").summary_up_to(cap).await
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, QueueError> {
        self.note("workers").workers().await
    }

    async fn history(&self, request: &HistoryRequest) -> Result<Vec<HistoryRow>, QueueError> {
        self.note("history").history(request).await
    }

    async fn explain(&self, id: JobId) -> Result<Vec<Reason>, QueueError> {
        self.note("explain").explain(id).await
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.note("cancel").cancel(id, reason).await
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.note("retry").retry(id).await
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.note("delete").delete(id).await
    }

    async fn matching(&self, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
        self.note("matching").matching(filter).await
    }

    async fn change(&self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, QueueError> {
        self.note("change").change(ids, filter, change).await
    }

    async fn import(&self, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
        self.note("import").import(jobs).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.note("pause").pause(queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.note("resume").resume(queue).await
    }

    async fn limits(&self, queue: &QueueName) -> Result<Vec<LimitRecord>, QueueError> {
        self.note("limits").limits(queue).await
    }

    async fn set_limit(
        &self,
        queue: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), QueueError> {
        self.note("set_limit").set_limit(queue, scope, limit).await
    }

    async fn usage(&self, request: &UsageRequest) -> Result<QueueUsage, QueueError> {
        self.note("usage").usage(request).await
    }

    async fn limits_that_hold(&self, job: &JobRecord) -> Result<Vec<Reason>, QueueError> {
        self.note("limits_that_hold").limits_that_hold(job).await
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        self.note("prune").prune(prune).await
    }

    async fn diagnose(&self) -> Result<Vec<Finding>, QueueError> {
        self.note("diagnose").diagnose().await
    }

    async fn diagnose_store(&self) -> Result<Vec<Finding>, QueueError> {
        self.note("diagnose_store").diagnose_store().await
    }

    fn test_clock(&self) -> Option<Arc<dyn TestClock>> {
        self.note("test_clock").test_clock()
    }
}

/// A decorator that changes nothing.
struct Plain(Recording);

impl Decorator for Plain {
    type Inner = Recording;

    fn inner(&self) -> &Recording {
        &self.0
    }

    fn push_at_once(&self, job: &mut Option<NewJob>) -> Option<Result<Receipt, QueueError>> {
        self.0.push_at_once(job)
    }
}

impl AdminDecorator for Plain {}

/// Calls every method of a queue.
async fn call_all(queue: &dyn Admin) -> Result<(), QueueError> {
    let job = || NewJob::new("job", Body::stored("null"));
    let receipts = queue.push(vec![job(), job()]).await?;
    // The model queue may leave the job, which is an answer too.
    drop(queue.push_at_once(&mut Some(job())));
    let deliveries = queue.claim(&Demand::new("default", 1).wait(Duration::ZERO)).await?;
    queue.renew(&Heartbeat::of(deliveries.iter().map(|job| &job.lease))).await?;
    queue.settle(Vec::new()).await?;
    let _feed = queue.expiry_feed();
    drop(queue.description());
    let second = receipts.last().map_or(JobId::from_u128(1), |receipt| receipt.id());
    queue.get(second).await?;
    queue.ended(&[second], Duration::ZERO).await?;
    queue.list(&Filter::all(), &PageRequest::first(1)).await?;
    queue.counts().await?;
    queue.summary().await?;
    queue.summary_up_to(1).await?;
    queue.announce(&Announcement::new("a/1/b".into())).await?;
    queue.workers().await?;
    queue.history(&HistoryRequest::since(Timestamp::EPOCH)).await?;
    queue.explain(second).await?;
    queue.matching(&Filter::all()).await?;
    queue.change(&[], &Filter::all(), &Change::Retry).await?;
    queue.cancel(second, "a test").await?;
    queue.retry(second).await?;
    queue.delete(second).await?;
    queue.pause(&"default".into()).await?;
    queue.resume(&"default".into()).await?;
    queue.import(Vec::new()).await?;
    let name = "default".into();
    queue.declare_limits(&name, &QueueLimits::none()).await?;
    queue.set_limit(&name, &LimitScope::Each, None).await?;
    queue.limits(&name).await?;
    queue.usage(&UsageRequest::of("default")).await?;
    queue.limits_that_hold(&JobRecord::new(second, "job".into(), Body::stored("null"))).await?;
    queue.diagnose().await?;
    queue.diagnose_store().await?;
    drop(queue.test_clock());
    queue.prune(&Prune::nothing()).await.map(drop)
}

/// Returns the names of the methods that a trait declares in a source file.
fn methods(source: &'static str, of: &str) -> BTreeSet<&'static str> {
    let start = source.find(&format!("pub trait {of}:")).unwrap_or_else(|| panic!("no trait {of}"));
    let body = source[start..].split("\n}\n").next().unwrap_or_default();
    let declared =
        body.lines().filter_map(|line| line.trim().trim_start_matches("async ").strip_prefix("fn "));
    declared.filter_map(|method| method.split('(').next()).collect()
}

fn all_methods() -> BTreeSet<&'static str> {
    let queue = methods(include_str!("../../src/contract/queue.rs"), "Queue");
    let admin = methods(include_str!("../../src/contract/admin.rs"), "Admin");
    assert!(queue.len() >= 5 && admin.len() >= 9, "{queue:?}, {admin:?}");
    queue.into_iter().chain(admin).collect()
}

#[test]
fn a_decorator_forwards_every_method() -> Result<(), QueueError> {
    queue_testkit::block_on(async {
        let queue = Recording::default();

        call_all(&Plain(queue.clone())).await?;

        assert_eq!(*queue.calls.lock().unwrap_or_else(PoisonError::into_inner), all_methods());
        Ok(())
    })
}

#[test]
fn an_arc_forwards_every_method() -> Result<(), QueueError> {
    queue_testkit::block_on(async {
        let queue = Recording::default();

        call_all(&Arc::new(queue.clone())).await?;

        assert_eq!(*queue.calls.lock().unwrap_or_else(PoisonError::into_inner), all_methods());
        Ok(())
    })
}

#[test]
fn decorators_have_the_methods_of_their_traits() {
    let source = include_str!("../../src/contract/decorator.rs");
    let mut declared = methods(source, "Decorator");
    declared.extend(methods(source, "AdminDecorator"));
    assert!(declared.remove("inner"));

    assert_eq!(declared, all_methods());
}

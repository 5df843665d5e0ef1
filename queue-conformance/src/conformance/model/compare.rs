//! Makes each call on a queue and on the model, and compares the answers.

mod held;
mod view;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::{
    Change, Filter, HistoryRequest, PageRequest, Prune, QueueSummary, Reason, UsageRequest,
};
use queue_core::table::{JobTable, Retention, TableConfig};
use queue_core::{
    Admin, Announcement, Delivery, Demand, JobId, JobRecord, Limit, LimitScope, QueueError, QueueErrorKind,
    QueueLimits, QueueName, Timestamp,
};
use tokio::time::timeout;

use super::Sequence;
use super::call::{Call, Generator, ON_DISCARD_JOB, QUEUES};
use crate::Fixture;
use crate::law::{PATIENCE, panic_text};
use view::{Counted, DeliveryView, OnDiscardJobView, RecordView, Summarized};

/// The failure of a sequence.
#[derive(Debug)]
pub(super) struct Failure {
    /// The expected and the actual answer.
    pub(super) text: String,
    /// The calls up to the one that failed.
    pub(super) calls: Vec<Call>,
    /// The number of calls up to the one that failed.
    pub(super) length: usize,
    /// Whether repeating the sequence is fast. A queue that hangs costs the whole time limit each time.
    pub(super) is_quick: bool,
}

/// The comparisons besides those of the calls. In a database they would cost more than the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// All views of the jobs whenever time moves, and the explanations of all jobs at the end.
    Everything,
    /// One view whenever time moves, in turn, and all views and the explanation of each third job at the end.
    Samples,
}

/// Runs a sequence against an empty queue and a fresh model.
pub(super) async fn run(
    fixture: Arc<dyn Fixture>,
    sequence: Sequence,
    compared: Compared,
) -> Result<(), Failure> {
    let length = sequence.len();
    let run = tokio::spawn(async move {
        let mut comparison = ModelComparison::new(fixture, compared);
        comparison.run(&sequence).await
    });
    let failed = |text, is_quick| Failure { text, calls: Vec::new(), length, is_quick };
    match timeout(PATIENCE, run).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) if error.is_panic() => {
            Err(failed(format!("the queue panicked: {}", panic_text(&*error.into_panic())), true))
        }
        Ok(Err(error)) => Err(failed(error.to_string(), true)),
        Err(_) => Err(failed(format!("the sequence did not end within {PATIENCE:?} of real time"), false)),
    }
}

/// A queue and the model, which get the same calls.
struct ModelComparison {
    fixture: Arc<dyn Fixture>,
    queue: Arc<dyn Admin>,
    model: JobTable,
    generator: Generator,
    /// Whether the queue stores announcements, as far as it is known.
    announces: bool,
    /// When the comparison began.
    start: Timestamp,
    compared: Compared,
    /// How often time has moved.
    moves: usize,
}

impl ModelComparison {
    fn new(fixture: Arc<dyn Fixture>, compared: Compared) -> Self {
        let mut config = TableConfig::default();
        config.retention = Retention::everything();
        Self {
            queue: fixture.queue(),
            start: fixture.now(),
            fixture,
            model: JobTable::new(config),
            generator: Generator::default(),
            announces: true,
            compared,
            moves: 0,
        }
    }

    async fn run(&mut self, sequence: &[u64]) -> Result<(), Failure> {
        let mut calls = Vec::with_capacity(sequence.len());
        let limits = self.queue.limits(&"a".into()).await;
        self.generator.has_limits = !limits.is_err_and(|error| error.kind() == QueueErrorKind::Unsupported);
        for (number, length) in sequence.iter().zip(1..) {
            self.generator.now = self.fixture.now();
            let call = self.generator.call(*number);
            calls.push(call.clone());
            if let Err(text) = self.make(call).await {
                return Err(Failure { text, calls, length, is_quick: true });
            }
        }
        let text = match self.all_is_equal().await {
            Ok(()) => return Ok(()),
            Err(text) => format!("at the end, {text}"),
        };
        Err(Failure { text, calls, length: sequence.len(), is_quick: true })
    }

    /// Runs a call on both, and compares the answers.
    async fn make(&mut self, call: Call) -> Result<(), String> {
        let (now, model, queue) = (self.generator.now, &mut self.model, &*self.queue);
        match call {
            Call::Push(jobs) => same("push", model.push(now, jobs.clone()), queue.push(jobs).await),
            Call::Renew(heartbeats) => {
                same("renew", Ok(model.renew(now, &heartbeats)), queue.renew(&heartbeats).await)
            }
            Call::Settle(batch) => {
                same("settle", model.settle(now, batch.clone()), queue.settle(batch).await)
            }
            Call::Bulk(filter, change) => self.bulk(&filter, &change).await,
            Call::Cancel(id) => same("cancel", model.cancel(now, id, "stop"), queue.cancel(id, "stop").await),
            Call::Retry(id) => same("retry", model.retry(now, id), queue.retry(id).await),
            Call::Get(id) => self.get(id).await,
            Call::List(filter, request) => self.list(&filter, request).await,
            Call::Claim(demand) => self.claim(&demand).await,
            Call::Delete(id) => {
                let expected = model.delete(now, id);
                self.generator.gone.extend(expected.is_ok().then_some(id));
                same("delete", expected, queue.delete(id).await)
            }
            Call::Pause(name) => {
                model.pause(&name);
                same("pause", Ok(()), queue.pause(&name).await)
            }
            Call::Resume(name) => {
                model.resume(&name);
                same("resume", Ok(()), queue.resume(&name).await)
            }
            Call::Prune(prune) => self.prune(&prune).await,
            Call::Import(jobs) => self.import(jobs).await,
            Call::Declare(name, limits) => self.declare(&name, &limits).await,
            Call::SetLimit(name, scope, limit) => self.set_limit(&name, &scope, limit).await,
            Call::Usage(request) => self.usage(&request).await,
            Call::Announce(announcement) => self.announce(&announcement).await,
            Call::Advance(by) => self.advance(by).await,
        }
    }

    /// Compares the jobs that match, and changes them.
    async fn bulk(&mut self, filter: &Filter, change: &Change) -> Result<(), String> {
        let (now, model, queue) = (self.generator.now, &mut self.model, &*self.queue);
        // The ids of jobs that were stored on a discard differ.
        let is_on_discard_job = |job: Option<JobRecord>| job.is_some_and(|job| job.name == ON_DISCARD_JOB);
        let mut ids = model.matching(now, filter);
        ids.retain(|id| !is_on_discard_job(model.get(now, *id)));
        let mut found = Vec::new();
        for id in queue.matching(filter).await.map_err(|error| format!("`matching` failed: {error}"))? {
            let job = queue.get(id).await.map_err(|error| format!("`get` failed: {error}"))?;
            found.extend((!is_on_discard_job(job)).then_some(id));
        }
        same("matching", Ok(ids.clone()), Ok(found))?;
        let expected = model.change(now, &ids, filter, change);
        let is_gone = |id: &JobId| model.get(now, *id).is_none();
        self.generator.gone.extend(ids.iter().copied().filter(is_gone));
        same("change", Ok(expected), queue.change(&ids, filter, change).await)
    }

    async fn claim(&mut self, demand: &Demand) -> Result<(), String> {
        let expected = self.model.claim(self.generator.now, demand);
        let found = self.queue.claim(demand).await;
        let views = |jobs: &[Delivery]| jobs.iter().map(DeliveryView::of).collect::<Vec<_>>();
        same("claim", Ok(views(&expected)), found.map(|found| views(&found)))?;
        self.generator.leases.extend(expected.into_iter().map(|delivery| delivery.lease));
        Ok(())
    }

    async fn prune(&mut self, prune: &Prune) -> Result<(), String> {
        let (now, model) = (self.generator.now, &mut self.model);
        same("prune", Ok(model.prune(now, prune)), self.queue.prune(prune).await)?;
        let is_gone = |id: &JobId| model.get(now, *id).is_none();
        self.generator.gone = self.generator.ids.iter().copied().filter(is_gone).collect();
        Ok(())
    }

    async fn import(&mut self, jobs: Vec<JobRecord>) -> Result<(), String> {
        match self.queue.import(jobs.clone()).await {
            Err(error) if error.kind() == QueueErrorKind::Unsupported => Ok(()),
            imported => same("import", self.model.import(self.generator.now, jobs), imported),
        }
    }

    async fn advance(&mut self, by: Duration) -> Result<(), String> {
        self.fixture.advance(by).await;
        // Both claim, so that both discard the jobs of expired leases, and store their `on_discard` jobs, at the same instant.
        let nothing = Demand::new("unused", 1).wait(Duration::ZERO);
        let expected = self.model.claim(self.fixture.now(), &nothing).len();
        let found = self.queue.claim(&nothing).await;
        same("claim", Ok(expected), found.map(|found| found.len()))?;
        self.moves += 1;
        match self.moves % 4 {
            _ if self.compared == Compared::Everything => self.views().await,
            0 => self.counts().await,
            1 => self.history().await,
            2 => self.usages().await,
            _ => self.summary().await,
        }
    }

    /// Compares all views of the jobs.
    async fn views(&mut self) -> Result<(), String> {
        self.counts().await?;
        self.history().await?;
        self.usages().await?;
        self.summary().await
    }

    async fn counts(&mut self) -> Result<(), String> {
        let now = self.fixture.now();
        let expected = self.model.counts(now).iter().filter_map(Counted::of).collect::<Vec<_>>();
        let found = self.queue.counts().await;
        same("counts", Ok(expected), found.map(|found| found.iter().filter_map(Counted::of).collect()))
    }

    /// Compares the histories: of all minutes, and of a part.
    async fn history(&mut self) -> Result<(), String> {
        let now = self.fixture.now();
        let part = HistoryRequest::since(now.saturating_sub(Duration::from_secs(200)));
        let part = part.until(now.saturating_sub(Duration::from_secs(90))).queue("a").name("work");
        for request in [HistoryRequest::since(self.start), part.step(Duration::from_secs(120))] {
            match self.queue.history(&request).await {
                Err(error) if error.kind() == QueueErrorKind::Unsupported => return Ok(()),
                found => same("history", Ok(self.model.history(now, &request)), found)?,
            }
        }
        Ok(())
    }

    async fn declare(&mut self, name: &QueueName, limits: &QueueLimits) -> Result<(), String> {
        if !self.generator.has_limits {
            return Ok(());
        }
        let expected = self.model.declare_limits(self.generator.now, name, limits);
        same("declare_limits", expected, self.queue.declare_limits(name, limits).await)?;
        self.limits().await
    }

    async fn set_limit(
        &mut self,
        name: &QueueName,
        scope: &LimitScope,
        limit: Option<Limit>,
    ) -> Result<(), String> {
        if !self.generator.has_limits {
            return Ok(());
        }
        let expected = self.model.set_limit(self.generator.now, name, scope, limit);
        same("set_limit", expected, self.queue.set_limit(name, scope, limit).await)?;
        self.limits().await
    }

    /// Compares the limits of all queues.
    async fn limits(&mut self) -> Result<(), String> {
        for name in QUEUES {
            let name = QueueName::from_static(name);
            same("limits", Ok(self.model.limits(&name)), self.queue.limits(&name).await)?;
        }
        Ok(())
    }

    async fn usage(&mut self, request: &UsageRequest) -> Result<(), String> {
        if !self.generator.has_limits {
            return Ok(());
        }
        let now = self.fixture.now();
        same("usage", Ok(self.model.usage(now, request)), self.queue.usage(request).await)
    }

    /// Compares the usage of all queues.
    async fn usages(&mut self) -> Result<(), String> {
        for name in QUEUES {
            self.usage(&UsageRequest::of(name)).await?;
        }
        Ok(())
    }

    async fn announce(&mut self, announcement: &Announcement) -> Result<(), String> {
        match self.queue.announce(announcement).await {
            Err(error) if error.kind() == QueueErrorKind::Unsupported => self.announces = false,
            answer => {
                self.model.announce(self.generator.now, announcement);
                same("announce", Ok(()), answer)?;
            }
        }
        self.workers().await
    }

    async fn workers(&mut self) -> Result<(), String> {
        if !self.announces {
            return Ok(());
        }
        let expected = self.model.workers(self.fixture.now());
        match self.queue.workers().await {
            Err(error) if error.kind() == QueueErrorKind::Unsupported && expected.is_empty() => {
                self.announces = false;
                Ok(())
            }
            found => same("workers", Ok(expected), found),
        }
    }

    /// Compares the reasons of a job. The model's are those of its record, its summaries and its workers.
    async fn explain(&mut self, id: JobId) -> Result<(), String> {
        let now = self.fixture.now();
        let Some(job) = self.model.get(now, id) else { return Ok(()) };
        let workers = self.announces.then(|| self.model.workers(now));
        let summaries = self.model.summary(now, QueueSummary::CAP);
        let summary = summaries.iter().find(|summary| summary.queue == job.queue);
        let expected = held::views(Reason::of(&job, summary, workers.as_deref()));
        let expected = held::add(&mut self.model, now, &job, expected);
        same("explain", Ok(expected), self.queue.explain(id).await.map(held::views))
    }

    async fn summary(&mut self) -> Result<(), String> {
        let expected = self.model.summary(self.fixture.now(), QueueSummary::CAP);
        let found = self.queue.summary().await;
        let views = |all: &[QueueSummary]| all.iter().filter_map(Summarized::of).collect::<Vec<_>>();
        same("summary", Ok(views(&expected)), found.map(|found| views(&found)))
    }

    async fn get(&mut self, id: JobId) -> Result<(), String> {
        let expected = self.model.get(self.fixture.now(), id);
        let found = self.queue.get(id).await;
        let view = |record: &Option<JobRecord>| record.as_ref().map(RecordView::of);
        same("get", Ok(view(&expected)), found.map(|found| view(&found)))
    }

    async fn list(&mut self, filter: &Filter, mut page: PageRequest) -> Result<(), String> {
        let everything = PageRequest::first(usize::MAX >> 1).sort(page.sort).order(page.order);
        let expected = self.model.list(self.fixture.now(), filter, &everything).map(|page| page.jobs);
        let expected = expected.map_err(|error| format!("the model refuses to list: {error}"))?;
        let mut found = Vec::new();
        loop {
            let listing =
                self.queue.list(filter, &page).await.map_err(|error| format!("`list` failed: {error}"))?;
            found.extend(listing.jobs);
            match listing.next {
                Some(cursor) if found.len() <= expected.len() => page.after = Some(cursor),
                Some(_) | None => break,
            }
        }
        let views = |records: &[JobRecord]| {
            let (mut on_discard_jobs, mut pushed) = (Vec::new(), Vec::new());
            for record in records {
                match OnDiscardJobView::of(record) {
                    Some(view) => on_discard_jobs.push(view),
                    None => pushed.push(RecordView::of(record)),
                }
            }
            on_discard_jobs.sort();
            (pushed, on_discard_jobs)
        };
        same("list", Ok(views(&expected)), Ok(views(&found)))
    }

    async fn all_is_equal(&mut self) -> Result<(), String> {
        self.views().await?;
        self.list(&Filter::all(), PageRequest::first(50)).await?;
        self.workers().await?;
        for (place, id) in std::mem::take(&mut self.generator.ids).into_iter().enumerate() {
            self.get(id).await?;
            if self.compared == Compared::Everything || place % 3 == 0 {
                self.explain(id).await?;
            }
        }
        Ok(())
    }
}

/// Compares two answers. Errors are equal if they are of one kind.
fn same<T: PartialEq + fmt::Debug>(
    call: &str,
    expected: Result<T, QueueError>,
    found: Result<T, QueueError>,
) -> Result<(), String> {
    match (expected, found) {
        (Ok(expected), Ok(found)) if expected == found => Ok(()),
        (Err(expected), Err(found)) if expected.kind() == found.kind() => Ok(()),
        (expected, found) => Err(format!(
            "`{call}` answers otherwise than the model\n   model: {expected:?}\n   queue: {found:?}"
        )),
    }
}

/// The time limit of shrinking.
pub(super) const SHRINK_GUARD: Duration = Duration::from_secs(30);

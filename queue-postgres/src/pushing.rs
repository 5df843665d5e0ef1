//! The push tasks: pushes that arrive while a statement runs share the next one.
//!
//! # Tasks and shared state
//!
//! Two equal push tasks share one receiver of requests behind a mutex: while one waits for its commit, the other gathers
//! the next batch. A third task, the [`Patient`] one, takes the pushes that another transaction blocks. Each has its own
//! connection. All share [`Server`], with the queues known to exist and the unique keys found locked.
//!
//! | who | wakes | when |
//! | --- | --- | --- |
//! | a caller | a push task | it pushes |
//! | a push task | the patient task | another transaction blocks a push, or has lately blocked its key |
//! | either | the claim task | jobs were stored |
//! | either | the caller | its push was stored or refused |
//!
//! # Shutdown
//!
//! A push task ends when the queue's last handle is dropped, after it has stored all requests sent before. The patient
//! task ends when both push tasks have ended and none of its pushes waits any more.
//!
//! # Races
//!
//! - A queue that the server loses after it became known: the statement stores nothing and says so, and is sent again.
//! - A connection that breaks during a commit: the batch is sent once more, and ids tell which jobs are already stored.
//!
//! **Invariant:** a shared statement waits for no lock of another transaction. A push that needs one goes to the patient
//! task, where it delays no other push.

mod patient;

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::Encoded;
use queue_core::{JobId, QueueError, Receipt};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

pub(crate) use patient::Patient;

use crate::batch::{Columns, bind_one, is_plain, past_the_end};
use crate::company::Company;
use crate::error::{explained, is_about_the_request, is_notification_refused, shared};
use crate::link::{Link, Unanswered};
use crate::server::{Notice, Server};

/// The approximate maximum number of jobs in one statement, and of their bytes.
const MOST_JOBS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// How long a statement lingers for the callers that the last one answered.
const COMPANY: Duration = Duration::from_micros(100);

/// The maximum number of tries of a push whose queues are lost in between.
const ENTRIES: usize = 3;

/// The jobs of one push, and its caller.
pub(crate) struct Request {
    pub(crate) jobs: Vec<Encoded>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Receipt>, QueueError>>,
}

impl Request {
    fn answer(self, answer: Result<Vec<Receipt>, QueueError>) {
        // The caller may have been dropped.
        drop(self.reply.send(answer));
    }

    /// Returns whether another transaction can block this push: it has a unique key, or an id chosen by the caller.
    fn may_be_blocked(&self) -> bool {
        self.jobs.iter().any(|job| job.is_chosen || job.job.unique.is_some())
    }
}

/// Stores jobs over its own connection.
pub(crate) struct Storing {
    link: Link,
    server: Arc<Server>,
}

/// A task that stores the pushes of many callers.
pub(crate) struct Pusher {
    requests: Arc<Mutex<UnboundedReceiver<Request>>>,
    /// Receives the pushes that another transaction blocks.
    patient: UnboundedSender<Request>,
    storing: Storing,
    company: Company,
}

/// The result of a push statement.
pub(crate) enum Pushed {
    Stored(Vec<Receipt>),
    /// The delay of the job at this index leads past the end of time; nothing was stored.
    Refused(usize),
    /// A queue doesn't exist; nothing was stored.
    UnknownQueue,
}

impl Pusher {
    pub(crate) fn new(
        requests: Arc<Mutex<UnboundedReceiver<Request>>>,
        patient: UnboundedSender<Request>,
        server: Arc<Server>,
    ) -> Self {
        Self { requests, patient, storing: Storing::new(server), company: Company::new(COMPANY) }
    }

    /// Runs until all senders of requests are dropped.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.push(batch).await;
        }
    }

    async fn gather(&mut self) -> Option<Vec<Request>> {
        let mut requests = self.requests.lock().await;
        let mut batch = Vec::new();
        let (mut jobs, mut bytes) = (0, 0);
        let mut next = Some(requests.recv().await?);
        let expected = self.company.expected(requests.len() + 1);
        let mut patience = self.company.patience();
        while jobs < MOST_JOBS && bytes < MOST_BYTES {
            match next.take().or_else(|| requests.try_recv().ok()) {
                Some(request) if self.server().blocked.any_of(request.jobs.iter()) => {
                    // The receiving task ends after this one.
                    drop(self.patient.send(request));
                }
                Some(request) => {
                    jobs += request.jobs.len();
                    bytes += request.jobs.iter().map(|job| job.payload.len()).sum::<usize>();
                    batch.push(request);
                }
                None if batch.len() >= expected || !patience.wait().await => break,
                None => {}
            }
        }
        self.company.came(batch.len(), expected);
        Some(batch)
    }

    /// Stores a batch and answers its requests. A request that can't be stored prevents no other from being stored.
    async fn push(&mut self, mut batch: Vec<Request>) {
        while !batch.is_empty() {
            match self.storing.store(&batch).await {
                Ok(Pushed::Stored(receipts)) => return answer(batch, receipts),
                Ok(Pushed::Refused(index)) => refuse(&mut batch, index),
                Ok(Pushed::UnknownQueue) => return fail(batch, lost_queue()),
                Err(unanswered) if unanswered.is_blocked => return self.push_around(batch).await,
                Err(Unanswered { error, .. }) if batch.len() > 1 && is_about_the_request(&error) => {
                    // One of the requests is invalid: each is stored alone, the first one by this loop.
                    let rest = batch.split_off(1);
                    for request in rest {
                        Box::pin(self.push(vec![request])).await;
                    }
                }
                Err(Unanswered { error, .. }) => return fail(batch, error),
            }
        }
    }

    /// Stores a batch that another transaction blocks in part: first the requests that can't be blocked, then each of the
    /// others alone. A blocked request that is alone is sent to the patient task.
    async fn push_around(&mut self, mut batch: Vec<Request>) {
        if batch.len() == 1 {
            for request in batch {
                self.server().blocked.add(request.jobs.iter());
                // The receiving task ends after this one.
                drop(self.patient.send(request));
            }
            return;
        }
        let suspects: Vec<_> = batch.extract_if(.., |request| request.may_be_blocked()).collect();
        if suspects.is_empty() {
            // A whole table is locked, which can block each of the requests.
            batch.into_iter().for_each(|request| drop(self.patient.send(request)));
            return;
        }
        Box::pin(self.push(batch)).await;
        for request in suspects {
            Box::pin(self.push(vec![request])).await;
        }
    }

    fn server(&self) -> &Server {
        &self.storing.server
    }
}

impl Storing {
    fn new(server: Arc<Server>) -> Self {
        Self { link: Link::impatient(server.place.clone()), server }
    }

    async fn store(&mut self, batch: &[Request]) -> Result<Pushed, Unanswered> {
        let jobs: Vec<_> = batch.iter().flat_map(|request| &request.jobs).collect();
        let mut pushed = Pushed::UnknownQueue;
        for _ in 0..ENTRIES {
            let unknown = self.server.unknown_queues(jobs.iter().copied());
            self.server.ensure_queues(&mut self.link, unknown).await?;
            pushed = self.store_once(&jobs).await?;
            match pushed {
                Pushed::UnknownQueue => self.server.forget_queues(),
                Pushed::Stored(_) => {
                    self.server.wake();
                    break;
                }
                Pushed::Refused(_) => break,
            }
        }
        Ok(pushed)
    }

    async fn store_once(&mut self, jobs: &[&Encoded]) -> Result<Pushed, Unanswered> {
        let mut notice = self.server.notice();
        let mut is_told = notice.0.is_some();
        // If the connection breaks during the call, the jobs are sent once more: those already stored are recognized by
        // their ids.
        let mut are_sent_again = false;
        let pushed = loop {
            match self.ask(jobs, &notice, are_sent_again).await {
                Ok(pushed) => break pushed,
                Err(unanswered) if unanswered.is_in_doubt && !are_sent_again => are_sent_again = true,
                Err(unanswered) if notice.0.is_some() && is_notification_refused(&unanswered.error) => {
                    self.server.note_refused();
                    (notice, is_told) = ((None, None), false);
                }
                // Commits that notify wait for one another in the whole server, so the notification is sent separately.
                Err(unanswered) if notice.0.is_some() && unanswered.is_blocked => {
                    (notice, is_told) = ((None, None), false);
                }
                Err(unanswered) => return Err(unanswered),
            }
        };
        if !is_told {
            self.server.notified_late();
        }
        Ok(pushed)
    }

    async fn ask(
        &mut self,
        jobs: &[&Encoded],
        notice: &Notice,
        are_sent_again: bool,
    ) -> Result<Pushed, Unanswered> {
        if let ([job], None, false) = (jobs, &notice.0, are_sent_again)
            && is_plain(job)
        {
            return self.ask_one(job).await;
        }
        let sql = &self.server.sql.push;
        let rows = self
            .link
            .try_call(&move |connection| {
                let columns = Columns::of(jobs.iter().copied(), are_sent_again);
                let push = columns.bind(sql.query()).bind(notice.0.clone()).bind(notice.1.clone());
                Box::pin(push.fetch_all(connection))
            })
            .await?;
        pushed(jobs.iter().copied(), &rows).map_err(|error| explained(error, &self.server.place).into())
    }

    async fn ask_one(&mut self, job: &Encoded) -> Result<Pushed, Unanswered> {
        let sql = &self.server.sql.push_one;
        let stored = self
            .link
            .try_call(&move |connection| {
                let push = bind_one(sql.query(), job);
                Box::pin(async move { Ok(push.execute(connection).await?.rows_affected()) })
            })
            .await?;
        Ok(if stored == 0 { Pushed::UnknownQueue } else { Pushed::Stored(vec![Receipt::Stored(job.id)]) })
    }
}

fn answer(batch: Vec<Request>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for request in batch {
        let receipts = receipts.by_ref().take(request.jobs.len()).collect();
        request.answer(Ok(receipts));
    }
}

fn fail(batch: Vec<Request>, error: QueueError) {
    let mut error = shared(error);
    batch.into_iter().for_each(|request| request.answer(Err(error())));
}

/// Removes the request of the job at this index, whose delay leads past the end of time, and answers it.
fn refuse(batch: &mut Vec<Request>, mut index: usize) {
    let at = batch.iter().position(|request| {
        let is_here = index < request.jobs.len();
        if !is_here {
            index -= request.jobs.len();
        }
        is_here
    });
    if let Some(at) = at {
        let request = batch.remove(at);
        let error = past_the_end(&request.jobs, index);
        request.answer(Err(error));
    }
}

/// Returns the error of a push whose queue was created at each try and was lost each time.
fn lost_queue() -> QueueError {
    QueueError::unavailable(
        "the queue was removed while jobs were pushed to it: its tables are being emptied",
    )
}

/// Reads the rows that `push` returns.
pub(crate) fn pushed<'a>(jobs: impl Iterator<Item = &'a Encoded>, rows: &[PgRow]) -> sqlx::Result<Pushed> {
    // A job without a row was stored.
    let mut receipts: Vec<_> = jobs.map(|job| Receipt::Stored(job.id)).collect();
    for row in rows {
        let (place, kind): (Option<i32>, i16) = (row.try_get(0)?, row.try_get(1)?);
        let place = place.and_then(|place| usize::try_from(place).ok()).unwrap_or(usize::MAX);
        match kind {
            -2 => return Ok(Pushed::UnknownQueue),
            -1 => return Ok(Pushed::Refused(place)),
            _ => {}
        }
        if let Some(receipt) = receipts.get_mut(place) {
            *receipt = self::receipt(kind, row.try_get(2)?);
        }
    }
    Ok(Pushed::Stored(receipts))
}

/// Reads a receipt by its kind.
fn receipt(kind: i16, job: Uuid) -> Receipt {
    let id = JobId::from(job);
    match kind {
        1 => Receipt::Existing(id),
        2 => Receipt::Replaced(id),
        _ => Receipt::Stored(id),
    }
}

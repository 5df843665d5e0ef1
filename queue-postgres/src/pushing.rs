//! The lanes that store: pushes that arrive while a statement is under way share the next one.

use std::sync::Arc;
use std::time::Duration;

use queue_core::encoded::Encoded;
use queue_core::{JobId, QueueError, Receipt};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

use crate::batch::{Columns, Lines, bind_one, is_plain, past_the_end};
use crate::company::Company;
use crate::error::{explained, is_about_the_request, shared};
use crate::link::{Link, Unanswered};
use crate::server::{Notice, Server};

/// How many jobs, and how many bytes of them, share a statement at most, roughly.
const MOST_JOBS: usize = 10_000;
const MOST_BYTES: usize = 16 << 20;

/// For how long a statement waits for those who were answered by the last one.
const COMPANY: Duration = Duration::from_micros(100);

/// A batch that somebody waits for.
pub(crate) struct Request {
    pub(crate) jobs: Vec<Encoded>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Receipt>, QueueError>>,
}

/// One of those who store; each has a connection of its own.
pub(crate) struct Pusher {
    requests: Arc<Mutex<UnboundedReceiver<Request>>>,
    link: Link,
    server: Arc<Server>,
    company: Company,
}

/// What became of a statement.
pub(crate) enum Pushed {
    Stored(Vec<Receipt>),
    /// This one's delay leads past the end of time; nothing was stored.
    Refused(usize),
}

impl Pusher {
    pub(crate) fn new(requests: Arc<Mutex<UnboundedReceiver<Request>>>, server: Arc<Server>) -> Self {
        Self { requests, link: Link::new(server.place.clone()), server, company: Company::new(COMPANY) }
    }

    /// Stores until nobody can ask for it any more.
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

    /// Stores what has gathered, and answers. A request that can't be stored keeps no other from it.
    async fn push(&mut self, mut batch: Vec<Request>) {
        while !batch.is_empty() {
            match self.store(&batch).await {
                Ok(Pushed::Stored(receipts)) => {
                    self.server.wake();
                    let mut receipts = receipts.into_iter();
                    for Request { jobs, reply } in batch {
                        // Whoever asked may have gone.
                        drop(reply.send(Ok(receipts.by_ref().take(jobs.len()).collect())));
                    }
                    return;
                }
                Ok(Pushed::Refused(mut index)) => {
                    let at = batch.iter().position(|request| {
                        let is_here = index < request.jobs.len();
                        if !is_here {
                            index -= request.jobs.len();
                        }
                        is_here
                    });
                    let Some(at) = at else { return };
                    let Request { jobs, reply } = batch.remove(at);
                    drop(reply.send(Err(past_the_end(&jobs, index))));
                }
                Err(error) if batch.len() > 1 && is_about_the_request(&error) => {
                    // One of them is wrong: each goes alone, the last here.
                    let rest = batch.split_off(1);
                    for request in rest {
                        Box::pin(self.push(vec![request])).await;
                    }
                }
                Err(error) => {
                    let mut error = shared(error);
                    batch.into_iter().for_each(|request| drop(request.reply.send(Err(error()))));
                    return;
                }
            }
        }
    }

    async fn store(&mut self, batch: &[Request]) -> Result<Pushed, QueueError> {
        let jobs: Vec<_> = batch.iter().flat_map(|request| &request.jobs).collect();
        let lines = self.server.lines(&mut self.link, jobs.iter().copied()).await?;
        let notice = self.server.notice();
        let is_told = notice.0.is_some();
        // If the connection breaks in the middle, they are sent once more: what was stored is known by its identity.
        let mut are_sent_again = false;
        let rows = loop {
            let asked = self.ask(&jobs, &lines, &notice, are_sent_again).await;
            match asked {
                Ok(rows) => break rows,
                Err(unanswered) if unanswered.is_in_doubt && !are_sent_again => are_sent_again = true,
                Err(unanswered) => return Err(unanswered.error),
            }
        };
        if !is_told {
            self.server.notified_late();
        }
        pushed(jobs.into_iter(), &rows).map_err(|error| explained(error, &self.server.place))
    }

    async fn ask(
        &mut self,
        jobs: &[&Encoded],
        lines: &Lines,
        notice: &Notice,
        are_sent_again: bool,
    ) -> Result<Vec<PgRow>, Unanswered> {
        if let ([job], None, false) = (jobs, &notice.0, are_sent_again)
            && is_plain(job)
        {
            return self.ask_one(job, lines).await.map(|()| Vec::new());
        }
        let sql = &self.server.sql.push;
        self.link
            .try_call(&move |connection| {
                let columns = Columns::of(jobs.iter().copied(), lines, are_sent_again);
                let push = columns.bind(sql.query()).bind(notice.0.clone()).bind(notice.1.clone());
                Box::pin(push.fetch_all(connection))
            })
            .await
    }

    async fn ask_one(&mut self, job: &Encoded, lines: &Lines) -> Result<(), Unanswered> {
        let sql = &self.server.sql.push_one;
        self.link
            .try_call(&move |connection| {
                let push = bind_one(sql.query(), job, lines);
                Box::pin(async move { push.execute(connection).await.map(drop) })
            })
            .await
    }
}

/// Reads what `push` answers.
pub(crate) fn pushed<'a>(jobs: impl Iterator<Item = &'a Encoded>, rows: &[PgRow]) -> sqlx::Result<Pushed> {
    // What no row speaks of is stored.
    let mut receipts: Vec<_> = jobs.map(|job| Receipt::Stored(job.id)).collect();
    for row in rows {
        let (place, kind): (i32, i16) = (row.try_get(0)?, row.try_get(1)?);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if kind < 0 {
            return Ok(Pushed::Refused(place));
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

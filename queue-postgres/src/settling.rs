//! The lane that settles: attempts that end while a statement is under way share the next one.

use std::sync::Arc;
use std::time::Duration;

use queue_core::encoded::Encoded;
use queue_core::{QueueError, Settled, Settlement, Transition};
use sqlx::Row as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use crate::batch::past_the_end;
use crate::company::Company;
use crate::error::{explained, is_about_the_request, shared};
use crate::link::Link;
use crate::server::Server;
use crate::settlements::bind_settlements;

/// How many jobs share a statement at most, roughly.
const MOST: usize = 10_000;

/// For how long a statement waits for those who were answered by the last one.
const COMPANY: Duration = Duration::from_micros(50);

/// Settlements that somebody waits for.
pub(crate) struct Settle {
    pub(crate) settlements: Vec<Settlement>,
    /// The followups of each, taken out of it.
    pub(crate) followups: Vec<Vec<Encoded>>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Settled>, QueueError>>,
}

pub(crate) struct Settler {
    requests: UnboundedReceiver<Settle>,
    link: Link,
    server: Arc<Server>,
    company: Company,
}

impl Settle {
    /// How many jobs it's about.
    fn weight(&self) -> usize {
        self.settlements.len() + self.followups.iter().map(Vec::len).sum::<usize>()
    }

    /// Completions make nothing ready, unless they have followups.
    fn makes_jobs_ready(&self) -> bool {
        let complete = |settlement: &Settlement| settlement.transition == Transition::Complete;
        !self.settlements.iter().all(complete) || self.followups.iter().any(|jobs| !jobs.is_empty())
    }
}

impl Settler {
    pub(crate) fn new(requests: UnboundedReceiver<Settle>, server: Arc<Server>) -> Self {
        Self { requests, link: Link::new(server.place.clone()), server, company: Company::new(COMPANY) }
    }

    /// Settles until nobody can ask for it any more.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.settle(batch).await;
        }
    }

    async fn gather(&mut self) -> Option<Vec<Settle>> {
        let mut batch = vec![self.requests.recv().await?];
        let mut weight = batch.iter().map(Settle::weight).sum::<usize>();
        let expected = self.company.expected(batch.len() + self.requests.len());
        let mut patience = self.company.patience();
        while weight < MOST {
            match self.requests.try_recv() {
                Ok(settle) => {
                    weight += settle.weight();
                    batch.push(settle);
                }
                Err(_) if batch.len() >= expected || !patience.wait().await => break,
                Err(_) => {}
            }
        }
        self.company.came(batch.len(), expected);
        Some(batch)
    }

    /// Settles what has gathered, and answers. A request that can't be met keeps no other from it.
    async fn settle(&mut self, mut batch: Vec<Settle>) {
        while !batch.is_empty() {
            match self.ask(&batch).await {
                Ok(applied) => match applied.first() {
                    Some(refused) if *refused < 0 => refuse(&mut batch, *refused),
                    _ => {
                        if batch.iter().any(Settle::makes_jobs_ready) {
                            self.server.wake();
                        }
                        return answer(batch, &applied);
                    }
                },
                Err(error) if batch.len() > 1 && is_about_the_request(&error) => {
                    // One of them is wrong: each goes alone, the last here.
                    let rest = batch.split_off(1);
                    for settle in rest {
                        Box::pin(self.settle(vec![settle])).await;
                    }
                }
                Err(error) => {
                    let mut error = shared(error);
                    batch.into_iter().for_each(|settle| drop(settle.reply.send(Err(error()))));
                    return;
                }
            }
        }
    }

    /// Tells the places of the settlements that applied, all requests counted through; or below zero, a refused followup.
    async fn ask(&mut self, batch: &[Settle]) -> Result<Vec<i32>, QueueError> {
        let followups = batch.iter().flat_map(|settle| &settle.followups).flatten();
        let lines = self.server.lines(&mut self.link, followups).await?;
        let changes = batch.iter().any(Settle::makes_jobs_ready);
        let notice = if changes { self.server.notice() } else { (None, None) };
        let sql = &self.server.sql.settle;
        let (lines, notice) = (&lines, &notice);
        let row = self
            .link
            .call(&move |connection| {
                Box::pin(bind_settlements(sql.query(), batch, lines, notice).fetch_one(connection))
            })
            .await?;
        if changes && notice.0.is_none() {
            self.server.notified_late();
        }
        row.try_get(0).map_err(|error| explained(error, &self.server.place))
    }
}

/// Answers each request; a settlement whose place is not named was stale.
fn answer(batch: Vec<Settle>, applied: &[i32]) {
    let count: usize = batch.iter().map(|settle| settle.settlements.len()).sum();
    let mut settled = vec![Settled::Stale; count];
    for place in applied {
        if let Some(settled) = usize::try_from(*place).ok().and_then(|place| settled.get_mut(place)) {
            *settled = Settled::Applied;
        }
    }
    let mut settled = settled.into_iter();
    for settle in batch {
        // Whoever asked may have gone.
        drop(settle.reply.send(Ok(settled.by_ref().take(settle.settlements.len()).collect())));
    }
}

/// Takes the request out whose followup has a delay that leads past the end of time, and says so.
fn refuse(batch: &mut Vec<Settle>, place: i32) {
    let mut index = usize::try_from(-1 - i64::from(place)).unwrap_or(0);
    for (at, settle) in batch.iter().enumerate() {
        for followups in &settle.followups {
            if index < followups.len() {
                let error = past_the_end(followups, index);
                drop(batch.remove(at).reply.send(Err(error)));
                return;
            }
            index -= followups.len();
        }
    }
    // Nothing like that was sent, so that nobody can be told of it; all are.
    let mut error = shared(QueueError::invalid("a `delay` of a followup leads past the end of time"));
    batch.drain(..).for_each(|settle| drop(settle.reply.send(Err(error()))));
}

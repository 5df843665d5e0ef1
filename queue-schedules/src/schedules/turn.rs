//! Turns: callers that change the same schedule at the same time do so one after the other.
//!
//! A change reads the tick of a schedule, and stores another tick in its place. No operation of a queue does both at once. So a
//! caller first pushes a job that has the schedule's name as its unique key: the caller whose job is stored has the turn, and deletes
//! the job at the end.
//!
//! | event | effect |
//! | --- | --- |
//! | the turn is taken | the caller waits until that job has ended or is gone, and tries again |
//! | several schedules, some turns are taken | the caller gives up the others, so that two callers never wait for each other |
//! | the caller dies | its job becomes due, and a worker that performs ticks completes it; otherwise, the next caller cancels it |
//!
//! A caller that is stopped for longer than a turn lasts may overwrite a change that was made meanwhile.

use std::time::Duration;

use queue_core::admin::{Change, Filter};
use queue_core::{
    Admin as _, JobId, NewJob, Queue as _, QueueError, QueueErrorKind, Receipt, background_job,
};

use crate::stored::StoredSchedule;

use super::{Schedules, check_group, check_name};

/// How long a turn lasts.
const LENGTH: Duration = Duration::from_secs(10);

/// How much longer the next caller waits for a worker that completes the job of a turn.
const MARGIN: Duration = Duration::from_secs(2);

/// How often a caller tries to have its turn.
const TRIES: usize = 100;

/// The number of jobs that are pushed or deleted in one trip.
const BATCH: usize = 250;

/// The job of a turn. If it runs, its caller has died, and its completion frees the unique key.
#[background_job(name = "schedule.turn")]
pub(crate) async fn turn() {}

/// The right to change some schedules, until it is passed to [`Schedules::end_turn`].
pub(super) struct HeldTurn(Vec<JobId>);

impl Schedules {
    /// Waits for the turn to change schedules of these names.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name that no schedule can have. `Unavailable` if other changes of them do not end. Those of [`Queue::push`](queue_core::Queue::push).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the turn may be taken until its length is over.
    pub(super) async fn take_turn(&self, names: &[&str]) -> Result<HeldTurn, QueueError> {
        check_group(&self.group).map_err(QueueError::invalid)?;
        names.iter().try_for_each(|name| check_name(name)).map_err(QueueError::invalid)?;
        for _ in 0..TRIES {
            let (mut held, mut taken) = (Vec::new(), None);
            for names in names.chunks(BATCH) {
                for receipt in self.queue.push(names.iter().map(|name| self.turn(name)).collect()).await? {
                    match receipt {
                        Receipt::Stored(id) => held.push(id),
                        other => taken = Some(other.id()),
                    }
                }
            }
            let Some(taken) = taken else { return Ok(HeldTurn(held)) };
            self.end_turn(HeldTurn(held)).await;
            self.wait_for(taken).await?;
        }
        Err(QueueError::unavailable("the schedule is changed all the time"))
    }

    /// Ends the turn of the caller, so that the next one has its turn.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the turn ends when its length is over.
    pub(super) async fn end_turn(&self, turn: HeldTurn) {
        for ids in turn.0.chunks(BATCH) {
            if let Err(error) = self.queue.change(ids, &Filter::all(), &Change::Delete).await {
                // The change is stored, and the turn ends by itself.
                tracing::debug!(service = &*self.name, %error, "could not end the change of a schedule");
            }
        }
    }

    /// Waits until the turn of another caller has ended. If the caller and all workers are gone, ends it.
    async fn wait_for(&self, turn: JobId) -> Result<(), QueueError> {
        let ended = self.queue.ended(&[turn], LENGTH + MARGIN).await?;
        let is_left =
            ended.first().is_some_and(|job| job.as_ref().is_some_and(|job| !job.state.is_finished()));
        if is_left {
            match self.queue.cancel(turn, "its caller has not ended the change").await {
                Err(error) if error.kind() != QueueErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn turn(&self, name: &str) -> NewJob {
        NewJob::from(turn::new())
            .queue(StoredSchedule::queue_of(&self.group, true))
            .unique(StoredSchedule::key_of(&self.group, name))
            .delay(LENGTH)
    }
}

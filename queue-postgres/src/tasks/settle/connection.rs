//! The statement that settles, over a connection of its own.

use std::sync::Arc;

use queue_core::QueueError;
use sqlx::postgres::PgRow;

use crate::columns::{SettleMode, SettleOutcome, SettlementSlice, bind_settlements};
use crate::connection::{CallError, ReconnectingConnection};
use crate::error::{is_notification_queue_full, is_untranslatable, to_queue_error};
use crate::notification::NotifyArgs;
use crate::shared::Shared;

/// The maximum number of tries of a statement whose queues are lost in between.
const MAX_TRIES: usize = 3;

/// Sends settlements to the server over its own connection.
pub(super) struct SettleConnection {
    connection: ReconnectingConnection,
    pub(super) shared: Arc<Shared>,
}

impl SettleConnection {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { connection: shared.connection().with_lock_timeout(), shared }
    }

    /// Settles `slices`, and wakes the claim task if jobs became ready. With `skip_locked`, leases locked by another
    /// transaction are skipped.
    pub(super) async fn settle(
        &mut self,
        slices: &[SettlementSlice<'_>],
        skip_locked: bool,
    ) -> Result<SettleOutcome, CallError> {
        for _ in 0..MAX_TRIES {
            let followups = slices.iter().flat_map(|slice| slice.followups).flatten();
            let unknown = self.shared.unknown_queues(followups);
            self.shared.ensure_queues(&mut self.connection, unknown).await?;
            let outcome = self.settle_once(slices, skip_locked).await?;
            if !outcome.is_queue_unknown {
                self.shared.dead_rows.add(slices.iter().map(|slice| slice.settlements.len()).sum());
                let settled = slices.iter().flat_map(|slice| slice.settlements);
                self.shared.end_watches.wake(settled.map(|settlement| settlement.lease.job));
                if outcome.frees_places || slices.iter().any(SettlementSlice::makes_jobs_ready) {
                    self.shared.wake();
                }
                return Ok(outcome);
            }
            self.shared.forget_queues();
        }
        Err(lost_queue().into())
    }

    async fn settle_once(
        &mut self,
        slices: &[SettlementSlice<'_>],
        skip_locked: bool,
    ) -> Result<SettleOutcome, CallError> {
        let changes = slices.iter().any(SettlementSlice::makes_jobs_ready);
        let may_notify = changes || self.shared.has_shared_queues();
        let mut notify =
            if may_notify { self.shared.notifier.jobs_unless_recent() } else { NotifyArgs::none() };
        let mut mode = SettleMode { skip_locked, ascii_only: false };
        let row = loop {
            match self.send(slices, mode, &notify).await {
                Ok(row) => break row,
                Err(CallError { error, .. }) if notify.is_some() && is_notification_queue_full(&error) => {
                    self.shared.notifier.mute();
                    notify = NotifyArgs::none();
                }
                // Commits that notify wait for one another in the whole server, so the notification is sent separately.
                Err(failed) if notify.is_some() && failed.is_blocked => notify = NotifyArgs::none(),
                Err(CallError { error, .. }) if !mode.ascii_only && is_untranslatable(&error) => {
                    mode.ascii_only = true;
                }
                Err(failed) => return Err(failed),
            }
        };
        let outcome =
            SettleOutcome::from_row(&row).map_err(|error| to_queue_error(error, &self.shared.target))?;
        if outcome.frees_places {
            self.shared.note_shared_queue();
        }
        if (changes || outcome.frees_places) && !notify.is_some() {
            self.shared.notifier.notify_later();
        }
        Ok(outcome)
    }

    async fn send(
        &mut self,
        slices: &[SettlementSlice<'_>],
        mode: SettleMode,
        notify: &NotifyArgs,
    ) -> Result<PgRow, CallError> {
        let sql = &self.shared.sql.settle;
        self.connection
            .call(&move |connection| {
                Box::pin(bind_settlements(sql.query(), slices, mode, notify).fetch_one(connection))
            })
            .await
    }
}

/// Returns the error of a settlement whose followup's queue was created and lost again at every try.
fn lost_queue() -> QueueError {
    QueueError::unavailable("the queue of a followup was removed meanwhile: the tables are being emptied")
}

//! Stores what a program declares, when a process starts.

use std::collections::HashMap;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{Admin as _, Job as _, JobId, JobRecord, NewJob, Queue as _, QueueError, Receipt, State};

use crate::stored::StoredSchedule;
use crate::tick_job::tick;

use super::Schedules;

/// The number of ticks that are read and pushed in one trip.
const PAGE: usize = 1_000;

/// The differences between the declared and the stored schedules.
#[derive(Default)]
struct Differences {
    /// The ticks of schedules that are not stored.
    new: Vec<NewJob>,
    /// The ticks to store in the places of others, by the names of their schedules.
    changed: HashMap<String, NewJob>,
    /// The ticks of schedules that are not declared any more.
    retired: HashMap<String, (JobRecord, StoredSchedule)>,
}

impl Schedules {
    /// Stores the schedules that the program declares, changes those that are declared differently now, and retires those that it does
    /// not declare any more. The start of the service does so.
    ///
    /// A changed schedule continues after its last tick: a tick that is overdue is not lost. What a process with a greater
    /// [`revision`](Self::revision) has stored is left, as are schedules that were put at run time, and paused ones stay paused. If
    /// nothing has changed, it reads once and writes nothing.
    ///
    /// # Errors
    ///
    /// `Invalid` for a mistake in the declaration. Those of [`Admin::list`](queue_core::Admin::list) and
    /// [`Queue::push`](queue_core::Queue::push).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some schedules may be stored and others not. A further call completes it.
    pub async fn apply(&self) -> Result<(), QueueError> {
        let Differences { new, changed, retired } = self.differences().await?;
        self.push_all(new).await?;
        let names: Vec<_> = changed.keys().chain(retired.keys()).map(String::as_str).collect();
        if names.is_empty() {
            return Ok(());
        }
        let turn = self.take_turn(&names).await?;
        let applied = self.apply_to(&names).await;
        self.end_turn(turn).await;
        applied
    }

    /// Changes and retires schedules of these names, whose turn the caller has. It reads them again: the tick of one may have been
    /// performed or changed before the turn.
    async fn apply_to(&self, names: &[&str]) -> Result<(), QueueError> {
        let Differences { changed, retired, .. } = self.differences().await?;
        let is_meant = |name: &str| names.contains(&name);
        let changed = changed.into_iter().filter(|(name, _)| is_meant(name)).map(|(_, tick)| tick);
        self.push_all(changed.collect()).await?;
        for (_, (tick, earlier)) in retired.into_iter().filter(|(name, _)| is_meant(name)) {
            self.retire(&tick, &earlier).await?;
        }
        Ok(())
    }

    /// Compares what the program declares with what is stored.
    async fn differences(&self) -> Result<Differences, QueueError> {
        let mut stored = self.stored_ticks().await?;
        let mut differences = Differences::default();
        for declared in &self.declared {
            let schedule = self.declared(declared)?;
            match stored.remove(&schedule.name) {
                None => differences.new.push(schedule.tick()?),
                Some((tick, Some(earlier))) => {
                    let changed = changed(schedule, &earlier, &tick)?;
                    differences.changed.extend(changed.map(|tick| (declared.name.clone(), tick)));
                }
                Some((_, None)) => {}
            }
        }
        for (name, (tick, earlier)) in stored {
            // A tick that this version cannot read is of a newer one.
            let earlier = earlier.filter(|earlier| !earlier.is_removed && earlier.revision <= self.revision);
            differences.retired.extend(earlier.map(|earlier| (name, (tick, earlier))));
        }
        Ok(differences)
    }

    /// Returns the declared schedules that are stored, by their names, each with its tick.
    async fn stored_ticks(&self) -> Result<HashMap<String, (JobRecord, Option<StoredSchedule>)>, QueueError> {
        let filter =
            Filter::all().queue(StoredSchedule::queue_of(&self.group, true)).name(tick::NAME).unfinished();
        let mut stored = HashMap::new();
        let mut request = PageRequest::first(PAGE);
        loop {
            let page = self.queue.list(&filter, &request).await?;
            for tick in page.jobs {
                let Some(name) = name_of(&tick) else { continue };
                let schedule = StoredSchedule::of(&tick).ok();
                // Beside a tick that is performed there may be one that follows it, and holds the key.
                let is_newer =
                    |(other, _): &(JobRecord, _)| other.state == State::Executing || other.attempt > 0;
                if stored.get(&name).is_none_or(is_newer) {
                    stored.insert(name, (tick, schedule));
                }
            }
            if page.next.is_none() {
                return Ok(stored);
            }
            request.after = page.next;
        }
    }

    async fn push_all(&self, mut ticks: Vec<NewJob>) -> Result<(), QueueError> {
        while !ticks.is_empty() {
            let rest = ticks.split_off(ticks.len().min(PAGE));
            let batch = std::mem::replace(&mut ticks, rest);
            for receipt in self.queue.push(batch).await? {
                if let Receipt::Existing(tick) = receipt {
                    self.warn_of_another(tick).await?;
                }
            }
        }
        Ok(())
    }

    /// Warns if a declared schedule was put at run time. If another process has just declared it, there is nothing to say.
    async fn warn_of_another(&self, tick: JobId) -> Result<(), QueueError> {
        let other = self.queue.get(tick).await?;
        let put = StoredSchedule::queue_of(&self.group, false);
        if let Some(other) = other.filter(|other| other.queue == put) {
            let schedule = other.unique.as_deref();
            tracing::warn!(
                service = &*self.name,
                schedule,
                "the declared schedule is not stored: one was put at run time"
            );
        }
        Ok(())
    }
}

/// Returns the tick of a declared schedule that is stored differently, unless a newer program has stored it.
fn changed(
    declared: StoredSchedule,
    earlier: &StoredSchedule,
    tick: &JobRecord,
) -> Result<Option<NewJob>, QueueError> {
    let is_same = declared.is_defined_as(earlier) && declared.revision == earlier.revision;
    if is_same || declared.revision < earlier.revision {
        return Ok(None);
    }
    declared.paused_as(earlier).replacing(earlier, tick).map(Some)
}

/// Returns the name of the schedule of a tick, from its unique key `group/name`.
fn name_of(tick: &JobRecord) -> Option<String> {
    Some(tick.unique.as_ref()?.split_once('/')?.1.to_owned())
}

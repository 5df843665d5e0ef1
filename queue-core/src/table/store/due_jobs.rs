//! The jobs that wait until they are due: a calendar queue for each queue, and an index of their first jobs.

use std::collections::BTreeSet;

use super::calendar_queue::CalendarQueue;
use super::ordered_set::Position;
use super::{DueBatch, PREFETCH_BATCH};
use crate::contract::clock::Timestamp;

/// The positions of all waiting jobs by due time, and the first of each queue.
///
/// **Invariant:** `first` has the first position of each calendar that is not empty, with the number of its queue.
#[derive(Debug, Default)]
pub(super) struct DueJobs {
    /// By the numbers of the queues. Queues without a waiting job so far may be missing at the end.
    calendars: Vec<CalendarQueue>,
    first: BTreeSet<(Position, u32)>,
}

impl DueJobs {
    pub(super) fn insert(&mut self, queue: u32, position: Position) {
        if self.calendars.len() <= queue as usize {
            self.calendars.resize_with(queue as usize + 1, CalendarQueue::default);
        }
        self.change(queue, |calendar| calendar.insert(position));
    }

    /// Removes a position. Returns whether it was there.
    pub(super) fn remove(&mut self, queue: u32, position: &Position) -> bool {
        self.change(queue, |calendar| calendar.remove(position)).unwrap_or(false)
    }

    /// Returns the first position of all queues.
    #[inline]
    pub(super) fn first(&self) -> Option<&Position> {
        self.first.first().map(|(position, _)| position)
    }

    /// Returns the first position of a queue.
    pub(super) fn first_of(&self, queue: u32) -> Option<&Position> {
        self.calendars.get(queue as usize)?.first()
    }

    /// Removes the positions that are due at `now`, in order, until the batch is full.
    pub(super) fn pop_until(&mut self, now: Timestamp, batch: &mut DueBatch) {
        while batch.len() < PREFETCH_BATCH
            && let Some((first, queue)) = self.first.first().copied()
            && first.at <= now
        {
            self.first.pop_first();
            // Up to the first position of another queue, this queue's positions are next.
            let other = self.first.first().map(|(position, _)| *position);
            let Some(calendar) = self.calendars.get_mut(queue as usize) else { continue };
            while batch.len() < PREFETCH_BATCH
                && calendar.first().is_some_and(|next| other.is_none_or(|other| *next < other))
                && let Some(due) = calendar.pop_until(now)
            {
                batch.push(due.slot);
            }
            self.first.extend(calendar.first().map(|next| (*next, queue)));
        }
    }

    /// Changes the calendar of a queue, and keeps the invariant.
    fn change<T>(&mut self, queue: u32, change: impl FnOnce(&mut CalendarQueue) -> T) -> Option<T> {
        let calendar = self.calendars.get_mut(queue as usize)?;
        let before = calendar.first().copied();
        let answer = change(calendar);
        let after = calendar.first().copied();
        if before != after {
            if let Some(before) = before {
                self.first.remove(&(before, queue));
            }
            self.first.extend(after.map(|after| (after, queue)));
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::super::Slot;
    use super::*;

    #[test]
    fn it_behaves_like_a_sorted_set_of_all_queues() {
        for seed in 0..100 {
            let mut random = Rng::with_seed(seed);
            let (mut jobs, mut model) = (DueJobs::default(), BTreeSet::new());
            for number in 0..random.u32(1..500) {
                let at = Timestamp::from_micros(random.i64(0..20) << 20);
                match random.u8(0..10) {
                    0..6 => {
                        let (queue, position) =
                            (random.u32(0..4), Position::at(at, number.into(), Slot(number)));
                        jobs.insert(queue, position);
                        model.insert((position, queue));
                    }
                    6..9 => {
                        let some = random.choice(model.iter()).copied();
                        let (gone, queue) = some.unwrap_or((Position::at(at, 0, Slot(0)), 7));
                        assert_eq!(jobs.remove(queue, &gone), model.remove(&(gone, queue)), "seed {seed}");
                        assert!(!jobs.remove(queue, &gone), "it was removed twice");
                    }
                    _ => {
                        let mut batch = DueBatch::new();
                        jobs.pop_until(at, &mut batch);
                        let due: Vec<_> = model.iter().take_while(|(job, _)| job.at <= at).copied().collect();
                        let due = &due[..due.len().min(PREFETCH_BATCH)];
                        let slots: Vec<_> = due.iter().map(|(job, _)| job.slot).collect();
                        assert_eq!(batch.to_vec(), slots, "seed {seed}");
                        due.iter().for_each(|job| assert!(model.remove(job)));
                    }
                }
                assert_eq!(jobs.first(), model.first().map(|(job, _)| job), "seed {seed}");
                for queue in 0..5 {
                    let first = model.iter().find(|(_, of)| *of == queue).map(|(job, _)| job);
                    assert_eq!(jobs.first_of(queue), first, "seed {seed}, queue {queue}");
                }
            }
        }
    }
}

//! Counts the attempts that end in each minute.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::JobTable;
use super::store::StoredJob;
use crate::contract::clock::Timestamp;
use crate::contract::history::{HistoryRequest, HistoryRow};
use crate::contract::history_rows::HistoryRows;
use crate::contract::tally::{MINUTE, Tally, minute_of};

/// The tallies of the minutes that are kept. Those of the newest minute are apart, because nearly every attempt ends in it. In that
/// minute, the tally of the latest kind of job is apart, because the next attempt is often of the same kind.
#[derive(Debug, Default)]
pub(super) struct History {
    newest: Timestamp,
    /// A part of the tally of its kind. The rest is in `in_newest`.
    latest: Option<(Series, Tally)>,
    in_newest: FxHashMap<Series, Tally>,
    older: BTreeMap<(Timestamp, Series), Tally>,
}

/// The jobs of one kind in one queue, by the numbers of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Series {
    queue: u32,
    name: u32,
}

impl History {
    /// Adds the tally of an attempt of a job that ended at an instant.
    #[inline]
    pub(super) fn add(&mut self, at: Timestamp, job: &StoredJob, tally: Tally) {
        let series = Series { queue: job.queue, name: job.name };
        let into_newest = at.as_micros().wrapping_sub(self.newest.as_micros());
        match &mut self.latest {
            Some((latest, sum)) if *latest == series && (0..MINUTE).contains(&into_newest) => sum.add(tally),
            _ => self.add_to_another(minute_of(at), series, tally),
        }
    }

    /// Adds a tally of another minute or kind of job than the last time.
    #[inline(never)]
    fn add_to_another(&mut self, minute: Timestamp, series: Series, tally: Tally) {
        if minute < self.newest {
            self.older.entry((minute, series)).or_default().add(tally);
            return;
        }
        if let Some((latest, sum)) = self.latest.replace((series, tally)) {
            self.in_newest.entry(latest).or_default().add(sum);
        }
        if minute > self.newest {
            self.begin(minute);
        }
    }

    /// Begins a minute, and drops those that are no longer kept.
    #[cold]
    fn begin(&mut self, minute: Timestamp) {
        let ended = std::mem::replace(&mut self.newest, minute);
        self.older.extend(self.in_newest.drain().map(|(series, tally)| ((ended, series), tally)));
        let first_kept = HistoryRequest::first_kept(minute);
        while self.older.first_key_value().is_some_and(|((minute, _), _)| *minute < first_kept) {
            self.older.pop_first();
        }
    }

    /// Returns the tallies of a minute and of all later ones, in no order.
    fn since(&self, first: Timestamp) -> impl Iterator<Item = (Timestamp, Series, Tally)> {
        let newest = self.in_newest.iter().map(|(series, tally)| (*series, *tally)).chain(self.latest);
        let newest = newest.map(|(series, tally)| (self.newest, series, tally));
        let older = self.older.range((first, Series { queue: 0, name: 0 })..);
        newest.chain(older.map(|((minute, series), tally)| (*minute, *series, *tally)))
    }
}

impl JobTable {
    /// Returns the number of attempts that ended in each step of the requested part of the last 24 hours, sorted by time, queue and
    /// name.
    pub fn history(&mut self, now: Timestamp, request: &HistoryRequest) -> Vec<HistoryRow> {
        self.advance(now);
        let mut rows = HistoryRows::new(request, self.now);
        for (minute, series, tally) in self.history.since(rows.minutes().start) {
            let (queue, name) = (&self.store.queue(series.queue).name, self.store.job_name(series.name));
            rows.add(minute, queue, name, tally);
        }
        rows.into_rows()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contract::body::Body;
    use crate::contract::job::NewJob;
    use crate::contract::queue::Demand;
    use crate::contract::settlement::{Settlement, Transition};
    use crate::table::TableConfig;

    /// Q109: The memory of a minute is released once it is no longer kept.
    #[test]
    fn at_most_a_day_of_minutes_is_stored() {
        let mut table = JobTable::new(TableConfig::default());
        let minute = Duration::from_secs(60);

        for number in 0..2_000 {
            let now = Timestamp::EPOCH.saturating_add(minute * number);
            table.push(now, vec![NewJob::new("job", Body::stored("null"))]).expect("there is no bound");
            let jobs = table.claim(now, &Demand::new("default", 1)).into_iter();
            let ends = jobs.map(|job| Settlement::new(job.lease, Transition::complete()));
            table.settle(now, ends.collect()).expect("nothing follows");
        }

        assert_eq!(table.history.older.len(), 24 * 60);
    }

    /// Q107: Attempts of several kinds that end in turn, in several minutes and out of order, are counted each with its own.
    #[test]
    fn each_kind_and_minute_has_its_own_counts() {
        let mut table = JobTable::new(TableConfig::default());
        let minute = Duration::from_secs(60);
        let ends = [("a", 1), ("a", 1), ("b", 1), ("a", 1), ("a", 2), ("b", 2), ("b", 3), ("b", 3), ("a", 1)];
        let job = |name: &str| NewJob::new(name.to_owned(), Body::stored("null"));

        for (name, at) in ends {
            let at = Timestamp::EPOCH.saturating_add(minute * at);
            let stored = table.push(Timestamp::EPOCH, vec![job(name)]).expect("there is no bound");
            let slot = table.store.find(stored[0].id()).expect("it was stored");
            let tally = Tally::new(1, 0, 0, Duration::ZERO);
            table.history.add(at, &table.store[slot], tally);
        }

        let now = Timestamp::EPOCH.saturating_add(minute * 4);
        let rows = table.history(now, &HistoryRequest::since(Timestamp::EPOCH));
        let counts: Vec<_> = rows
            .iter()
            .map(|row| (row.from.as_micros() / MINUTE, row.name.as_str().to_owned(), row.completed))
            .collect();
        let expected = [(1, "a", 4), (1, "b", 1), (2, "a", 1), (2, "b", 1), (3, "b", 2)];
        assert_eq!(counts, expected.map(|(minute, name, count)| (minute, name.to_owned(), count)));
    }
}

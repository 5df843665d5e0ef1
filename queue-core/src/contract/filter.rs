//! The filter by which an operator selects jobs.

use crate::contract::clock::Timestamp;
use crate::contract::id_prefix::IdPrefix;
use crate::contract::name::{JobName, QueueName};
use crate::contract::partition::Partition;
use crate::contract::record::{JobRecord, State};
use crate::contract::sort::Sort;

/// Selects jobs. An empty filter matches all jobs, and each field that is set excludes others.
///
/// ```
/// use queue_core::State;
/// use queue_core::admin::Filter;
///
/// let filter = Filter::all().queue("mail").state(State::Discarded).meta("tenant", "acme");
///
/// assert_eq!(filter.states, [State::Discarded]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Filter {
    /// Matches only jobs of this queue.
    pub queue: Option<QueueName>,
    /// Matches only jobs in one of these states; empty matches any state.
    pub states: Vec<State>,
    /// Matches only jobs of this kind.
    pub name: Option<JobName>,
    /// Matches only jobs of this partition.
    pub partition: Option<Partition>,
    /// Matches only jobs whose ids begin with these digits.
    pub id: Option<IdPrefix>,
    /// Matches only jobs that were pushed with this unique key, whether they still hold it or not.
    pub unique: Option<String>,
    /// Matches only jobs whose meta has this key with this value.
    pub meta: Option<(String, String)>,
    /// Matches only jobs pushed at this instant or later.
    pub pushed_since: Option<Timestamp>,
    /// Matches only jobs pushed before this instant.
    pub pushed_before: Option<Timestamp>,
    /// Matches only jobs that finished at this instant or later.
    pub finished_since: Option<Timestamp>,
    /// Matches only jobs that finished before this instant.
    pub finished_before: Option<Timestamp>,
}

impl Filter {
    /// Creates a filter that matches every job.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Returns the part of this filter that bounds the ranges of a list by finish or `run_at`: the queue, the states and the times of
    /// the finish. The other fields skip jobs within the ranges.
    #[must_use]
    pub fn range(&self) -> Self {
        let Self { queue, states, finished_since, finished_before, .. } = self.clone();
        Self { queue, states, finished_since, finished_before, ..Self::default() }
    }

    /// Sets the queue of the matched jobs.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Adds a state: jobs match if they are in one of the added states.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        self.states.push(state);
        self
    }

    /// Adds all unfinished states.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.states.extend(State::ALL.into_iter().filter(|state| !state.is_finished()));
        self
    }

    /// Sets the kind of the matched jobs.
    #[must_use]
    pub fn name(mut self, name: impl Into<JobName>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the partition of the matched jobs. The empty name matches the jobs that name no partition.
    #[must_use]
    pub fn partition(mut self, partition: impl Into<Partition>) -> Self {
        self.partition = Some(partition.into());
        self
    }

    /// Sets the first digits of the ids of the matched jobs: `filter.id("0190af3c".parse()?)`, or a whole id.
    #[must_use]
    pub fn id(mut self, prefix: impl Into<IdPrefix>) -> Self {
        self.id = Some(prefix.into());
        self
    }

    /// Sets the unique key of the matched jobs.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique = Some(key.into());
        self
    }

    /// Sets a key and a value that the meta of the matched jobs has.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.meta = Some((key.into(), value.into()));
        self
    }

    /// Sets the instant at or after which the matched jobs were pushed.
    #[must_use]
    pub fn pushed_since(mut self, instant: Timestamp) -> Self {
        self.pushed_since = Some(instant);
        self
    }

    /// Sets the instant before which the matched jobs were pushed.
    #[must_use]
    pub fn pushed_before(mut self, instant: Timestamp) -> Self {
        self.pushed_before = Some(instant);
        self
    }

    /// Sets the instant at or after which the matched jobs finished. No unfinished job matches.
    #[must_use]
    pub fn finished_since(mut self, instant: Timestamp) -> Self {
        self.finished_since = Some(instant);
        self
    }

    /// Sets the instant before which the matched jobs finished. No unfinished job matches.
    #[must_use]
    pub fn finished_before(mut self, instant: Timestamp) -> Self {
        self.finished_before = Some(instant);
        self
    }

    /// Returns whether a job matches.
    #[must_use]
    pub fn matches(&self, job: &JobRecord) -> bool {
        self.queue.as_ref().is_none_or(|queue| *queue == job.queue)
            && (self.states.is_empty() || self.states.contains(&job.state))
            && self.name.as_ref().is_none_or(|name| *name == job.name)
            && self.partition.as_ref().is_none_or(|partition| *partition == job.partition)
            && self.id.is_none_or(|prefix| prefix.matches(job.id))
            && self.unique.as_ref().is_none_or(|key| job.unique.as_ref() == Some(key))
            && self.meta.as_ref().is_none_or(|(key, value)| job.meta.get(key) == Some(value.as_str()))
            && self.matches_times(job.pushed_at, job.finished_at)
    }

    pub(crate) fn matches_times(&self, pushed_at: Timestamp, finished_at: Option<Timestamp>) -> bool {
        self.pushed_since.is_none_or(|since| pushed_at >= since)
            && self.pushed_before.is_none_or(|before| pushed_at < before)
            && self.finished_since.is_none_or(|since| finished_at.is_some_and(|at| at >= since))
            && self.finished_before.is_none_or(|before| finished_at.is_some_and(|at| at < before))
    }

    /// Returns whether all jobs that match have finished, because of the states or the time of the finish. A list of them is
    /// read fastest by [`Sort::Finished`].
    #[must_use]
    pub fn is_of_finished(&self) -> bool {
        let has_states = !self.states.is_empty();
        self.finished_since.is_some()
            || self.finished_before.is_some()
            || has_states && self.states.iter().all(|state| state.is_finished())
    }

    /// Returns the states that a job in a list of this sort can have, for backends: those of the filter, or all, without the
    /// states that the sort leaves out, and without unfinished ones if the filter bounds the time of the finish.
    #[must_use]
    pub fn states_by(&self, sort: Sort) -> Vec<State> {
        let needs_finish = self.finished_since.is_some() || self.finished_before.is_some();
        let is_possible = |state: &State| {
            sort.lists(*state)
                && (self.states.is_empty() || self.states.contains(state))
                && (!needs_finish || state.is_finished())
        };
        State::ALL.into_iter().filter(is_possible).collect()
    }

    /// Returns a number that identifies the filter in a cursor. It is the same in every process and version.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut digest = Digest::new();
        digest.add(self.queue.as_ref().map(|queue| queue.as_str().as_bytes()));
        digest.add(self.name.as_ref().map(|name| name.as_str().as_bytes()));
        let ids = self
            .id
            .map(|prefix| [prefix.first(), prefix.last()].map(|id| id.as_u128().to_be_bytes()).concat());
        digest.add(ids.as_deref());
        digest.add(self.unique.as_ref().map(String::as_bytes));
        digest.add(self.meta.as_ref().map(|(key, _)| key.as_bytes()));
        digest.add(self.meta.as_ref().map(|(_, value)| value.as_bytes()));
        for time in [self.pushed_since, self.pushed_before, self.finished_since, self.finished_before] {
            digest.add(time.map(|time| time.as_micros().to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
        }
        let states: Vec<u8> = State::ALL
            .into_iter()
            .filter(|state| self.states.contains(state))
            .map(|state| state as u8)
            .collect();
        digest.add(Some(&states));
        digest.0
    }
}

/// A hash that does not depend on the process, by the function FNV-1a.
struct Digest(u64);

impl Digest {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a part with its length, so that no two lists of parts are the same bytes.
    fn add(&mut self, part: Option<&[u8]>) {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        for byte in length.to_be_bytes().iter().chain(part.unwrap_or_default()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_changes_the_fingerprint() {
        let at = Timestamp::EPOCH;
        let filters = [
            Filter::all(),
            Filter::all().queue("a"),
            Filter::all().name("a"),
            Filter::all().unique("a"),
            Filter::all().meta("a", "b"),
            Filter::all().meta("ab", ""),
            Filter::all().id("00".parse::<IdPrefix>().unwrap()),
            Filter::all().id("0".parse::<IdPrefix>().unwrap()),
            Filter::all().pushed_since(at),
            Filter::all().pushed_before(at),
            Filter::all().finished_since(at),
            Filter::all().finished_before(at),
            Filter::all().state(State::Scheduled),
            Filter::all().unfinished(),
        ];

        for (index, filter) in filters.iter().enumerate() {
            let same = filters.iter().filter(|other| other.fingerprint() == filter.fingerprint()).count();
            assert_eq!(same, 1, "filter {index}: {filter:?}");
        }
    }

    #[test]
    fn the_order_of_states_does_not_change_the_fingerprint() {
        let one = Filter::all().state(State::Completed).state(State::Scheduled);
        let other = Filter::all().state(State::Scheduled).state(State::Completed).state(State::Scheduled);

        assert_eq!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_filter_is_of_finished_jobs_by_its_states_or_by_a_bound_of_the_finish() {
        let finished = [
            Filter::all().state(State::Discarded).state(State::Cancelled),
            Filter::all().finished_since(Timestamp::EPOCH),
            Filter::all().queue("mail").finished_before(Timestamp::EPOCH),
        ];
        let others = [
            Filter::all(),
            Filter::all().unfinished(),
            Filter::all().state(State::Discarded).state(State::Retryable),
        ];

        assert!(finished.iter().all(Filter::is_of_finished));
        assert!(!others.iter().any(Filter::is_of_finished));
    }

    #[test]
    fn a_bound_of_the_finish_leaves_only_finished_states() {
        let filter = Filter::all().finished_since(Timestamp::EPOCH);

        assert!(filter.states_by(Sort::Pushed).into_iter().all(State::is_finished));
        assert_eq!(filter.states_by(Sort::RunAt), []);
        assert_eq!(Filter::all().state(State::Available).states_by(Sort::Pushed), [State::Available]);
    }
}

//! The filter, the sort and the position of a list of jobs, as its address encodes them.

use queue_core::admin::{Cursor, Filter, IdPrefix, Order, PageRequest, Sort};
use queue_core::{State, Timestamp};

use crate::error::BoardError;
use crate::text::badge::state_of;
use crate::text::time::instant;

/// The filter, the sort and the place of a list of jobs, made of the pairs of its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobsQuery {
    /// The pairs that are not empty, in the order of [`KEYS`](Self::KEYS).
    pairs: Vec<(String, String)>,
    filter: Filter,
    sort: Option<Sort>,
    order: Option<Order>,
    after: Option<Cursor>,
    limit: Option<usize>,
}

impl JobsQuery {
    /// The keys that select jobs: the first eleven.
    const FILTERS: &[&str] = Self::KEYS.split_at(11).0;

    /// All keys of an address.
    const KEYS: [&str; 16] = [
        "state",
        "queue",
        "partition",
        "name",
        "id",
        "meta",
        "unique",
        "pushed_since",
        "pushed_before",
        "finished_since",
        "finished_before",
        "error",
        "sort",
        "order",
        "limit",
        "after",
    ];

    /// The number of jobs of a page.
    const PAGE: usize = 50;

    /// The maximum number of jobs of a page.
    const LARGEST: usize = 500;

    /// The number of jobs after which the search for a page ends, so that a filter which few jobs match delays no page.
    const SEARCH: u64 = 10_000;

    /// Reads the pairs of an address. Empty ones and those of other keys are left out.
    ///
    /// # Errors
    ///
    /// A sentence on the first value that cannot be read.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Result<Self, BoardError> {
        let place = |key: &str| Self::KEYS.iter().position(|known| *known == key);
        let trimmed = |(key, value): (String, String)| (key, value.trim().to_owned());
        let mut pairs: Vec<_> = pairs
            .into_iter()
            .map(trimmed)
            .filter(|(key, value)| place(key).is_some() && !value.is_empty())
            .collect();
        pairs.sort_by_key(|(key, _)| place(key));
        pairs.dedup();
        let mut query = Self::default();
        for (key, value) in &pairs {
            query.read(key, value).map_err(BoardError::Invalid)?;
        }
        query.pairs = pairs;
        Ok(query)
    }

    fn read(&mut self, key: &str, value: &str) -> Result<(), String> {
        let filter = &mut self.filter;
        let time = || {
            instant(value).ok_or_else(|| {
                format!("`{value}` is not an instant: write it as in `2026-11-29T08:00:00Z`, or in microseconds since the epoch")
            })
        };
        match key {
            "state" => filter.states.push(state_of(value).ok_or_else(|| unknown(value, "state", &STATES))?),
            "queue" => filter.queue = Some(value.into()),
            "partition" => filter.partition = Some(value.into()),
            "name" => filter.name = Some(value.into()),
            "id" => filter.id = Some(value.parse::<IdPrefix>().map_err(|error| error.to_string())?),
            "meta" => {
                let (key, value) = value.split_once('=').ok_or_else(|| {
                    format!("`{value}` is not a key with its value: write it as in `tenant=acme`")
                })?;
                filter.meta = Some((key.trim().to_owned(), value.trim().to_owned()));
            }
            "unique" => filter.unique = Some(value.to_owned()),
            "pushed_since" => filter.pushed_since = Some(time()?),
            "pushed_before" => filter.pushed_before = Some(time()?),
            "finished_since" => filter.finished_since = Some(time()?),
            "finished_before" => filter.finished_before = Some(time()?),
            "sort" => {
                let sorts = [Sort::Pushed, Sort::Finished, Sort::RunAt];
                let known = sorts.into_iter().find(|sort| sort.to_string() == value);
                self.sort =
                    Some(known.ok_or_else(|| unknown(value, "sort", &["pushed", "finished", "run_at"]))?);
            }
            "order" => {
                let known =
                    [Order::Newest, Order::Oldest].into_iter().find(|order| order.to_string() == value);
                self.order = Some(known.ok_or_else(|| unknown(value, "order", &["newest", "oldest"]))?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=Self::LARGEST).contains(limit));
                let text = || format!("`{value}` is not a number of jobs: write 1 to {}", Self::LARGEST);
                self.limit = Some(limit.ok_or_else(text)?);
            }
            "after" => self.after = Some(Cursor::new(value)),
            _ => {}
        }
        Ok(())
    }

    pub(crate) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns the sort: that of the address, or the one that fits the states.
    pub(crate) fn sort(&self) -> Sort {
        let states = &self.filter.states;
        self.sort.unwrap_or_else(|| match states.as_slice() {
            _ if self.filter.is_of_finished() => Sort::Finished,
            [] => Sort::Pushed,
            states if states.iter().all(|state| !state.is_finished()) => Sort::RunAt,
            _ => Sort::Pushed,
        })
    }

    /// Returns the order: that of the address; otherwise the next job first among waiting ones, and the newest first among others.
    pub(crate) fn order(&self) -> Order {
        self.order.unwrap_or(if self.sort() == Sort::RunAt { Order::Oldest } else { Order::Newest })
    }

    pub(crate) fn request(&self) -> PageRequest {
        let mut request =
            PageRequest::first(self.limit.unwrap_or(Self::PAGE)).sort(self.sort()).order(self.order());
        request = request.search(Self::SEARCH);
        request.after.clone_from(&self.after);
        request
    }

    /// Returns whether the list begins with its first job.
    pub(crate) const fn is_first(&self) -> bool {
        self.after.is_none()
    }

    /// Returns the value of a key, or an empty text.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.pairs.iter().find(|(other, _)| other == key).map_or("", |(_, value)| value)
    }

    /// Returns the states of the filter.
    pub(crate) fn states(&self) -> &[State] {
        &self.filter.states
    }

    /// Returns the pairs that select jobs, for a form that changes them. The text of an error selects among the shown jobs only.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let filters = self.pairs.iter().filter(|(key, _)| Self::FILTERS.contains(&key.as_str()));
        filters.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the pairs.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Returns the path of the list with another value of a key, or without the key for `None`. It begins with the first page.
    pub(crate) fn path_with(&self, key: &str, value: Option<&str>) -> String {
        let others = |(other, _): &&(String, String)| other != key && other != "after";
        let mut pairs: Vec<_> = self.pairs.iter().filter(others).cloned().collect();
        pairs.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        path(&pairs)
    }

    /// Returns the path of the page after a cursor.
    pub(crate) fn path_after(&self, cursor: &Cursor) -> String {
        self.path_with("after", Some(cursor.as_str()))
    }

    /// Returns the path of the jobs that finished between two instants: of the states of the list, without the unfinished ones.
    pub(crate) fn path_finished(&self, from: Timestamp, until: Timestamp) -> String {
        let others = |(key, value): &&(String, String)| match key.as_str() {
            "finished_since" | "finished_before" | "after" | "sort" | "order" => false,
            "state" => state_of(value).is_some_and(State::is_finished),
            _ => true,
        };
        let mut pairs: Vec<_> = self.pairs.iter().filter(others).cloned().collect();
        pairs.push(("finished_since".to_owned(), seconds(from)));
        pairs.push(("finished_before".to_owned(), seconds(until)));
        path(&pairs)
    }

    /// Returns the path of the list.
    pub(crate) fn path(&self) -> String {
        path(&self.pairs)
    }

    /// Returns the list of those of these jobs that an action is for, if the address has no state: a retry is for discarded jobs, a
    /// cancellation for unfinished ones, a deletion for finished ones. It has no place, sort or text of an error.
    pub(crate) fn for_action(&self, action: &str) -> Result<Self, BoardError> {
        let mut pairs: Vec<_> =
            self.filters().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if self.filter.states.is_empty() {
            let is_meant = |state: &State| match action {
                "retry" => *state == State::Discarded,
                "cancel" => !state.is_finished(),
                _ => state.is_finished(),
            };
            let states = State::ALL.into_iter().filter(is_meant);
            pairs.extend(states.map(|state| ("state".to_owned(), state.to_string())));
        }
        Self::new(pairs)
    }

    /// Describes the jobs without values of meta and unique keys: ``discarded jobs of the queue `mail` ``.
    pub(crate) fn description(&self) -> String {
        let mut text = match self.filter.states.as_slice() {
            [] => "all jobs".to_owned(),
            states => {
                let states: Vec<_> = states.iter().map(State::to_string).collect();
                format!("{} jobs", states.join(" and "))
            }
        };
        for (key, value) in self.filters() {
            match key {
                "queue" => text.push_str(&format!(" of the queue `{value}`")),
                "partition" => text.push_str(&format!(" of the partition `{value}`")),
                "name" => text.push_str(&format!(" named `{value}`")),
                "id" => text.push_str(&format!(" whose ids begin with {value}")),
                "meta" => {
                    let key = value.split_once('=').map_or(value, |(key, _)| key.trim());
                    text.push_str(&format!(" with a certain `{key}` in their meta"));
                }
                "unique" => text.push_str(" with a certain unique key"),
                "state" => {}
                bound => text.push_str(&format!(", {} {value}", bound.replace('_', " "))),
            }
        }
        text
    }
}

const STATES: [&str; 7] =
    ["scheduled", "available", "executing", "retryable", "completed", "discarded", "cancelled"];

fn unknown(value: &str, what: &str, known: &[&str]) -> String {
    let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
    format!("`{value}` is not a {what}: write {}", known.join(", "))
}

/// Returns an instant as an address has it, to the second.
fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// Returns the path of the list of jobs with these pairs.
fn path(pairs: &[(String, String)]) -> String {
    match serde_urlencoded::to_string(pairs) {
        Ok(query) if !query.is_empty() => format!("/jobs?{query}"),
        _ => "/jobs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Result<JobsQuery, BoardError> {
        JobsQuery::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn an_address_is_read_and_written() {
        let query = query(&[
            ("queue", "mail"),
            ("name", ""),
            ("meta", "tenant = a&b"),
            ("state", "discarded"),
            ("x", "y"),
        ])
        .unwrap();

        assert_eq!(
            query.filter(),
            &Filter::all().queue("mail").meta("tenant", "a&b").state(State::Discarded)
        );
        assert_eq!((query.sort(), query.order()), (Sort::Finished, Order::Newest));
        assert_eq!(query.path(), "/jobs?state=discarded&queue=mail&meta=tenant+%3D+a%26b");
        assert_eq!(query.path_with("meta", None), "/jobs?state=discarded&queue=mail");
        assert_eq!(
            query.description(),
            "discarded jobs of the queue `mail` with a certain `tenant` in their meta"
        );
    }

    #[test]
    fn the_sort_fits_the_states() {
        let of = |states: &[&str]| {
            let pairs: Vec<_> = states.iter().map(|state| ("state", *state)).collect();
            let query = query(&pairs).unwrap();
            (query.sort(), query.order())
        };

        assert_eq!(of(&[]), (Sort::Pushed, Order::Newest));
        assert_eq!(of(&["available", "scheduled"]), (Sort::RunAt, Order::Oldest));
        assert_eq!(of(&["completed"]), (Sort::Finished, Order::Newest));
        assert_eq!(of(&["completed", "available"]), (Sort::Pushed, Order::Newest));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_to_write() {
        let cases = [
            ("state", "done", "`done` is not a state: write `scheduled`"),
            ("meta", "acme", "write it as in `tenant=acme`"),
            ("id", "xyz", "use 1 to 32 hexadecimal digits"),
            ("limit", "501", "write 1 to 500"),
            ("pushed_since", "noon", "write it as in"),
            ("order", "up", "write `newest`, `oldest`"),
        ];
        for (key, value, expected) in cases {
            let error = query(&[(key, value)]).unwrap_err().sentence();
            assert!(error.contains(expected), "{error}");
        }
    }
}

//! Builds the statements that find the jobs of a list. Each scans one range of one index, and skips the jobs that the filter
//! excludes.

use queue_core::admin::{Filter, IdPrefix, Order, Sort};
use queue_core::backend::{Place, state_bits, to_i64};
use queue_core::{State, Timestamp};
use rusqlite::types::Value;

/// The jobs that a statement reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum IndexScan {
    /// All jobs, in push order.
    All,
    /// The jobs with these ids, in no order.
    Ids(IdPrefix),
    /// The jobs of a queue that are stored in a state, by their `state_time`. The state is neither available nor executing.
    Timed { queue_id: i64, state: State },
    /// The available jobs of a partition with this priority, by `run_at`.
    Ready { partition_id: i64, priority: i64 },
    /// The executing jobs, in no order.
    Leased,
}

/// The order of a list, where the statement continues it, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListOrder {
    pub(crate) sort: Sort,
    pub(crate) order: Order,
    pub(crate) after: Option<Place>,
    /// The last place that is read; `None` for no bound.
    pub(crate) until: Option<Place>,
    pub(crate) now: Timestamp,
}

/// A statement with the values of its parameters. Its columns are the time by which the list is sorted, `seq` and `id`.
pub(crate) struct Select {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

impl IndexScan {
    /// Returns whether the statement of this scan returns the jobs in the order of a list.
    pub(crate) fn is_sorted_by(self, sort: Sort) -> bool {
        match self {
            Self::All => sort == Sort::Pushed,
            Self::Timed { .. } | Self::Ready { .. } => sort != Sort::Pushed,
            Self::Ids(_) | Self::Leased => false,
        }
    }

    /// Returns the table with the index to use. A partial index needs its condition in `condition`, word for word.
    const fn table(self) -> &'static str {
        match self {
            // The key gives the order, whatever other index a condition fits.
            Self::All => "queue_jobs j not indexed",
            Self::Ids(_) => "queue_jobs j indexed by queue_jobs_id",
            Self::Timed { .. } => "queue_jobs j indexed by queue_jobs_by_queue",
            Self::Ready { .. } => "queue_jobs j indexed by queue_jobs_ready",
            Self::Leased => "queue_jobs j indexed by queue_jobs_timed",
        }
    }

    /// Returns the column by which the list is sorted. The `state_time` of a job that waits is its `run_at`.
    const fn time(self, sort: Sort) -> &'static str {
        match (sort, self) {
            (Sort::Finished, _) | (Sort::RunAt, Self::Timed { .. }) => "j.state_time",
            (Sort::RunAt, _) => "j.run_at",
            _ => "0",
        }
    }
}

impl Select {
    /// Creates the statement that reads the jobs of `scan` that match, in the order of `scan` if the scan has that order.
    pub(crate) fn of(scan: IndexScan, filter: &Filter, list: ListOrder) -> Self {
        let time = scan.time(list.sort);
        let mut conditions = Conditions::default();
        conditions.keep_scanned(scan);
        conditions.keep_states(scan, filter, list);
        conditions.keep_filtered(filter);
        conditions.keep_between(time, list);
        conditions.select("j.id", scan, list)
    }

    /// Creates the statement that finds the job at a position of a scan, the first one being 0. Only what bounds the scan
    /// counts of the filter. The third column is the time of the push.
    pub(crate) fn nth(scan: IndexScan, filter: &Filter, list: ListOrder, position: u64) -> Self {
        let mut conditions = Conditions::default();
        conditions.keep_scanned(scan);
        if let IndexScan::Timed { state, .. } = scan {
            conditions.keep_waiting(state, &filter.states_by(list.sort), list.now);
            conditions.keep_filtered(&filter.range());
        }
        conditions.keep_between(scan.time(list.sort), list);
        let mut select = conditions.select("j.pushed_at", scan, list);
        select.values.push(to_i64(position).into());
        select.text += &format!(" limit 1 offset ?{}", select.values.len());
        select
    }
}

/// The conditions of a statement, with the values of its parameters.
struct Conditions {
    terms: Vec<String>,
    values: Vec<Value>,
    /// The first and the last `state_time`. SQLite uses only one condition at each end of a range of an index.
    times: [i64; 2],
}

impl Default for Conditions {
    fn default() -> Self {
        Self { terms: Vec::new(), values: Vec::new(), times: [i64::MIN, i64::MAX] }
    }
}

impl Conditions {
    /// Returns the statement that reads a scan under these conditions, in the order of the list if the scan has it.
    fn select(mut self, column: &str, scan: IndexScan, list: ListOrder) -> Select {
        let [first, last] = self.times;
        if first > i64::MIN {
            self.keep("j.state_time >= {}", [first.into()]);
        }
        if last < i64::MAX {
            self.keep("j.state_time <= {}", [last.into()]);
        }
        let (Self { terms, values, .. }, time) = (self, scan.time(list.sort));
        let mut text = format!("select {time}, j.seq, {column} from {}", scan.table());
        if !terms.is_empty() {
            text += &format!(" where {}", terms.join(" and "));
        }
        if scan.is_sorted_by(list.sort) {
            let direction = if list.order == Order::Newest { "desc" } else { "asc" };
            let time = if time == "0" { String::new() } else { format!("{time} {direction}, ") };
            text += &format!(" order by {time}j.seq {direction}");
        }
        Select { text, values }
    }

    /// Adds a condition. Each `{}` stands for one of the values.
    fn keep(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        let (mut term, mut values) = (String::new(), values.into_iter());
        for (index, part) in condition.split("{}").enumerate() {
            if index > 0 {
                self.values.extend(values.next());
                term += &format!("?{}", self.values.len());
            }
            term += part;
        }
        self.terms.push(term);
    }

    /// Keeps the jobs with a `state_time` at this instant or later.
    fn keep_since(&mut self, first: i64) {
        self.times[0] = self.times[0].max(first);
    }

    /// Keeps the jobs with a `state_time` at this instant or earlier.
    fn keep_until(&mut self, last: i64) {
        self.times[1] = self.times[1].min(last);
    }

    fn keep_scanned(&mut self, scan: IndexScan) {
        match scan {
            IndexScan::All => {}
            IndexScan::Ids(prefix) => {
                let [first, last] =
                    [prefix.first(), prefix.last()].map(|id| Value::Blob(id.as_u128().to_be_bytes().into()));
                self.keep("j.id between {} and {}", [first, last]);
            }
            IndexScan::Timed { queue_id, state } => self.keep(
                "j.queue_id = {} and j.state = {} and j.state <> 2 and j.state_time is not null",
                [queue_id.into(), (state as i64).into()],
            ),
            IndexScan::Ready { partition_id, priority } => {
                self.keep(
                    "j.partition_id = {} and j.state = 1 and j.priority = {}",
                    [partition_id.into(), priority.into()],
                );
            }
            IndexScan::Leased => self.keep("j.state = 2 and j.state_time is not null and j.state < 4", []),
        }
    }

    /// Keeps the states of the filter, as they are now.
    fn keep_states(&mut self, scan: IndexScan, filter: &Filter, list: ListOrder) {
        let states = filter.states_by(list.sort);
        if let IndexScan::Timed { state, .. } = scan {
            return self.keep_waiting(state, &states, list.now);
        }
        if states.len() == State::ALL.len() {
            return;
        }
        let condition = format!("({{}} >> ({})) & 1", state_now!().replace(":now", "{}"));
        let now = list.now.as_micros();
        self.keep(&condition, [i64::from(state_bits(&states)), now, now].map(Value::from));
    }

    /// Bounds the scan of the jobs that are stored as waiting: one that is due is available now, and any other one waits.
    fn keep_waiting(&mut self, state: State, states: &[State], now: Timestamp) {
        if state.is_finished() {
            return;
        }
        if !states.contains(&state) {
            self.keep_until(now.as_micros());
        }
        if !states.contains(&State::Available) {
            self.keep_since(now.as_micros().saturating_add(1));
        }
    }

    fn keep_filtered(&mut self, filter: &Filter) {
        if let Some(queue) = &filter.queue {
            let of_queue = "j.queue_id = (select queue_id from queue_names where name = {})";
            self.keep(of_queue, [queue.as_str().to_owned().into()]);
        }
        if let Some(name) = &filter.name {
            self.keep("j.name = {}", [name.as_str().to_owned().into()]);
        }
        if let Some(partition) = &filter.partition {
            self.keep("j.partition is {}", [partition.name().map(ToOwned::to_owned).into()]);
        }
        if let Some(prefix) = filter.id {
            self.keep_scanned(IndexScan::Ids(prefix));
        }
        if let Some(key) = &filter.unique {
            self.keep("j.unique_key = {}", [key.clone().into()]);
        }
        let times = [("j.pushed_at >= {}", filter.pushed_since), ("j.pushed_at < {}", filter.pushed_before)];
        for (condition, time) in times {
            if let Some(time) = time {
                self.keep(condition, [time.as_micros().into()]);
            }
        }
        if let Some(since) = filter.finished_since {
            self.keep_since(since.as_micros());
        }
        if let Some(before) = filter.finished_before {
            self.keep_until(before.as_micros().saturating_sub(1));
        }
        if let Some((key, value)) = &filter.meta {
            self.keep(HAS_META, [key.clone().into(), value.clone().into()]);
        }
    }

    /// Keeps the places behind the previous page, up to the end of the search.
    fn keep_between(&mut self, time: &str, list: ListOrder) {
        let (behind, up_to) = if list.order == Order::Newest { ("<", ">=") } else { (">", "<=") };
        for (compared, place) in [(behind, list.after), (up_to, list.until)] {
            if let Some(place) = place {
                self.keep_place(compared, place, time);
            }
        }
    }

    fn keep_place(&mut self, compared: &str, place: Place, time: &str) {
        let (at, number) = (place.at.as_micros(), to_i64(place.number));
        if time == "0" {
            return self.keep(&format!("j.seq {compared} {{}}"), [number.into()]);
        }
        // The first comparison bounds the scan of the index, and the second skips the rest of the last time.
        match (time, compared.starts_with('<')) {
            ("j.state_time", true) => self.keep_until(at),
            ("j.state_time", false) => self.keep_since(at),
            (time, true) => self.keep(&format!("{time} <= {{}}"), [at.into()]),
            (time, false) => self.keep(&format!("{time} >= {{}}"), [at.into()]),
        }
        self.keep(&format!("({time}, j.seq) {compared} ({{}}, {{}})"), [at.into(), number.into()]);
    }
}

/// Whether the meta of a job has a key with a value. Text that is not JSON has none.
const HAS_META: &str = "exists (
    select 1 from (select case when j.payload_is_external then (select p.meta from queue_payloads p where p.seq = j.seq)
            else j.meta end as meta) found, json_each(case when json_valid(found.meta) then found.meta end) word
    where word.key = {} and word.value = {})";

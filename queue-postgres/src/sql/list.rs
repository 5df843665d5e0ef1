//! Builds the statements that find jobs for lists.
//!
//! Each statement merges scans of ranges of the indexes, such as the discarded jobs of one queue. Each scan stops after as many
//! jobs as the page needs. So a page costs as many jobs for each scan, however many jobs there are.
//!
//! | part | rows |
//! | --- | --- |
//! | `n` | the time of the statement, `now` |
//! | `q` | the ids of the queues that the filter allows |
//! | `priorities` | the queues, partitions and priorities of ready jobs |
//! | `picked` | the jobs that were found: the time by which the list is sorted, and `seq` |

pub(crate) mod search;

use queue_core::admin::{Filter, Order, Sort};
use queue_core::backend::{PageQuery, Place, state_bits, to_i64};
use queue_core::{JobId, State};

use super::values::{Value, Values};

/// The order of a list, where it continues and ends, and its maximum number of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderAndLimit {
    sort: Sort,
    order: Order,
    after: Option<Place>,
    until: Option<Place>,
    rows: Option<i64>,
    /// The number of rows that each source skips, in its order.
    skipped: Option<i64>,
    /// Whether all sources have the order of the list, so that a search can continue where it has ended.
    is_ordered: bool,
}

impl OrderAndLimit {
    /// The scan of all jobs in push order.
    pub(super) const ALL: Self = Self {
        sort: Sort::Pushed,
        order: Order::Oldest,
        after: None,
        until: None,
        rows: None,
        skipped: None,
        is_ordered: false,
    };

    pub(super) const fn sort(self) -> Sort {
        self.sort
    }

    /// Creates the scan for a page.
    pub(crate) fn of(query: PageQuery) -> Self {
        let rows = Some(to_i64(query.rows() as u64));
        Self { sort: query.sort, order: query.order, after: query.after, rows, ..Self::ALL }
    }

    /// Reads only sources that have the order of the list.
    pub(crate) fn ordered(self) -> Self {
        Self { is_ordered: true, ..self }
    }

    /// Ends at a place, if there is one.
    pub(crate) fn until(self, until: Option<Place>) -> Self {
        Self { until, ..self }
    }

    /// Reads the job at a position of each source, the first one being 0.
    pub(super) fn nth(self, position: u64) -> Self {
        Self { rows: Some(1), skipped: Some(to_i64(position)), ..self }
    }

    /// Returns the number of rows that a source reads, behind those that it skips.
    fn rows(self, values: &mut Values) -> String {
        let mut rows =
            self.rows.map_or_else(|| "null".to_owned(), |rows| format!("{}::bigint", values.add(rows)));
        if let Some(skipped) = self.skipped {
            rows += &format!(" offset {}::bigint", values.add(skipped));
        }
        rows
    }

    /// Returns whether the scan reads all jobs in push order.
    pub(super) fn is_of_all(self, filter: &Filter) -> bool {
        let is_ordered = self.is_ordered || filter.id.is_none();
        // Completed jobs are most of those that are kept, so push order finds them soon.
        let finds_soon = self.is_ordered || filter.states_by(self.sort).contains(&State::Completed);
        self.sort == Sort::Pushed && is_ordered && finds_soon
    }
}

/// The jobs that one scan reads.
enum JobSource<'a> {
    /// All jobs.
    All,
    /// The jobs whose ids begin as the filter says.
    Ids,
    /// These jobs.
    These(&'a [JobId]),
    /// The finished jobs of each queue in these states.
    Finished(&'a [State]),
    /// The jobs of each queue that are stored as waiting.
    Waiting,
    /// The ready jobs of each of the priorities.
    Ready,
    /// The executing jobs.
    Leased,
}

/// Returns the statement that reads a page of jobs, and its values.
pub(crate) fn page(filter: &Filter, list: OrderAndLimit) -> (String, Values) {
    let mut values = Values::default();
    let picked = picked(filter, list, None, &mut values);
    let record = super::record("(select now from n)");
    (format!("{picked} {record} where j.seq = any (array(select seq from picked))"), values)
}

/// Returns the parts of a statement, up to `picked`. With `ids`, only these jobs are picked.
pub(super) fn picked(
    filter: &Filter,
    list: OrderAndLimit,
    ids: Option<&[JobId]>,
    values: &mut Values,
) -> String {
    let states = filter.states_by(list.sort);
    let mut builder = Builder { filter, list, states: &states, values };
    let queues = builder.queues();
    let sources = ids.map_or_else(|| builder.sources(), |ids| vec![JobSource::These(ids)]);
    let priorities = builder.priorities();
    let sources: Vec<_> = sources.iter().map(|source| format!("({})", builder.source(source))).collect();
    let direction = builder.direction();
    let rows = OrderAndLimit { skipped: None, ..list }.rows(builder.values);
    format!(
        "with recursive n as materialized (select {{s}}.clock() as now), q as materialized ({queues}){priorities},
        picked (at, seq) as materialized (
            select * from ({}) found (at, seq) order by at {direction}, seq {direction} limit {rows})",
        sources.join(" union all ")
    )
}

/// The rows of a job `j` in the tables of states, as `STATE_JOINS` has them, for a scan that ends after a few jobs: the planner can't
/// read the whole tables for it.
const STATE_OF_ONE: &str = "
        left join lateral (select * from {s}.finished f where f.seq = j.seq offset 0) f on true
        left join lateral (select * from {s}.leases l where l.id = j.id offset 0) l on true
        left join lateral (select * from {s}.waiting w where w.due = j.run_at and w.seq = j.seq offset 0) w on true ";

struct Builder<'a> {
    filter: &'a Filter,
    list: OrderAndLimit,
    /// The states that a listed job can have.
    states: &'a [State],
    values: &'a mut Values,
}

impl<'a> Builder<'a> {
    fn queues(&mut self) -> String {
        match &self.filter.queue {
            // The planner expects more than a thousand rows in a small table without statistics, and few in an array.
            None => "select id from unnest(array(select id from {s}.queues)) queue (id)".to_owned(),
            Some(queue) => {
                format!("select id from {{s}}.queues where name = {}", self.values.add(queue.as_str()))
            }
        }
    }

    /// Returns the sources that together have each job of the list once.
    fn sources(&self) -> Vec<JobSource<'a>> {
        if self.filter.id.is_some() && !self.list.is_ordered {
            return vec![JobSource::Ids];
        }
        if self.list.is_of_all(self.filter) || self.states.is_empty() {
            return vec![JobSource::All];
        }
        let mut sources = vec![JobSource::Leased];
        if self.states.iter().any(|state| state.is_finished()) {
            sources.push(JobSource::Finished(self.states));
        }
        if self.has(&[State::Scheduled, State::Retryable, State::Available]) {
            sources.push(JobSource::Waiting);
        }
        if self.has(&[State::Available]) {
            sources.push(JobSource::Ready);
        }
        sources
    }

    fn has(&self, any: &[State]) -> bool {
        any.iter().any(|state| self.states.contains(state))
    }

    /// Returns the part that finds the priorities of ready jobs in each partition, each by one access of the index.
    fn priorities(&self) -> String {
        let next = |queue: &str, behind: &str| {
            format!(
                "lateral (select r.partition, r.priority from {{s}}.ready r where r.queue_id = {queue}{behind}
                    order by r.queue_id, r.partition, r.priority limit 1) next"
            )
        };
        format!(
            ", priorities (queue_id, partition, priority) as (
                select q.id, next.partition, next.priority from q cross join {} union all
                select l.queue_id, next.partition, next.priority from priorities l cross join {})",
            next("q.id", ""),
            next("l.queue_id", " and (r.partition, r.priority) > (l.partition, l.priority)")
        )
    }

    fn source(&mut self, source: &JobSource<'_>) -> String {
        match source {
            JobSource::All | JobSource::Ids | JobSource::These(_) => self.jobs(source),
            JobSource::Finished(states) => {
                let numbers =
                    states.iter().filter(|state| state.is_finished()).map(|state| *state as i16).collect();
                let states = self.values.add(Value::Numbers(numbers));
                let lateral =
                    self.lateral("finished", "finished_at", "t.queue_id = q.id and t.state = s.state", true);
                format!(
                    "select t.at, t.seq from q cross join unnest({states}::smallint[]) s (state) cross join {lateral}"
                )
            }
            JobSource::Waiting => self.waiting(),
            JobSource::Ready => {
                let range =
                    "t.queue_id = l.queue_id and t.partition = l.partition and t.priority = l.priority";
                let lateral = self.lateral("ready", "run_at", range, false);
                format!("select t.at, t.seq from priorities l cross join {lateral}")
            }
            JobSource::Leased => self.leased(),
        }
    }

    /// Scans the waiting jobs of each state: a job that is due is available now, and any other one waits. Each scan has no other bound
    /// than it needs, because the planner takes a range between two unknown bounds for a small one, and sorts it. For the planner,
    /// `any` does not fix the queue, so only the index by queue has the order that begins with it.
    fn waiting(&mut self) -> String {
        let is_available = self.has(&[State::Available]);
        let scans: Vec<_> = [State::Scheduled, State::Retryable]
            .into_iter()
            .filter_map(|state| {
                let bound = match (self.has(&[state]), is_available) {
                    (true, true) => "",
                    (true, false) => " and t.due > n.now",
                    (false, true) => " and t.due <= n.now",
                    (false, false) => return None,
                };
                let range = format!("t.queue_id = any (array[q.id]) and t.state = {}{bound}", state as i32);
                let lateral = self.lateral("waiting", "due", &range, false);
                Some(format!("select t.at, t.seq from q cross join n cross join {lateral}"))
            })
            .collect();
        scans.join(" union all ")
    }

    /// Scans a range of a table of states, in the order of its index if the list has that order.
    fn lateral(&mut self, table: &str, time: &str, range: &str, is_finished: bool) -> String {
        let time = format!("t.{time}");
        let mut terms = vec![range.to_owned()];
        self.keep_filtered(&mut terms);
        if is_finished {
            self.keep_finished_within(&mut terms, &time);
        }
        let join = if terms.iter().any(|term| term.contains("j.")) { self.job() } else { "" };
        let (at, order) = self.continued(&mut terms, &time, self.seq());
        let order =
            if table == "waiting" { format!("t.queue_id {}, {order}", self.direction()) } else { order };
        let (terms, rows) = (terms.join(" and "), self.list.rows(self.values));
        format!(
            "lateral (select {at} as at, t.seq from {{s}}.{table} t{join} where {terms} order by {order} limit {rows}) t"
        )
    }

    fn leased(&mut self) -> String {
        let state = "case when t.expires_at > n.now then 2 when t.cancel_reason is not null then 6 \
            when t.attempt >= j.max_attempts then 5 else 1 end";
        let mut terms = vec![self.is_listed(state)];
        if !self.has(&[State::Executing]) {
            terms.push("t.expires_at <= n.now".to_owned());
        }
        if self.filter.queue.is_some() {
            terms.push("t.queue_id = (select id from q)".to_owned());
        }
        self.keep_filtered(&mut terms);
        self.keep_finished_within(&mut terms, "t.expires_at");
        let time = if self.list.sort == Sort::Finished { "t.expires_at" } else { "j.run_at" };
        let (at, order) = self.continued(&mut terms, time, self.seq());
        let (terms, rows) = (terms.join(" and "), self.list.rows(self.values));
        format!(
            "select {at} as at, t.seq from n cross join {{s}}.leases t {} where {terms} order by {order} limit {rows}",
            self.job()
        )
    }

    /// Scans the jobs themselves, and finds the state of each.
    fn jobs(&mut self, source: &JobSource<'_>) -> String {
        let mut terms = vec!["true".to_owned()];
        if let JobSource::These(ids) = source {
            let ids = Value::Ids(ids.iter().map(|id| id.as_uuid()).collect());
            terms.push(format!("j.id = any ({})", self.values.add(ids)));
        }
        let mut joins = "";
        if self.states.len() < State::ALL.len() {
            joins = if self.list.rows.is_some() { STATE_OF_ONE } else { super::STATE_JOINS };
            terms.push(self.is_listed(&super::STATE_NOW.replace("{now}", "n.now")));
        }
        if self.filter.queue.is_some() {
            terms.push("j.queue_id = (select id from q)".to_owned());
        }
        self.keep_filtered(&mut terms);
        let finished_at = "coalesce(f.finished_at, l.expires_at)";
        self.keep_finished_within(&mut terms, finished_at);
        let time = if self.list.sort == Sort::Finished { finished_at } else { "j.run_at" };
        let seq = if matches!(source, JobSource::All) { "j.seq" } else { "(j.seq + 0)" };
        let (at, order) = self.continued(&mut terms, time, seq);
        let (terms, rows) = (terms.join(" and "), self.list.rows(self.values));
        format!(
            "select {at} as at, j.seq from n cross join {{s}}.jobs j{joins} where {terms} order by {order} limit {rows}"
        )
    }

    /// Returns the condition that a state, as an expression, is one of those that are listed.
    fn is_listed(&mut self, state: &str) -> String {
        if self.states.is_empty() {
            return "false".to_owned();
        }
        let bits = self.values.add(i64::from(state_bits(self.states)));
        format!("(({bits}::bigint >> ({state})) & 1) = 1")
    }

    fn keep_filtered(&mut self, terms: &mut Vec<String>) {
        let filter = self.filter;
        if let Some(name) = &filter.name {
            terms.push(format!("j.name = {}", self.values.add(name.as_str())));
        }
        if let Some(prefix) = filter.id {
            let (first, last) = (self.values.add(prefix.first()), self.values.add(prefix.last()));
            terms.push(format!("j.id between {first} and {last}"));
        }
        if let Some(partition) = &filter.partition {
            terms.push(match partition.name() {
                Some(name) => format!("j.partition = {}", self.values.add(name)),
                None => "j.partition is null".to_owned(),
            });
        }
        if let Some(key) = &filter.unique {
            terms.push(format!("j.unique_key = {}", self.values.add(key.as_str())));
        }
        if let Some((key, value)) = &filter.meta {
            let texts = self.values.add(Value::Texts(super::meta::texts(key, value)));
            terms.push(format!(
                "exists (select from unnest({texts}::text[]) m (text) where strpos(j.meta, m.text) > 0)"
            ));
        }
        for (compared, time) in [(">=", filter.pushed_since), ("<", filter.pushed_before)] {
            if let Some(time) = time {
                terms.push(format!("j.pushed_at {compared} {}", self.values.add(time.as_micros())));
            }
        }
    }

    fn keep_finished_within(&mut self, terms: &mut Vec<String>, finished_at: &str) {
        for (compared, time) in [(">=", self.filter.finished_since), ("<", self.filter.finished_before)] {
            if let Some(time) = time {
                terms.push(format!("{finished_at} {compared} {}", self.values.add(time.as_micros())));
            }
        }
    }

    /// Continues after the previous page, up to the end of the search. Returns the time by which the list is sorted, and the order of
    /// the scan.
    fn continued(&mut self, terms: &mut Vec<String>, time: &str, seq: &str) -> (String, String) {
        let direction = self.direction();
        let (behind, up_to) = if self.list.order == Order::Newest { ("<", ">=") } else { (">", "<=") };
        for (compared, place) in [(behind, self.list.after), (up_to, self.list.until)] {
            let Some(place) = place else { continue };
            let number = self.values.add(to_i64(place.number));
            terms.push(if self.list.sort == Sort::Pushed {
                format!("{seq} {compared} {number}")
            } else {
                let at = self.values.add(place.at.as_micros());
                // Not each index by time has `seq`, so the first comparison bounds the scan.
                let bound = if compared.starts_with('<') { "<=" } else { ">=" };
                format!("{time} {bound} {at} and ({time}, {seq}) {compared} ({at}, {number})")
            });
        }
        if self.list.sort == Sort::Pushed {
            return ("0::bigint".to_owned(), format!("{seq} {direction}"));
        }
        (time.to_owned(), format!("{time} {direction}, {seq} {direction}"))
    }

    /// Returns the join that reads the job of a row of a table of states.
    ///
    /// For a page, the subquery with `offset` keeps the planner from reading the whole table of jobs for a name that is rare by its
    /// statistics: the scan ends after a few rows.
    fn job(&self) -> &'static str {
        if self.list.rows.is_some() {
            " cross join lateral (select * from {s}.jobs j where j.seq = t.seq offset 0) j"
        } else {
            " join {s}.jobs j on j.seq = any (array[t.seq])"
        }
    }

    /// Returns the position in push order in a table of states. In push order it is an expression, which keeps the planner from
    /// reading the whole table by its primary key.
    fn seq(&self) -> &'static str {
        if self.list.sort == Sort::Pushed { "(t.seq + 0)" } else { "t.seq" }
    }

    fn direction(&self) -> &'static str {
        if self.list.order == Order::Newest { "desc" } else { "asc" }
    }
}

//! Builds the statements that bound a search.
//!
//! The fields of a filter that have no index skip jobs. A search with a limit ends at the first place at which one of its scans has
//! read that many jobs, and all scans end there. That place is found cheaply: the entries of an index are skipped.

use queue_core::State;
use queue_core::admin::{Filter, Sort};
use queue_core::backend::to_i64;

use super::{OrderAndLimit, picked};
use crate::sql::values::{Value, Values};

/// Returns the statement that finds where the scan has read `limit` jobs: the place, and the time of the push. `None` if the filter
/// skips no job.
pub(crate) fn end(filter: &Filter, list: OrderAndLimit, limit: u64) -> Option<(String, Values)> {
    let range = if list.is_of_all(filter) { Filter::all() } else { filter.range() };
    if range == *filter {
        return None;
    }
    let mut values = Values::default();
    let picked = picked(&range, list.nth(limit.saturating_sub(1)), None, &mut values);
    let pushed_at = "(select j.pushed_at from {s}.jobs j where j.seq = p.seq)";
    Some((format!("{picked} select p.at, p.seq, {pushed_at} from picked p"), values))
}

/// Returns the statement that finds whether a source that has not the order of the list has more than `limit` jobs. `None` if all
/// sources have that order. There are few executing jobs.
pub(crate) fn exceeds(filter: &Filter, list: OrderAndLimit, limit: u64) -> Option<(String, Values)> {
    let mut values = Values::default();
    let sources = if filter.id.is_some() {
        by_id(filter, &mut values)
    } else if list.sort() == Sort::Pushed && !list.is_of_all(filter) {
        by_state(filter, &mut values)
    } else {
        Vec::new()
    };
    if sources.is_empty() {
        return None;
    }
    let offset = values.add(to_i64(limit));
    let exceeds = |source| format!("exists (select from {source} limit 1 offset {offset})");
    let any: Vec<_> = sources.into_iter().map(exceeds).collect();
    Some((format!("select {}", any.join(" or ")), values))
}

fn by_id(filter: &Filter, values: &mut Values) -> Vec<String> {
    let range = filter.id.map(|prefix| (values.add(prefix.first()), values.add(prefix.last())));
    range.into_iter().map(|(first, last)| format!("{{s}}.jobs where id between {first} and {last}")).collect()
}

fn by_state(filter: &Filter, values: &mut Values) -> Vec<String> {
    let listed = filter.states_by(Sort::Pushed);
    let queues = match &filter.queue {
        None => "array(select id from {s}.queues)".to_owned(),
        Some(queue) => {
            format!("array(select id from {{s}}.queues where name = {})", values.add(queue.as_str()))
        }
    };
    let mut source = |table: &str, states: Vec<i16>| {
        let states = values.add(Value::Numbers(states));
        format!("{{s}}.{table} where queue_id = any ({queues}) and state = any ({states}::smallint[])")
    };
    let numbers = |is_meant: fn(State) -> bool| {
        listed.iter().filter(|state| is_meant(**state)).map(|state| *state as i16).collect::<Vec<_>>()
    };
    let is_available = listed.contains(&State::Available);
    let waiting = if is_available {
        vec![0, 3]
    } else {
        numbers(|state| matches!(state, State::Scheduled | State::Retryable))
    };
    let mut sources = Vec::new();
    for (table, states) in [("finished", numbers(State::is_finished)), ("waiting", waiting)] {
        if !states.is_empty() {
            sources.push(source(table, states));
        }
    }
    if is_available {
        sources.push(format!("{{s}}.ready where queue_id = any ({queues})"));
    }
    sources
}

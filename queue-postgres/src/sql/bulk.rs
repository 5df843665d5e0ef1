//! Builds the statements that change all jobs that match a filter.

use queue_core::JobId;
use queue_core::admin::Filter;
use queue_core::backend::state_bits;

use super::list::{OrderAndLimit, picked};
use super::values::{Value, Values};

/// The picked jobs in push order.
const IDS: &str = "select j.id from picked p join {s}.jobs j on j.seq = p.seq order by p.seq";

/// Returns the statement that reads the ids of all jobs that match, and its values.
pub(crate) fn matching(filter: &Filter) -> (String, Values) {
    let mut values = Values::default();
    let picked = picked(filter, OrderAndLimit::ALL, None, &mut values);
    (format!("{picked} {IDS}"), values)
}

/// Returns the statement that changes those of the given jobs that match, and its values. `change` is the name of a change of the
/// function `change_jobs`, and two further parameters follow: the channel and the sender.
pub(crate) fn change(
    ids: &[JobId],
    filter: &Filter,
    change: &str,
    reason: Option<String>,
) -> (String, Values) {
    let mut values = Values::default();
    let picked = picked(filter, OrderAndLimit::ALL, Some(ids), &mut values);
    let states = values.add(i64::from(state_bits(&filter.states_by(OrderAndLimit::ALL.sort()))));
    let mut text = format!(
        "{picked} select changed, discarded from {{s}}.change_jobs(_ids => array({IDS}), _change => {}, _states => {states}",
        values.add(change)
    );
    let times = [("_since", filter.finished_since), ("_before", filter.finished_before)];
    for (parameter, time) in times {
        if let Some(time) = time {
            text += &format!(", {parameter} => {}", values.add(time.as_micros()));
        }
    }
    if let Some(reason) = reason {
        text += &format!(", _reason => {}", values.add(Value::Text(reason)));
    }
    let last = values.len();
    text += &format!(", _channel => ${}, _sender => ${})", last + 1, last + 2);
    (text, values)
}

//! The options that select jobs.

use clap::{Args, ValueEnum};
use queue_core::State;
use queue_core::admin::{Filter, IdPrefix};

use crate::instant::Past;

/// Selects jobs. Options combine: a job must match each of them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filter")]
pub(crate) struct FilterOptions {
    /// Jobs of this queue
    #[arg(long, short)]
    pub(crate) queue: Option<String>,
    /// Jobs in one of these states
    #[arg(long, short, value_delimiter = ',')]
    pub(crate) state: Vec<StateOption>,
    /// Jobs of this name
    #[arg(long, short)]
    pub(crate) name: Option<String>,
    /// Jobs of this partition; the empty name means the jobs that name none
    #[arg(long)]
    partition: Option<String>,
    /// Jobs whose ids begin with these digits
    #[arg(long)]
    id: Option<IdPrefix>,
    /// Jobs with this unique key
    #[arg(long)]
    unique: Option<String>,
    /// Jobs whose meta has this value
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    meta: Option<(String, String)>,
    /// Jobs pushed since then: `2h`, or `2026-11-29T08:00:00Z`
    #[arg(long, value_name = "TIME")]
    pushed_since: Option<Past>,
    /// Jobs pushed before then
    #[arg(long, value_name = "TIME")]
    pushed_before: Option<Past>,
    /// Jobs that finished since then
    #[arg(long, value_name = "TIME")]
    finished_since: Option<Past>,
    /// Jobs that finished before then
    #[arg(long, value_name = "TIME")]
    finished_before: Option<Past>,
}

/// A state, or a group of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateOption {
    Scheduled,
    Available,
    Executing,
    Retryable,
    Completed,
    Discarded,
    Cancelled,
    /// Scheduled, available, executing and retryable
    Unfinished,
    /// Completed, discarded and cancelled
    Finished,
}

impl StateOption {
    /// Returns the states of the group.
    fn states(self) -> Vec<State> {
        let all = || State::ALL.into_iter();
        match self {
            Self::Scheduled => vec![State::Scheduled],
            Self::Available => vec![State::Available],
            Self::Executing => vec![State::Executing],
            Self::Retryable => vec![State::Retryable],
            Self::Completed => vec![State::Completed],
            Self::Discarded => vec![State::Discarded],
            Self::Cancelled => vec![State::Cancelled],
            Self::Unfinished => all().filter(|state| !state.is_finished()).collect(),
            Self::Finished => all().filter(|state| state.is_finished()).collect(),
        }
    }
}

impl FilterOptions {
    /// Returns the filter. Without a state, it has the states of `default`.
    pub(crate) fn filter(&self, default: &[StateOption]) -> Filter {
        let mut filter = Filter::all();
        filter.queue = self.queue.as_deref().map(Into::into);
        filter.name = self.name.as_deref().map(Into::into);
        filter.partition = self.partition.as_deref().map(Into::into);
        (filter.id, filter.unique, filter.meta) = (self.id, self.unique.clone(), self.meta.clone());
        filter.pushed_since = self.pushed_since.map(|past| past.0);
        filter.pushed_before = self.pushed_before.map(|past| past.0);
        filter.finished_since = self.finished_since.map(|past| past.0);
        filter.finished_before = self.finished_before.map(|past| past.0);
        let states = if self.state.is_empty() { default } else { &self.state };
        filter.states = states.iter().flat_map(|state| state.states()).collect();
        filter
    }

    /// Returns whether no option is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.filter(&[]) == Filter::all()
    }
}

/// Parses `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not of the form KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_of_the_default_count_only_if_none_is_set() {
        let mut options = FilterOptions::default();
        assert_eq!(options.filter(&[StateOption::Discarded]).states, [State::Discarded]);

        options.state.push(StateOption::Finished);

        let expected = [State::Completed, State::Discarded, State::Cancelled];
        assert_eq!(options.filter(&[StateOption::Discarded]).states, expected);
    }

    #[test]
    fn a_value_may_have_an_equals_sign() {
        assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(key_value("a").is_err() && key_value("=b").is_err());
    }
}

//! The mark of a state, in its color.

use maud::{Markup, html};
use queue_core::State;

/// Renders the mark of a state.
pub(crate) fn badge(state: State) -> Markup {
    html! { span class={ "state " (state) } { (state) } }
}

/// Returns a state with a capital letter, for headings.
pub(crate) const fn heading(state: State) -> &'static str {
    match state {
        State::Scheduled => "Scheduled",
        State::Available => "Available",
        State::Executing => "Executing",
        State::Retryable => "Retryable",
        State::Completed => "Completed",
        State::Discarded => "Discarded",
        State::Cancelled => "Cancelled",
        _ => "Unknown",
    }
}

/// Returns the state of a name, as in an address.
pub(crate) fn state_of(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.as_str() == name)
}

//! Claims that returned no job to their callers, although they may have leased some.

use crate::history::event::{Event, EventKind};
use crate::history::span::Span;

/// The spans of these claims: the start of each, in order, with the latest end of all claims that started up to then.
#[derive(Debug)]
pub(super) struct EmptyClaims {
    spans: Vec<(u64, u64)>,
}

impl EmptyClaims {
    pub(super) fn of(events: &[Event]) -> Self {
        let missed = events.iter().filter(|event| matches!(event.kind, EventKind::EmptyClaim { .. }));
        let mut spans: Vec<_> =
            missed.map(|event| (event.span.start.order, event.span.last_order())).collect();
        spans.sort_unstable();
        let mut latest = 0;
        for (_, end) in &mut spans {
            latest = latest.max(*end);
            *end = latest;
        }
        Self { spans }
    }

    /// Returns whether one of them was in flight between two calls.
    pub(super) fn is_between(&self, one: &Span, next: Option<&Span>) -> bool {
        let last = next.map_or(u64::MAX, Span::last_order);
        let begun = self.spans.partition_point(|(start, _)| *start <= last);
        begun.checked_sub(1).and_then(|at| self.spans.get(at)).is_some_and(|(_, end)| *end >= one.start.order)
    }
}

//! Adds up the rows of a history from tallies of minutes.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::contract::clock::Timestamp;
use crate::contract::history::{HistoryRequest, HistoryRow};
use crate::contract::name::{JobName, QueueName};
use crate::contract::tally::{Tally, minute_of};

/// The rows of a history, for a backend that visits the tallies of its minutes in any order.
#[derive(Debug)]
pub struct HistoryRows<'a> {
    request: &'a HistoryRequest,
    minutes: Range<Timestamp>,
    tallies: BTreeMap<(Timestamp, QueueName, JobName), Tally>,
}

impl<'a> HistoryRows<'a> {
    /// Creates the rows of a request at `now`, without any tally.
    #[must_use]
    pub fn new(request: &'a HistoryRequest, now: Timestamp) -> Self {
        let mut minutes = request.minutes();
        minutes.start = minutes.start.max(HistoryRequest::first_kept(now));
        Self { request, minutes, tallies: BTreeMap::new() }
    }

    /// Returns the minutes of which the rows have the tallies.
    #[must_use]
    pub fn minutes(&self) -> Range<Timestamp> {
        self.minutes.clone()
    }

    /// Adds the tally of attempts of one queue and kind that ended at an instant, or in the minute that begins then. A tally that
    /// the request leaves out adds nothing.
    pub fn add(&mut self, at: Timestamp, queue: &QueueName, name: &JobName, tally: Tally) {
        let minute = minute_of(at);
        let is_selected = self.minutes.contains(&minute)
            && self.request.queue.as_ref().is_none_or(|wanted| wanted == queue)
            && self.request.name.as_ref().is_none_or(|wanted| wanted == name);
        if is_selected && tally != Tally::default() {
            let key = (self.request.step_of(minute), queue.clone(), name.clone());
            self.tallies.entry(key).or_default().add(tally);
        }
    }

    /// Returns the rows, sorted by their times, then by queue, then by kind.
    #[must_use]
    pub fn into_rows(self) -> Vec<HistoryRow> {
        let row = |((from, queue, name), tally)| HistoryRow::new(from, queue, name, tally);
        self.tallies.into_iter().map(row).collect()
    }
}

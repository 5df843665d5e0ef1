//! Judges all journals together with the final state of the queue.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use queue_conformance::history::{self, EventKind, FinalState, History, KnownOutcome, Pushed};
use queue_conformance::load;
use queue_core::admin::Filter;
use queue_core::{Admin, AdminExt as _, BoxError, JobId, JobRecord, QueueLimits, QueueName, State};

use super::sales;
use crate::queue::Location;
use crate::report::Report;

/// Merges the journals and checks them against the rules, and against the limits of the load's queue.
pub(super) async fn judge(
    location: &Location,
    queue: Arc<dyn Admin>,
    journals: &[PathBuf],
    limits: &QueueLimits,
    report: Report,
) -> Result<Report, BoxError> {
    let listed = queue.list_all(&Filter::all()).await?;
    drop(queue);
    location.check_integrity().await?;
    let (of_sales, of_history): (Vec<&JobRecord>, Vec<&JobRecord>) =
        listed.iter().partition(|record| record.queue == *sales::QUEUE);
    let last: Vec<FinalState> = of_history.into_iter().map(FinalState::from).collect();
    let (mut calls, mut failures, mut events) = (0, 0, Vec::new());
    // A process that was killed early has no journal.
    for path in journals.iter().filter(|path| path.exists()) {
        for line in load::read(path)? {
            calls += 1;
            failures += u32::from(line.failure.is_some());
            events.extend(line.events);
        }
    }
    let history = History { events, last };
    let report = add_history(report.row("calls", calls).row("calls that failed", failures), &history);
    let checked =
        history::check(&history).and_then(|()| history::check_limits(&history, &QueueName::DEFAULT, limits));
    match checked {
        Ok(()) => {
            let report = sales::judge(location, &of_sales, journals, report).await?;
            Ok(report.row("verdict", "no rule is broken"))
        }
        Err(violation) => {
            println!("{report}");
            Err(format!("{violation}").into())
        }
    }
}

fn add_history(report: Report, history: &History) -> Report {
    let count = |is_meant: &dyn Fn(&EventKind) -> bool| {
        history.events.iter().filter(|event| is_meant(&event.kind)).count()
    };
    let ended = |state| history.last.iter().filter(|job| job.state == state).count();
    let answered = |is_meant: fn(&Pushed) -> bool| {
        count(&|kind| matches!(kind, EventKind::Pushed(pushed) if is_meant(pushed)))
    };
    let acknowledged = answered(|pushed| pushed.outcome == KnownOutcome::Applied && pushed.follows.is_none());
    let unanswered = unanswered(history);
    let stored = history.last.iter().filter(|job| unanswered.contains(&job.job)).count();
    let deliveries = count(&|kind| matches!(kind, EventKind::Claimed { .. }));
    let settled = |meant: KnownOutcome| {
        count(&|kind| matches!(kind, EventKind::Settled { outcome, .. } if *outcome == meant))
    };
    let claims: u64 = history.last.iter().map(|job| job.fence.0).sum();
    report
        .row("jobs acknowledged", acknowledged)
        .row(
            "followups acknowledged",
            answered(|pushed| pushed.outcome == KnownOutcome::Applied && pushed.follows.is_some()),
        )
        .row("jobs without an answer", unanswered.len())
        .row("of which stored", stored)
        .row("jobs stored at the end", history.last.len())
        .row("deliveries", deliveries)
        .row("deliveries that no client received", claims.saturating_sub(deliveries as u64))
        .row("settlements applied", settled(KnownOutcome::Applied))
        .row("settlements stale", settled(KnownOutcome::Refused))
        .row("settlements without an answer", settled(KnownOutcome::Unknown))
        .row("leases lost, by the fences", claims.saturating_sub(settled(KnownOutcome::Applied) as u64))
        .row("completed", ended(State::Completed))
        .row("discarded", ended(State::Discarded))
        .row("cancelled", ended(State::Cancelled))
}

/// Returns the jobs of which neither a push nor the settlement that pushed them was ever answered.
fn unanswered(history: &History) -> HashSet<JobId> {
    let mut answers: HashMap<JobId, KnownOutcome> = HashMap::new();
    for event in &history.events {
        if let EventKind::Pushed(pushed) = &event.kind {
            let best = answers.entry(pushed.job).or_insert(pushed.outcome);
            *best = pushed.outcome.max(*best);
        }
    }
    answers.into_iter().filter(|(_, answer)| *answer == KnownOutcome::Unknown).map(|(job, _)| job).collect()
}

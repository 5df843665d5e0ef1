//! Laws about workers: the worker that holds a lease, and the list of running workers.

use std::time::Duration;

use queue_core::admin::{Filter, WorkerRecord};
use queue_core::{
    Announcement, Demand, Fence, Lease, QueueErrorKind, QueueName, State, Transition, WorkerId,
};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, jobs, queue};
use crate::law::expect_eq;

/// Q100: An executing job has the worker that its claim named and the end of its lease; a job in another state has neither, and a claim that names no worker leaves none.
pub(super) async fn q100_a_lease_has_the_worker_that_its_claim_named(harness: &QueueHarness) {
    harness.push((0..4).map(|number| job(number).id(id(number))).collect()).await;
    let demand = |worker: &str| Demand::new(QueueName::DEFAULT, 1).worker(worker);
    let first = harness.claim(demand("one/1/a")).await;
    let second = harness.claim(demand("two/2/b").lease(SECOND * 90)).await;
    let third = harness.claim(demand("one/1/a")).await;
    harness.claim_one().await;

    let holds = async |number: u32, worker: Option<&str>, length: Duration| {
        let record = harness.is(id(number), State::Executing).await;
        expect_eq!(record.claimed_by, worker.map(WorkerId::new), "the worker of job {number}");
        let end = harness.now().saturating_add(length);
        expect_eq!(record.lease_expires_at, Some(end), "the end of the lease of job {number}");
    };
    holds(0, Some("one/1/a"), Lease::DEFAULT_LENGTH).await;
    holds(1, Some("two/2/b"), SECOND * 90).await;
    holds(2, Some("one/1/a"), Lease::DEFAULT_LENGTH).await;
    holds(3, None, Lease::DEFAULT_LENGTH).await;
    let listed = harness.list(&Filter::all(), 100).await;
    let listed: Vec<_> = listed.into_iter().map(|record| record.claimed_by.is_some()).collect();
    expect_eq!(listed, [true, true, true, false], "which of the listed jobs have a worker");

    let has_none = async |number: u32, state: State| {
        let record = harness.is(id(number), state).await;
        expect_eq!((record.claimed_by, record.lease_expires_at), (None, None), "of a job that is {state}");
    };
    for delivery in &first {
        harness.settle(delivery, Transition::complete()).await;
    }
    has_none(0, State::Completed).await;
    for delivery in &third {
        harness.settle(delivery, Transition::Release).await;
    }
    has_none(2, State::Available).await;
    for delivery in &second {
        harness.renew(&delivery.lease).await;
    }
    harness.advance(Lease::DEFAULT_LENGTH).await;
    holds(1, Some("two/2/b"), SECOND * 60).await;
    has_none(3, State::Available).await;
    harness.advance(SECOND * 60).await;
    has_none(1, State::Available).await;
    let again = harness.claim(demand("three/3/c")).await;
    expect_eq!(
        again.first().map(|job| (job.id(), job.lease.fence)),
        Some((id(1), Fence(2))),
        "the next delivery"
    );
    holds(1, Some("three/3/c"), Lease::DEFAULT_LENGTH).await;
}

/// Q101: `workers` lists the workers that have announced themselves: as running until the announcement expires, and for an hour after that as vanished. A later announcement replaces an earlier one, and one that is valid for no time removes the worker. Of those that vanished, the last 200 are listed.
pub(super) async fn q101_workers_are_listed_while_they_run_and_for_an_hour_after_they_vanished(
    harness: &QueueHarness,
) {
    if !announces(harness).await {
        return;
    }
    let start = harness.now();
    announce(harness, &announcement("b/2/mails", SECOND * 10)).await;
    let mut busy = announcement("a/1/mails", SECOND * 20);
    busy.up_for = SECOND * 5;
    announce(harness, &busy).await;
    let listed = workers(harness).await;
    expect_eq!(names(&listed, true), ["a/1/mails", "b/2/mails"], "the workers that run, sorted");
    let record = &listed[0];
    let times = (record.since, record.seen_at, record.expires_at);
    let expected = (start.saturating_sub(SECOND * 5), start, start.saturating_add(SECOND * 20));
    expect_eq!(times, expected, "the start of a worker, its last announcement, and the end of that");
    let described = (&*record.service, &*record.host, record.pid, &*record.program, record.concurrency);
    expect_eq!(described, ("mäils", "a", 7, "shop 1.2", 16), "the announcement of a worker");
    expect_eq!(record.queues, [queue("mail"), queue("default")], "the queues of a worker");
    expect_eq!(
        record.jobs.iter().map(|job| job.as_str()).collect::<Vec<_>>(),
        ["send"],
        "the jobs of a worker"
    );

    harness.advance(SECOND * 10).await;
    busy.running = 3;
    announce(harness, &busy).await;
    let listed = workers(harness).await;
    expect_eq!(names(&listed, true), ["a/1/mails"], "the workers that run");
    expect_eq!(names(&listed, false), ["b/2/mails"], "the workers that have vanished");
    expect_eq!(listed[0].running, 3, "the running jobs of the later announcement");
    harness.push(jobs(1)).await;
    let summary = harness.ok("`summary`", harness.queue().summary()).await;
    let served = summary.iter().find(|summary| summary.queue == QueueName::DEFAULT);
    let served = served.map(|summary| (summary.workers, summary.worker_seen_at));
    expect_eq!(served, Some((1, Some(harness.now()))), "the workers in the summary of a queue");

    busy.valid_for = Duration::ZERO;
    announce(harness, &busy).await;
    harness.advance(WorkerRecord::REMEMBERED.saturating_sub(SECOND)).await;
    let listed = workers(harness).await;
    expect_eq!(
        (names(&listed, true).len(), names(&listed, false)),
        (0, vec!["b/2/mails"]),
        "before an hour is over"
    );
    harness.advance(SECOND).await;
    expect_eq!(workers(harness).await, [], "the workers when an hour is over");

    for number in 0..WorkerRecord::MAX_VANISHED + 2 {
        announce(harness, &announcement(&format!("c/{number:03}/d"), SECOND * (1 + number as u32))).await;
    }
    harness.advance(SECOND * 300).await;
    let listed = workers(harness).await;
    let first = listed.first().map(|record| record.worker.as_str());
    expect_eq!(
        (listed.len(), first),
        (WorkerRecord::MAX_VANISHED, Some("c/002/d")),
        "of many that vanished, the last"
    );
}

/// Returns whether the queue stores announcements. Otherwise, checks that it refuses to list workers.
async fn announces(harness: &QueueHarness) -> bool {
    let step = "`announce`";
    harness.note(step);
    match harness.queue().announce(&announcement("first/1/d", Duration::ZERO)).await {
        Ok(()) => true,
        Err(error) if error.kind() == QueueErrorKind::Unsupported => {
            let workers = async { harness.queue().workers().await };
            harness
                .fails_with(QueueErrorKind::Unsupported, "`workers` of a queue that stores none", workers)
                .await;
            false
        }
        Err(error) => panic!("{step} failed: {error}"),
    }
}

fn announcement(worker: &str, valid_for: Duration) -> Announcement {
    let mut announcement = Announcement::new(worker.into());
    announcement.service = "mäils".to_owned();
    announcement.host = worker.split('/').next().unwrap_or_default().to_owned();
    announcement.pid = 7;
    announcement.program = "shop 1.2".to_owned();
    announcement.queues = vec![queue("mail"), queue("default")];
    announcement.jobs = ["send".into()].into();
    announcement.concurrency = 16;
    announcement.valid_for = valid_for;
    announcement
}

async fn announce(harness: &QueueHarness, announcement: &Announcement) {
    harness
        .ok(format!("`announce` of {}", announcement.worker), harness.queue().announce(announcement))
        .await;
}

async fn workers(harness: &QueueHarness) -> Vec<WorkerRecord> {
    harness.ok("`workers`", harness.queue().workers()).await
}

/// Returns the identities of the workers that run, or of those that have vanished.
fn names(workers: &[WorkerRecord], is_live: bool) -> Vec<&str> {
    workers.iter().filter(|worker| worker.is_live == is_live).map(|worker| worker.worker.as_str()).collect()
}

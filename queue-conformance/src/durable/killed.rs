//! Killed processes and servers (D1, D2, D3).
//!
//! A law reads what a process reports, line by line, and kills it at a chosen line or a chosen time after it. A process may
//! have reported more before it died: `kill` returns those lines, and they count as acknowledged too.

use std::collections::BTreeSet;
use std::time::Instant;

use queue_core::JobId;

use super::harness::StoreHarness;
use super::process::{BATCH, Role, id};
use crate::conformance::jobs::job;

/// After how many stored batches the process is killed, in each round.
const ROUNDS: [usize; 12] = [1, 2, 20, 3, 1, 5, 2, 4, 1, 3, 2, 6];

pub(super) async fn d1_an_acknowledged_push_survives_kill_9_of_its_process(harness: &StoreHarness) {
    for batches in ROUNDS {
        let (acknowledged, stored) = push_until_killed(&harness.afresh().await, batches, 0.0).await;
        for batch in acknowledged {
            let missing = (0..BATCH).filter(|place| !stored.contains(&id(batch, *place))).count();
            assert!(missing == 0, "batch {batch} was acknowledged, and {missing} jobs of it are missing");
        }
    }
}

pub(super) async fn d3_an_unacknowledged_batch_is_stored_whole_or_not_at_all(harness: &StoreHarness) {
    for (round, batches) in ROUNDS.into_iter().enumerate() {
        let share = round as f64 / ROUNDS.len() as f64;
        let (_, stored) = push_until_killed(&harness.afresh().await, batches, share).await;
        assert!(
            stored.len().is_multiple_of(BATCH as usize),
            "a process that pushes batches of {BATCH} was killed, and {} jobs are stored: a batch was stored in part",
            stored.len()
        );
    }
}

/// Kills the pushing process after it has acknowledged `batches` batches, plus `share` × the mean time of a batch, so that
/// kills land inside the next batch on slow disks too. With one batch there is no mean yet, so it is killed at once.
///
/// Returns the batches that it acknowledged, and the jobs that are stored.
async fn push_until_killed(
    harness: &StoreHarness,
    batches: usize,
    share: f64,
) -> (Vec<u32>, BTreeSet<JobId>) {
    let mut process = harness.start(Role::Push);
    let mut said = Vec::new();
    let mut began = None;
    while said.len() < batches {
        let line = harness.steps().finishes("waiting for a batch to be stored", process.next_report()).await;
        said.push(line.unwrap_or_else(|| panic!("the process that pushes ended by itself")));
        began.get_or_insert_with(Instant::now);
    }
    if let (Some(began), 2..) = (began, batches) {
        tokio::time::sleep(began.elapsed().mul_f64(share / (batches - 1) as f64)).await;
    }
    said.extend(process.kill().await);
    let acknowledged = said.iter().filter_map(|line| line.strip_prefix("stored ")?.parse().ok()).collect();
    let queue = harness.open().await;
    (acknowledged, harness.all(&*queue).await.into_keys().collect())
}

pub(super) async fn d2_an_acknowledged_push_survives_kill_9_of_the_server(harness: &StoreHarness) {
    let Some(served) = harness.store().on_private_server().await else { return };
    let harness = harness.with_store(served.store);
    let queue = harness.open().await;
    let mut pushed = BTreeSet::new();
    for round in 0..3 {
        pushed.extend(harness.push(&*queue, (0..10).map(|number| job(round * 10 + number)).collect()).await);

        harness.steps().note("killing the server right after an answer, and restarting it");
        served.server.begin().await;
        served.server.end().await;

        let missing = harness.retry_until_ok("`counts` on the same handle", || queue.counts()).await;
        drop(missing);
        let stored: BTreeSet<_> = harness.all(&*harness.open().await).await.into_keys().collect();
        let gone = pushed.difference(&stored).count();
        assert!(gone == 0, "{gone} jobs were acknowledged before the server was killed, and are gone");
    }
}

//! The finished jobs that are kept no longer go in the background, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use queue_core::QueueError;
use queue_core::inspect::Prune;

use crate::batch::micros;
use crate::common::Common;
use crate::link::Link;

/// How often it's looked for them where there were fewer than a batch. Any number of processes may do so.
const INTERVAL: Duration = Duration::from_secs(10);

/// How many go at once: as many as it takes to keep up, and few enough to hold nobody up.
const BATCH: usize = 2_000;

/// Removes them for as long as the program runs.
pub(crate) async fn run(common: Arc<Common>, mut what: Prune) {
    if what.completed.or(what.discarded).or(what.cancelled).is_none() {
        return;
    }
    what.limit = BATCH;
    let mut link = Link::new(common.place.clone());
    loop {
        let is_behind = match prune(&common, &mut link, &what).await {
            Ok(pruned) => pruned >= BATCH as u64,
            Err(error) => {
                tracing::debug!(place = %common.place, ?error, "finished jobs could not be pruned this time");
                false
            }
        };
        if !is_behind {
            tokio::time::sleep(INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }
}

/// Removes a batch, and tells how many.
pub(crate) async fn prune(common: &Common, link: &mut Link, what: &Prune) -> Result<u64, QueueError> {
    let ages = [what.completed, what.discarded, what.cancelled].map(|age| age.map(micros));
    let limit = i64::try_from(what.limit).unwrap_or(i64::MAX);
    link.call(&move |connection| {
        let [completed, discarded, cancelled] = ages;
        let prune = common.sql.prune.query().bind(completed).bind(discarded).bind(cancelled).bind(limit);
        Box::pin(async move { crate::rows::number(&prune.fetch_one(connection).await?, 0) })
    })
    .await
}

//! The finished jobs that are kept no longer go in the background, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use queue_core::QueueError;
use queue_core::admin::Prune;

use crate::batch::micros;
use crate::link::Link;
use crate::server::Server;

/// How often it's looked for them where there were fewer than a batch. Any number of processes may do so.
const INTERVAL: Duration = Duration::from_secs(10);

/// How many go at once: as many as it takes to keep up, and few enough to hold nobody up.
const BATCH: usize = 2_000;

/// Removes them for as long as the program runs.
pub(crate) async fn run(server: Arc<Server>, mut what: Prune) {
    if what.completed.or(what.discarded).or(what.cancelled).is_none() {
        return;
    }
    what.limit = BATCH;
    let mut link = Link::new(server.place.clone());
    loop {
        let is_behind = match prune(&server, &mut link, &what).await {
            Ok(pruned) => pruned >= BATCH as u64,
            Err(error) => {
                tracing::debug!(place = %server.place, ?error, "finished jobs could not be pruned this time");
                false
            }
        };
        if !is_behind {
            tokio::time::sleep(INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        }
    }
}

/// Removes a batch, and tells how many.
pub(crate) async fn prune(server: &Server, link: &mut Link, what: &Prune) -> Result<u64, QueueError> {
    let ages = [what.completed, what.discarded, what.cancelled].map(|age| age.map(micros));
    let limit = i64::try_from(what.limit).unwrap_or(i64::MAX);
    link.call(&move |connection| {
        let [completed, discarded, cancelled] = ages;
        let prune = server.sql.prune.query().bind(completed).bind(discarded).bind(cancelled).bind(limit);
        Box::pin(async move { crate::rows::number(&prune.fetch_one(connection).await?, 0) })
    })
    .await
}

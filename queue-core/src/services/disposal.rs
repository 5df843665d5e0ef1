//! Disposes all singletons within a time limit.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::{ServiceError, ServiceKey};
use crate::contract::clock::Clock;

/// Awaits disposals one after the other for half of the limit, and the remaining ones concurrently for the other half.
pub(super) async fn dispose_all<F>(
    disposals: impl Iterator<Item = (ServiceKey, F)>,
    limit: Duration,
    clock: &dyn Clock,
) -> Result<(), Vec<ServiceError>>
where
    F: Future<Output = Result<(), ServiceError>>,
{
    let mut errors = Vec::new();
    let mut waiting = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    let mut half = clock.sleep(limit / 2);
    let mut is_in_order = true;
    for (index, (key, disposal)) in disposals.enumerate() {
        waiting.insert(index, key);
        running.push(Box::pin(async move { (index, disposal.await) }));
        if is_in_order {
            match select(running.next(), half).await {
                Either::Left((disposed, rest)) => {
                    note(disposed, &mut waiting, &mut errors);
                    half = rest;
                }
                Either::Right(_) => {
                    is_in_order = false;
                    // The timer has ended, so it must not be polled again.
                    half = Box::pin(std::future::pending());
                }
            }
        }
    }
    let mut over = clock.sleep(if is_in_order { Duration::ZERO } else { limit / 2 });
    while !waiting.is_empty() {
        match select(running.next(), over).await {
            Either::Left((disposed, rest)) => {
                note(disposed, &mut waiting, &mut errors);
                over = rest;
            }
            Either::Right(_) => break,
        }
    }
    let late = |key| ServiceError::because(key, "was not disposed in time");
    errors.extend(waiting.into_values().map(late));
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn note(
    disposed: Option<(usize, Result<(), ServiceError>)>,
    waiting: &mut BTreeMap<usize, ServiceKey>,
    errors: &mut Vec<ServiceError>,
) {
    if let Some((index, disposed)) = disposed {
        waiting.remove(&index);
        errors.extend(disposed.err());
    }
}

//! A client that works on jobs and ends its attempts in every possible way.

mod attempt_end;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use queue_core::{BoxError, Delivery, Demand, Heartbeat, Renewal, Settled, Settlement};
use tokio::time::{sleep, timeout};

use super::{Load, jobs};
use crate::history::{EventKind, KnownOutcome};
use attempt_end::AttemptEnd;

/// The number of loops that claim through one handle at once.
const LOOPS: u64 = 3;

/// Works until the client is stopped.
///
/// # Errors
///
/// If a call fails for another reason than `Unavailable`, a job has another's payload, or the journal cannot be written.
pub async fn work(load: &Arc<Load>, seed: u64) -> Result<(), BoxError> {
    let random = |number| Rng::with_seed(seed.wrapping_add(number));
    let loops: Vec<_> =
        (0..LOOPS).map(|number| tokio::spawn(work_alone(load.clone(), random(number)))).collect();
    for ended in loops {
        ended.await??;
    }
    Ok(())
}

async fn work_alone(load: Arc<Load>, mut random: Rng) -> Result<(), BoxError> {
    while !load.stop.is_cancelled() {
        let lease = Duration::from_millis(random.u64(1_000..2_000));
        let demand =
            Demand::new("default", random.usize(1..=8)).lease(lease).wait(Duration::from_millis(500));
        let deliveries = claim(&load, &demand, &mut random).await?;
        if let Some(spoilt) = deliveries.iter().find(|delivery| !jobs::is_intact(delivery)) {
            return Err(format!("job {} was delivered with another's payload", spoilt.id()).into());
        }
        sleep(Duration::from_millis(random.u64(0..10))).await;
        let (together, alone): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(|_| random.bool());
        settle(&load, together, &mut random).await?;
        for delivery in alone {
            hold(&load, &delivery, &mut random).await?;
            settle(&load, vec![delivery], &mut random).await?;
        }
    }
    Ok(())
}

/// Claims, and sometimes drops the call before its answer.
async fn claim(load: &Load, demand: &Demand, random: &mut Rng) -> Result<Vec<Delivery>, BoxError> {
    let intended = [EventKind::EmptyClaim { max: demand.max }];
    let call = load.call(
        &intended,
        || load.queue.claim(demand),
        |deliveries: &Vec<Delivery>| {
            if deliveries.is_empty() {
                return intended.to_vec();
            }
            let claimed = deliveries.iter();
            claimed
                .map(|delivery| EventKind::Claimed {
                    lease: delivery.lease.clone(),
                    attempt: delivery.attempt,
                })
                .collect()
        },
    );
    if random.u32(0..20) > 0 {
        return Ok(call.await?.unwrap_or_default());
    }
    match timeout(Duration::from_micros(random.u64(0..5_000)), call).await {
        Ok(answer) => Ok(answer?.unwrap_or_default()),
        Err(_) => Ok(Vec::new()),
    }
}

/// Holds a job for a while, rarely past its lease, and renews the lease meanwhile.
async fn hold(load: &Load, delivery: &Delivery, random: &mut Rng) -> Result<(), BoxError> {
    if random.u32(0..60) == 0 {
        sleep(delivery.lease.length + Duration::from_millis(random.u64(0..300))).await;
    }
    for _ in 0..random.u32(0..12).saturating_sub(8) {
        sleep(Duration::from_millis(random.u64(0..200))).await;
        let lease = &delivery.lease;
        let heartbeats = [Heartbeat::new(lease.clone())];
        let call = load.call(
            &[],
            || load.queue.renew(&heartbeats),
            |renewals: &Vec<Renewal>| {
                let renewed = renewals.iter().map(|renewal| {
                    let held_until = match renewal {
                        Renewal::Held { expires_at, .. } => Some(*expires_at),
                        _ => None,
                    };
                    EventKind::Renewed { lease: lease.clone(), held_until }
                });
                renewed.collect()
            },
        );
        call.await?;
    }
    Ok(())
}

/// Settles attempts by one call. Some are dropped, so that their leases expire.
async fn settle(load: &Load, deliveries: Vec<Delivery>, random: &mut Rng) -> Result<(), BoxError> {
    let mut endings = Vec::new();
    for delivery in deliveries {
        endings.extend(attempt_end::choose(load, delivery, random)?);
    }
    while !endings.is_empty() {
        endings = settle_once(load, endings).await?;
        if !endings.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Settles by one call. Returns the attempts whose settlement an application's open transaction blocks; they are not recorded.
async fn settle_once(load: &Load, endings: Vec<AttemptEnd>) -> Result<Vec<AttemptEnd>, BoxError> {
    let settlements: Vec<Settlement> = endings.iter().map(|ending| ending.settlement.clone()).collect();
    let intended: Vec<EventKind> =
        endings.iter().flat_map(|ending| ending.kinds(KnownOutcome::Unknown)).collect();
    let call = load.call(
        &intended,
        || load.queue.settle(settlements.clone()),
        |settled| {
            let answered = endings.iter().zip(settled).filter(|(_, settled)| **settled != Settled::Blocked);
            answered.flat_map(|(ending, settled)| ending.kinds(KnownOutcome::from(*settled))).collect()
        },
    );
    let settled = call.await?.unwrap_or_default();
    let blocked = endings.into_iter().zip(settled).filter(|(_, settled)| *settled == Settled::Blocked);
    Ok(blocked.map(|(ending, _)| ending).collect())
}

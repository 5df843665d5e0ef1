//! The fleet simulation runs the real loop, finds violations, and repeats a run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::{
    BoxError, Demand, JobContext, JobId, Queue as _, QueueExt as _, Runtime as _, Services, Settlement,
    State, Transition, background_job, jobs,
};
use queue_testkit::fleet::{Node, NodeFault, Sim};
use queue_testkit::{Fault, Operation, simulate};
use queue_tokio::{HostContext, HostedService as _, QueueService};

/// The number of runs of each job.
#[derive(Clone, Default)]
struct Effects(Arc<Mutex<BTreeMap<JobId, u32>>>);

#[background_job]
async fn act(#[inject] effects: &Effects, #[inject] context: &JobContext) {
    context.sleep(Duration::from_secs(2)).await; // virtual
    *effects.0.lock().expect("the lock is not poisoned").entry(context.id()).or_default() += 1;
}

async fn serve(node: Node, effects: Effects) {
    let services = Services::builder().singleton(effects).build().expect("one service");
    let context = HostContext::new(services, Default::default(), Duration::ZERO);
    // A lane has a share of at least 8.
    let concurrency = if node.runtime().threads() == 1 { 2 } else { 8 * node.runtime().threads() };
    let service = QueueService::new(node.queue(), jobs![act]).concurrency(concurrency);
    service.runtime(node.runtime()).run(&context).await.expect("a loop that runs on");
}

/// Runs ten jobs on three nodes. Returns how often each job ran.
async fn work(sim: &Sim) -> Result<BTreeMap<JobId, u32>, BoxError> {
    let effects = Effects::default();
    for _ in 0..3 {
        let effects = effects.clone();
        sim.start(move |node| serve(node, effects.clone()));
    }
    sim.queue().enqueue_all((0..10).map(|_| act::new())).await?;
    sim.run_until_finished().await?;
    let done = effects.0.lock().expect("the lock is not poisoned").clone();
    Ok(done)
}

async fn each_is_done_and_recorded(sim: Sim) -> Result<(), BoxError> {
    let done = work(&sim).await?;
    for job in sim.jobs() {
        let is_done = done.contains_key(&job.id);
        let is_given_up = job.state == State::Discarded && job.attempt == job.max_attempts;
        assert!(is_given_up || (job.state == State::Completed && is_done), "{job:?}, done: {is_done}");
    }
    Ok(())
}

#[test]
fn each_job_is_done_under_random_faults() {
    let simulated = simulate(each_is_done_and_recorded).runs(300).check().unwrap();

    assert_eq!(simulated.runs, 300);
    assert!(simulated.faults > 500, "{simulated:?}");
}

/// Calls of a loop that are never answered, with and without effect, for every operation.
fn silences(nodes: usize, nths: std::ops::RangeInclusive<u64>) -> Vec<Vec<NodeFault>> {
    let operations = [Operation::Claim, Operation::Renew, Operation::Settle];
    let faults = [Fault::HangAfter, Fault::HangBefore];
    let kinds = operations.into_iter().flat_map(|operation| faults.map(|fault| (operation, fault)));
    kinds
        .map(|(operation, fault)| {
            let of_node = |node| nths.clone().map(move |nth| NodeFault::Call { node, operation, nth, fault });
            (0..nodes).flat_map(of_node).collect()
        })
        .collect()
}

/// T21: calls that are never answered, of every kind and on all nodes at once, cost a fleet of the real loop time, but no job: with
/// one lane for each node, and with several.
#[test]
fn a_fleet_survives_calls_that_are_never_answered() {
    for (threads, runs) in [(1, 20), (2, 10), (8, 5)] {
        for faults in silences(3, 1..=3 * threads) {
            let fleet = simulate(each_is_done_and_recorded).threads(threads as usize);

            let simulated = fleet.max_faults(2).with(faults).runs(runs).check();

            assert!(simulated.is_ok(), "{threads} threads: {simulated:?}");
        }
    }
}

/// T1: the number of threads is a part of the run.
#[test]
fn another_number_of_threads_is_another_run() {
    let fingerprint = |threads| {
        let fleet = simulate(each_is_done_and_recorded).threads(threads);
        fleet.seed(1).check().unwrap().fingerprint
    };

    assert_eq!(fingerprint(8), fingerprint(8));
    assert_eq!(fingerprint(0), fingerprint(1));
    assert_ne!(fingerprint(8), fingerprint(1));
}

/// A loop without a timeout for its calls.
async fn serve_without_bounds(node: Node) {
    let (queue, demand) = (node.queue(), Demand::new("default", 1));
    loop {
        for delivery in queue.claim(&demand).await.unwrap_or_default() {
            let settlement = Settlement::new(delivery.lease, Transition::complete());
            drop(queue.settle(vec![settlement]).await);
        }
    }
}

/// T21: the simulation finds a loop that waits for ever for an answer, and names the call that was never answered.
#[test]
fn a_loop_that_waits_for_an_answer_for_ever_is_found() {
    let waits_for_ever = async |sim: Sim| {
        sim.start(serve_without_bounds);
        sim.queue().enqueue_all((0..10).map(|_| act::new())).await?;
        sim.run_until_finished().await
    };

    for silence in
        silences(1, 2..=2).into_iter().filter(|faults| faults[0].to_string().find("renew").is_none())
    {
        let error = simulate(waits_for_ever)
            .nodes(1)
            .max_faults(0)
            .with(silence.clone())
            .runs(1)
            .check()
            .unwrap_err();

        assert!(error.message.contains("jobs never finish"), "{error}");
        assert_eq!(error.faults.len(), 1, "{error}");
        assert!(error.to_string().contains("is never answered"), "{error}");
    }
    let error = simulate(waits_for_ever).nodes(1).runs(1000).check().unwrap_err();
    let [(_, NodeFault::Call { fault, .. })] = error.faults[..] else {
        panic!("one call is enough: {error}")
    };
    assert!(matches!(fault, Fault::HangBefore | Fault::HangAfter), "found by chance too: {error}");
}

/// T1: the same seed gives the same run, and another seed gives another run.
#[test]
fn the_same_seed_is_the_same_run() {
    let fingerprint = |seed| simulate(each_is_done_and_recorded).seed(seed).check().unwrap().fingerprint;

    let fingerprints: Vec<_> = (0..20).map(fingerprint).collect();

    assert_eq!(fingerprints, (0..20).map(fingerprint).collect::<Vec<_>>());
    assert!(fingerprints.windows(2).all(|pair| pair[0] != pair[1]), "{fingerprints:?}");
}

/// An effect that must happen once happens twice if a worker crashes or is cut off. The report has a minimal list of faults, and
/// the call that repeats the run.
#[test]
fn a_job_that_must_not_run_twice_is_found_with_one_fault() {
    let once = async |sim: Sim| {
        let done = work(&sim).await?;
        match done.iter().find(|(_, count)| **count > 1) {
            Some((_, count)) => Err(format!("a job was done {count} times").into()),
            None => Ok(()),
        }
    };

    let error = simulate(once).runs(1000).check().unwrap_err();

    assert_eq!(error.message, "a job was done 2 times");
    assert_eq!(error.faults.len(), 1, "one fault is enough: {error}");
    assert!(error.total_faults > 1, "the seed has more: {error}");
    let kept = error.faults.iter().map(|(index, _)| *index);
    let again = simulate(once).seed(error.seed).only_faults(kept).check().unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    let without = simulate(once).seed(error.seed).only_faults([]).check();
    assert!(without.is_ok(), "{without:?}");
}

#[test]
fn a_run_that_panics_or_hangs_is_reported() {
    let panics = async |sim: Sim| {
        sim.start(|node| async move { assert!(node.number() > 0, "no node is like me") });
        sim.run_until_finished().await?;
        sim.sleep(Duration::from_secs(1)).await; // virtual
        Ok(())
    };
    let error = simulate(panics).runs(1).check().unwrap_err();
    assert!(error.message.contains("node 0 panicked: no node is like me"), "{error}");

    let waits = async |_: Sim| {
        std::future::pending::<()>().await;
        Ok(())
    };
    let error = simulate(waits).runs(1).max_faults(0).check().unwrap_err();
    assert!(error.message.starts_with("no task is ready"), "{error}");

    let idle = async |sim: Sim| {
        sim.queue().enqueue(act::new()).await?;
        sim.run_until_finished().await
    };
    let error = simulate(idle).runs(1).check().unwrap_err();
    assert!(error.message.starts_with("1 jobs never finish: act (available, attempt 0)"), "{error}");
    assert!(error.to_string().contains("again: simulate(..).seed(0).only_faults([]).check()"), "{error}");
}

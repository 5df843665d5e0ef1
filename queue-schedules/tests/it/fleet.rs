//! H29, H31, H32: schedules in a fleet whose nodes die, are cut off, and have wrong clocks.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::{BoxError, CatchUp, Clock as _, Overlap, Services, State, Tick, background_job, jobs};
use queue_schedules::Schedules;
use queue_testkit::fleet::{Node, Sim};
use queue_testkit::simulate;
use queue_tokio::{HostContext, HostedService as _, QueueService};

/// The time between two ticks.
const INTERVAL: Duration = Duration::from_secs(10);

/// The faults are in the first minutes.
const END: Duration = Duration::from_secs(1800);

#[background_job]
async fn act() {}

fn group(queue: impl queue_core::Admin) -> Schedules {
    let all = CatchUp::All { at_most: CatchUp::MOST };
    Schedules::new("fleet", queue).every("act", INTERVAL, act::new()).overlap(Overlap::Allow).catch_up(all)
}

/// Performs ticks and their jobs, through the connection of a node.
async fn serve(node: Node, queues: Vec<queue_core::QueueName>) {
    let context = HostContext::new(Services::none(), Default::default(), Duration::ZERO);
    let service = QueueService::new(node.queue(), jobs![act].and(Schedules::ticks()));
    let service = service.queues(queues.into_iter().chain(["default".into()])).lease(Schedules::LEASE);
    service.runtime(node.runtime()).run(&context).await.expect("a loop that runs on");
}

async fn each_tick_enqueues_once(sim: Sim) -> Result<(), BoxError> {
    let schedules = group(sim.queue().clone());
    // Each process of a fleet declares the schedules when it starts.
    schedules.apply().await?;
    schedules.apply().await?;
    let began = sim.clock().now();
    for _ in 0..3 {
        let queues = schedules.tick_queues();
        sim.start(move |node| serve(node, queues.clone()));
    }
    sim.sleep(END).await; // virtual
    let mut ticks: BTreeMap<i64, usize> = BTreeMap::new();
    for job in sim.jobs().into_iter().filter(|job| job.name == "act") {
        let tick: i64 = job.meta.get(Tick::AT).ok_or("a job without a tick")?.parse()?;
        assert!(job.pushed_at.as_micros() >= tick, "the job of tick {tick} was pushed early: {job:?}");
        *ticks.entry(tick).or_default() += 1;
    }
    let interval = INTERVAL.as_micros() as i64;
    let first = (began.as_micros() / interval + 1) * interval;
    let now = sim.clock().now().as_micros();
    // The last tick may be under way.
    let expected = (now - first) / interval;
    for tick in (0..expected).map(|nth| first + nth * interval) {
        assert_eq!(ticks.get(&tick), Some(&1), "the tick {tick} of {expected} from {first}");
    }
    let waiting =
        sim.jobs().into_iter().filter(|job| job.name == "schedule.tick" && !job.state.is_finished());
    assert!(waiting.filter(|tick| tick.state == State::Scheduled).count() <= 1, "the schedule has one tick");
    Ok(())
}

/// H29, H31, H32: Each tick enqueues its job once and never early, whichever nodes die, are cut off or have a wrong clock.
#[test]
fn each_tick_of_a_fleet_enqueues_once_under_random_faults() {
    let simulated = simulate(each_tick_enqueues_once).runs(30).max_faults(12).check().unwrap();

    assert!(simulated.faults > 100, "{simulated:?}");
}

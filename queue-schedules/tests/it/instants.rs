//! H35: the ticks of an expression in a zone are those of another implementation: `instants.py` writes `instants.txt`.

use queue_core::{Body, NewJob, Recurrence, Timestamp};
use queue_schedules::Schedules;
use queue_testkit::{ModelQueue, VirtualClock, block_on};

const EXPECTED: &str = include_str!("instants.txt");

/// Returns the ticks from `since` up to and without `until`, in seconds: `count` of them, and another one if it is within.
fn ticks(expression: &str, zone: &str, [since, until]: [i64; 2], count: usize) -> Vec<i64> {
    let clock = VirtualClock::starting_at(Timestamp::from_micros(since * 1_000_000 - 1));
    let schedules = Schedules::new("group", ModelQueue::with_clock(clock));
    let recurrence = Recurrence::cron(expression.to_owned()).zone(zone.to_owned());
    let record = block_on(async {
        schedules.put("schedule", recurrence, NewJob::new("job", Body::stored("null"))).await?;
        Ok::<_, queue_core::QueueError>(schedules.list().await?.remove(0))
    });
    let ticks = record.expect("the schedule is listed").next(count + 1);
    let ticks = ticks.into_iter().map(|tick| tick.as_micros() / 1_000_000);
    ticks.take_while(|tick| *tick < until).collect()
}

/// FNV-1a over the ticks as eight bytes, big endian.
fn checksum(ticks: &[i64]) -> u64 {
    ticks.iter().flat_map(|tick| tick.to_be_bytes()).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// H35: A fixed time in a gap runs at the first instant after the gap, one in a fold runs once, and other expressions follow the wall
/// clock: over whole years, in zones with and without changes, of a half hour and of a whole day.
#[test]
fn the_ticks_of_whole_years_are_those_of_another_implementation() {
    let mut lines = 0;
    for line in EXPECTED.lines() {
        let [expression, zone, since, until, count, sum, near] = line.split('|').collect::<Vec<_>>()[..]
        else {
            panic!("{line}");
        };
        let span = [since, until].map(|text| text.parse().unwrap());
        let found = ticks(expression, zone, span, count.parse().unwrap());
        let near: Vec<i64> = near.split_whitespace().map(|tick| tick.parse().unwrap()).collect();
        let missing: Vec<_> = near.iter().filter(|tick| found.binary_search(tick).is_err()).collect();
        assert!(missing.is_empty(), "{expression} in {zone} misses {missing:?}");
        assert_eq!(found.len().to_string(), count, "{expression} in {zone} from {since}");
        assert_eq!(format!("{:016x}", checksum(&found)), sum, "{expression} in {zone} from {since}");
        lines += 1;
    }
    assert_eq!(lines, 308);
}

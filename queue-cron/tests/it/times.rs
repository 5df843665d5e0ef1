//! The times that match an expression.

use queue_cron::{CivilTime, Expression};

fn at(text: &str) -> CivilTime {
    let numbers: Vec<u16> =
        text.split(['-', ' ', ':']).map(|number| number.parse().expect("a number")).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { panic!("{text}") };
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|number| number as u8);
    CivilTime::new(year, month, day, hour, minute, second).expect("a time")
}

/// Returns the next times after an instant.
fn next(expression: &str, after: &str, count: usize) -> Vec<String> {
    let expression: Expression = expression.parse().expect("an expression");
    let mut time = at(after);
    let next = std::iter::from_fn(|| {
        time = expression.next_after(time)?;
        Some(time.to_string())
    });
    next.take(count).collect()
}

#[test]
fn the_next_times_are_those_of_the_fields() {
    let table: [(&str, &str, &[&str]); 20] = [
        ("0 2 * * *", "2026-12-31 02:00:00", &["2027-01-01 02:00:00"]),
        ("0 2 * * *", "2026-12-31 01:59:59", &["2026-12-31 02:00:00"]),
        ("*/15 * * * *", "2026-01-01 00:44:00", &["2026-01-01 00:45:00", "2026-01-01 01:00:00"]),
        ("5/20 9-10 * * *", "2026-01-01 09:45:00", &["2026-01-01 10:05:00", "2026-01-01 10:25:00"]),
        ("*/20 * * * * *", "2026-01-01 23:59:40", &["2026-01-02 00:00:00", "2026-01-02 00:00:20"]),
        ("10 0 12 * * *", "2026-01-01 12:00:10", &["2026-01-02 12:00:10"]),
        ("0 0 29 2 *", "2096-03-01 00:00:00", &["2104-02-29 00:00:00"]),
        ("0 0 31 * *", "2026-01-31 00:00:00", &["2026-03-31 00:00:00", "2026-05-31 00:00:00"]),
        ("0 0 L * *", "2028-01-31 00:00:00", &["2028-02-29 00:00:00", "2028-03-31 00:00:00"]),
        // Saturday the 15th, Sunday the 15th, and the 1st on a Saturday.
        ("0 0 15W * *", "2026-08-01 00:00:00", &["2026-08-14 00:00:00", "2026-09-15 00:00:00"]),
        ("0 0 15W * *", "2026-11-01 00:00:00", &["2026-11-16 00:00:00"]),
        ("0 0 1W 8 *", "2026-01-01 00:00:00", &["2026-08-03 00:00:00"]),
        ("0 0 LW * *", "2026-05-01 00:00:00", &["2026-05-29 00:00:00"]),
        ("0 0 * * 5L", "2026-11-01 00:00:00", &["2026-11-27 00:00:00", "2026-12-25 00:00:00"]),
        ("0 0 * * FRI#2", "2026-11-01 00:00:00", &["2026-11-13 00:00:00", "2026-12-11 00:00:00"]),
        ("0 9 * * MON-FRI", "2026-11-27 09:00:00", &["2026-11-30 09:00:00"]),
        ("0 9 * * FRI-SUN", "2026-11-28 09:00:00", &["2026-11-29 09:00:00", "2026-12-04 09:00:00"]),
        ("0 9 * * 7", "2026-11-28 09:00:00", &["2026-11-29 09:00:00"]),
        ("0 0 ? JAN,jul *", "2026-01-31 00:00:00", &["2026-07-01 00:00:00"]),
        ("@weekly", "2026-11-28 00:00:00", &["2026-11-29 00:00:00", "2026-12-06 00:00:00"]),
    ];

    for (expression, after, times) in table {
        assert_eq!(next(expression, after, times.len()), times, "{expression} after {after}");
    }
}

#[test]
fn a_day_matches_either_of_two_limited_fields_and_both_if_one_begins_with_a_star() {
    let either = next("0 0 13 * FRI", "2026-11-07 00:00:00", 3);
    let both = next("0 0 */13 * FRI", "2026-11-07 00:00:00", 2);

    assert_eq!(either, ["2026-11-13 00:00:00", "2026-11-20 00:00:00", "2026-11-27 00:00:00"]);
    assert_eq!(both, ["2026-11-27 00:00:00", "2027-01-01 00:00:00"]);
}

#[test]
fn after_the_last_year_there_is_no_time() {
    assert_eq!(next("0 0 1 1 *", "9998-01-01 00:00:00", 3), ["9999-01-01 00:00:00"]);
}

#[test]
fn a_time_with_a_star_or_a_step_is_not_fixed() {
    let is_fixed = |text: &str| text.parse::<Expression>().unwrap().is_fixed();

    for text in ["0 2 * * *", "0,30 1-5 */2 * *", "15 30 2 * * *", "@daily"] {
        assert!(is_fixed(text), "{text}");
    }
    for text in ["*/15 2 * * *", "30 * * * *", "0 1-5/2 * * *", "* 0 2 * * *", "@hourly"] {
        assert!(!is_fixed(text), "{text}");
    }
}

//! Numbers with separated thousands.

use queue_core::admin::Count;

/// Returns a number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a count with a plus if there may be more jobs: `2,000+`.
pub(crate) fn count(count: Count) -> String {
    format!("{}{}", grouped(count.jobs), if count.is_capped { "+" } else { "" })
}

/// Returns a number with its noun: `1 job`, `2,000 jobs`.
pub(crate) fn of(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Adds two counts.
pub(crate) fn sum(counts: impl IntoIterator<Item = Count>) -> Count {
    counts.into_iter().fold(Count::default(), |sum, count| {
        let total = Count::up_to(u64::MAX, sum.jobs.saturating_add(count.jobs));
        if sum.is_capped || count.is_capped { total.at_least() } else { total }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(of(1, "job"), "1 job");
        assert_eq!(count(sum([Count::up_to(5, 9), Count::up_to(5, 2)])), "7+");
    }
}

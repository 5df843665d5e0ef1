//! Checks that the arguments of a schedule belong together.

use std::time::Duration;

use crate::diagnostics::Diagnostics;
use crate::model::{CatchUpWord, OverlapWord, RecurrenceArguments};

/// The shortest interval of a schedule.
const SHORTEST: Duration = Duration::from_secs(1);

pub(super) fn check(arguments: &RecurrenceArguments, diagnostics: &mut Diagnostics) {
    let RecurrenceArguments { cron, every, zone, overlap, catch_up } = arguments;
    if let (Some(_), Some((every, _))) = (cron, every) {
        diagnostics.error(every, "a job has `cron` or `every`, and not both: remove one");
    }
    if let Some((text, interval)) = every
        && *interval < SHORTEST
    {
        diagnostics
            .error(text, "the least interval of a schedule is a second: write `every = \"1s\"` or more");
    }
    match zone {
        Some(zone) if every.is_some() && cron.is_none() => {
            diagnostics.error(
                zone,
                "an interval has no time zone: remove `zone`, or write `cron` in place of `every`",
            );
        }
        _ => {}
    }
    if cron.is_none() && every.is_none() {
        let overlap = overlap.as_ref().map(|(text, _)| ("overlap", text));
        let catch_up = catch_up.as_ref().map(|(text, _)| ("catch_up", text));
        for (key, text) in zone.as_ref().map(|text| ("zone", text)).into_iter().chain(overlap).chain(catch_up)
        {
            diagnostics.error(
                text,
                format!("`{key}` needs a schedule: add `cron = \"0 2 * * *\"` or `every = \"15m\"`"),
            );
        }
        return;
    }
    if let Some((text, CatchUpWord::All)) = catch_up
        && overlap.as_ref().is_none_or(|(_, word)| *word != OverlapWord::Allow)
    {
        let message = "`catch_up = \"all\"` needs `overlap = \"allow\"`: otherwise only the first of the late ticks enqueues its job";
        diagnostics.error(text, message);
    }
}

//! The tables of the soak.

use harness::Series;

use super::quantity::short;
use super::table::Table;
use crate::soak::{BATCH, BOUND, DELAY, EVERY, KEPT, Medium, Part, SoakResult};

pub(super) fn all(soaks: &[SoakResult]) -> Vec<Table> {
    soaks.iter().map(parts).chain([growth(soaks)]).collect()
}

fn parts(soak: &SoakResult) -> Table {
    let name = match soak.medium {
        Medium::Memory => "soak-memory",
        Medium::File => "soak-file",
    };
    let kept = match soak.medium {
        Medium::Memory => String::new(),
        Medium::File => format!(" Finished jobs are kept for {KEPT:?}."),
    };
    let note = format!(
        "Jobs are pushed {BATCH} a call and run at once by 64 workers, at most {BOUND} waiting. One of {EVERY} fails once and is \
         retried after {DELAY:?}, and another is delayed by as much.{kept} Each row is of the jobs since the one before; \
         resident memory and the file with its log are as they are at its end. Start is from before the call that enqueues to \
         the job's first line, in µs, of jobs that neither fail nor are delayed. The chart shows jobs/s; longer is better."
    );
    let mut table = Table::new(name, format!("Flat out, {}", soak.medium), note);
    table.header(&[
        "jobs so far",
        "jobs/s",
        "CPU-s per 100,000",
        "resident bytes",
        "file bytes",
        "start p50",
        "p99",
        "p99.9",
    ]);
    for part in &soak.parts {
        table.bar(short(part.done as f64), Series::new([part.rate]).as_ref(), true);
        let cells = [
            part.done.to_string(),
            short(part.rate),
            short(part.cpu),
            short(part.resident as f64),
            part.file.map_or_else(|| "–".to_owned(), |bytes| short(bytes as f64)),
        ];
        table.row(cells.into_iter().chain(part.starts.map(short)));
    }
    table
}

/// The name of a figure, and its value in a part.
type Figure = (&'static str, fn(&Part) -> Option<f64>);

const GROWTH: [Figure; 5] = [
    ("jobs/s", |part| Some(part.rate)),
    ("CPU of a job", |part| Some(part.cpu)),
    ("resident memory", |part| Some(part.resident as f64)),
    ("file and log", |part| part.file.map(|bytes| bytes as f64)),
    ("start p99", |part| Some(part.starts[1])),
];

/// Writes the ratio of the last part to the second; the first is a warm-up.
fn growth(soaks: &[SoakResult]) -> Table {
    let mut table = Table::new("soak-growth", "Growth", "The last part's figure ÷ the second's.");
    let media: Vec<_> = soaks.iter().map(|soak| soak.medium.to_string()).collect();
    table.header(&["figure"].into_iter().chain(media.iter().map(String::as_str)).collect::<Vec<_>>());
    for (name, figure) in GROWTH {
        let growths = soaks.iter().map(|soak| {
            let (last, second) = (soak.parts.last().and_then(figure), soak.parts.get(1).and_then(figure));
            last.zip(second).map_or_else(|| "–".to_owned(), |(last, second)| format!("{:.2}", last / second))
        });
        table.row([name.to_owned()].into_iter().chain(growths));
    }
    table
}

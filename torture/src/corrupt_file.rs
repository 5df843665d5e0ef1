//! Files that are not a database, or are a damaged one.

use std::fs;
use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fastrand::Rng;
use queue_core::admin::Filter;
use queue_core::{Admin, AdminExt as _, Body, BoxError, Demand, NewJob, QueueError, QueueErrorKind};
use tokio::time::timeout;

use crate::queue;
use crate::report::Report;
use crate::settings::Torture;

/// The time limit of a call.
const PATIENCE: Duration = Duration::from_secs(30);

/// SQLite's default page size.
const PAGE: usize = 4096;

/// Opens files that are damaged in several ways. Each must be refused with a message, without a panic or a hang.
pub(crate) async fn run(torture: &Torture, seed: u64) -> Result<Report, BoxError> {
    let folder = tempfile::Builder::new().prefix("queue-torture-corrupt-file-").tempdir()?;
    let panics = count_panics();
    let mut ended = refuse_all(folder.path(), seed).await;
    if panics.load(Ordering::SeqCst) > 0 {
        ended = Err("a thread panicked: see its message above".into());
    }
    if torture.keep || ended.is_err() {
        println!("kept: {}", folder.keep().display());
    }
    ended
}

/// Counts the panics of every thread from now on.
fn count_panics() -> Arc<AtomicU32> {
    let panics = Arc::new(AtomicU32::new(0));
    let (counter, print) = (panics.clone(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        counter.fetch_add(1, Ordering::SeqCst);
        print(info);
    }));
    panics
}

async fn refuse_all(folder: &Path, seed: u64) -> Result<Report, BoxError> {
    let whole = whole_file(&folder.join("whole.db")).await?;
    let mut report = Report::default();
    for (name, bytes) in spoilt(&whole, &mut Rng::with_seed(seed)) {
        let file = folder.join(format!("{}.db", name.replace(' ', "-")));
        fs::write(&file, bytes)?;
        let (when, refusal) = refusal(&file).await.map_err(|wrong| format!("{name}: {wrong}"))?;
        says_what_to_do(&file, &refusal).map_err(|wrong| format!("{name}: {wrong}"))?;
        report = report.row(name, format!("refused by {when}"));
    }
    Ok(report.row("verdict", "each was refused as `Corrupt`, with a remedy"))
}

/// Creates a database with jobs, closes it, and returns its bytes.
async fn whole_file(file: &Path) -> Result<Vec<u8>, BoxError> {
    let queue = queue::open(file).await?;
    let jobs = (0..400).map(|_| Ok(NewJob::new("work", Body::json(format!("\"{}\"", "x".repeat(300)))?)));
    queue.push(jobs.collect::<Result<_, QueueError>>()?).await?;
    drop(queue);
    let database = rusqlite::Connection::open(file)?;
    database.query_row("pragma wal_checkpoint(truncate)", (), |_| Ok(()))?;
    Ok(fs::read(file)?)
}

/// Returns the damaged files.
fn spoilt(whole: &[u8], random: &mut Rng) -> [(&'static str, Vec<u8>); 6] {
    let mut noise = vec![0; whole.len()];
    random.fill(&mut noise);
    let with_noise = |is_spoilt: &mut dyn FnMut(usize) -> bool| {
        let mut bytes = whole.to_vec();
        for (number, (page, noise)) in bytes.chunks_mut(PAGE).zip(noise.chunks(PAGE)).enumerate() {
            if is_spoilt(number) {
                page.copy_from_slice(noise);
            }
        }
        bytes
    };
    [
        ("garbage", noise.clone()),
        ("a text", b"The quick brown fox jumps over the lazy dog.\n".repeat(200)),
        ("the first page overwritten", with_noise(&mut |page| page == 0)),
        ("all other pages overwritten", with_noise(&mut |page| page > 0)),
        ("half of its pages overwritten", with_noise(&mut |page| page > 0 && random.bool())),
        ("its second half cut off", whole.get(..whole.len() / PAGE / 2 * PAGE).unwrap_or_default().to_vec()),
    ]
}

/// Opens the file and uses it until a call is refused. Returns that call and its error.
async fn refusal(file: &Path) -> Result<(&'static str, QueueError), BoxError> {
    let queue = match timeout(PATIENCE, queue::open(file)).await.map_err(|_| "opening it hangs")? {
        Ok(queue) => queue,
        Err(error) => return Ok(("opening", error)),
    };
    for call in ["`counts`", "`list`", "`claim`", "`push`"] {
        let answer = timeout(PATIENCE, make(call, &*queue)).await.map_err(|_| format!("{call} hangs"))?;
        if let Err(error) = answer {
            return Ok((call, error));
        }
    }
    Err("it was opened, read and written without an error".into())
}

async fn make(call: &str, queue: &dyn Admin) -> Result<(), QueueError> {
    match call {
        "`counts`" => queue.counts().await.map(drop),
        "`list`" => queue.list_all(&Filter::all()).await.map(drop),
        "`claim`" => queue.claim(&Demand::new("default", 1_000).wait(Duration::ZERO)).await.map(drop),
        _ => queue.push(vec![NewJob::new("work", Body::json("1")?)]).await.map(drop),
    }
}

fn says_what_to_do(file: &Path, refusal: &QueueError) -> Result<(), BoxError> {
    let text = queue_core::backend::error_chain(refusal);
    if refusal.kind() != QueueErrorKind::Corrupt {
        return Err(
            format!("it must be refused as `Corrupt`, and the kind is {:?}: {text}", refusal.kind()).into()
        );
    }
    let names_file = text.contains(&file.display().to_string());
    if names_file && (text.contains("restore") || text.contains("move")) {
        return Ok(());
    }
    Err(format!("the error must name the file and a remedy, and it is: {text}").into())
}

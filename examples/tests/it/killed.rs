//! A process that was killed and started again continues its work.
//!
//! The test runs this program once more as the process that it kills.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use queue_core::{BoxError, State};
use stock::app::App;
use stock::catalog;
use stock::data_dir::DataFolder;
use stock::product::ProductForm;
use stock::queues::QueueKind;
use stock::settings::Settings;
use test_servers::{Durability, Postgres};
use tokio::time::timeout;

const FOLDER: &str = "STOCK_FOLDER_OF_A_PROCESS_THAT_IS_KILLED";
const QUEUE: &str = "STOCK_QUEUE_OF_A_PROCESS_THAT_IS_KILLED";

const PRODUCTS: usize = 5;

fn settings(folder: &Path, queue: &str) -> Result<Settings, BoxError> {
    let mut settings = Settings::new();
    settings.queue = queue.parse::<QueueKind>()?;
    settings.port = Some(0);
    settings.data = Some(folder.to_owned());
    settings.lease = Duration::from_secs(1);
    Ok(settings)
}

/// The process that is killed: adds products, prints a line, and continues to work.
#[tokio::test(flavor = "multi_thread")]
async fn work_until_killed() -> Result<(), BoxError> {
    let (Ok(folder), Ok(queue)) = (std::env::var(FOLDER), std::env::var(QUEUE)) else {
        // When run as a test among the others, this function returns at once.
        return Ok(());
    };
    let settings = settings(Path::new(&folder), &queue)?;
    let app = App::new(&settings, &DataFolder::open(settings.data())?).await?;
    let _running = app.host.start().await?;
    for number in 0..PRODUCTS {
        let (sku, name) = (format!("TEA-{number}"), format!("Tea {number}"));
        app.shop.add(ProductForm { sku, name, price_cents: 1, stock: 2 }.check()?).await?;
    }
    std::io::stderr().write_all(b"added\n")?;
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_finishes_the_work_of_a_killed_one() -> Result<(), BoxError> {
    the_next_finishes_the_work("sqlite").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_finishes_the_work_of_a_killed_one_on_a_server() -> Result<(), BoxError> {
    let server = Postgres::start(Durability::Process, &[])?;
    the_next_finishes_the_work(&server.url("postgres")).await
}

async fn the_next_finishes_the_work(queue: &str) -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "killed::work_until_killed", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(QUEUE, queue)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stderr.take().ok_or("it has an output")?).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "added"), "the process ended by itself");
    child.kill()?;
    child.wait()?;

    let settings = settings(folder.path(), queue)?;
    let App { host, shop, tally, .. } = App::new(&settings, &DataFolder::open(settings.data())?).await?;
    let running = host.start().await?;
    timeout(Duration::from_secs(60), tally.idle(&shop.queues)).await??;
    running.stop().await?;

    let entries = shop.database.run(catalog::list).await?;
    assert_eq!(entries.iter().filter(|entry| entry.is_done()).count(), PRODUCTS, "{entries:?}");
    let counts = shop.queues.counts().await?;
    let given_up: u64 = counts.iter().map(|counts| counts.of(State::Discarded)).sum();
    assert_eq!(given_up, 0, "{counts:?}");
    Ok(())
}

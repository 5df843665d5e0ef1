//! The demo does all of its work, in-process and without real waiting.

use std::fs;
use std::path::Path;
use std::time::Duration;

use queue_core::BoxError;
use stock::demo;
use stock::queues::QueueKind;
use stock::settings::Settings;

fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::new();
    settings.demo = true;
    settings.data = Some(folder.to_owned());
    settings.photo_time = Duration::ZERO;
    settings
}

#[tokio::test]
async fn the_demo_finishes_all_work_and_shows_retries() -> Result<(), BoxError> {
    for queue in [QueueKind::Sqlite, QueueKind::Memory] {
        let folder = tempfile::tempdir()?;
        let mut settings = settings(folder.path());
        settings.queue = queue;
        all_is_done(&settings, folder.path()).await?;
    }
    Ok(())
}

async fn all_is_done(settings: &Settings, folder: &Path) -> Result<(), BoxError> {
    let summary = demo::run(settings).await?;

    assert_eq!(summary.missing(), Vec::<String>::new());
    assert_eq!(summary.products, 12);
    // A demo that runs at the time of the nightly report has one more.
    assert!((48..=49).contains(&summary.completed), "{summary:?}");
    assert!(summary.retries > 0, "the supplier fails every third request");
    assert_eq!(summary.attempts, summary.completed + summary.retries);
    assert_eq!(summary.mailed, 12, "an e-mail for each product");
    let table = fs::read_to_string(folder.join("reports/stock.csv"))?;
    assert_eq!(table.lines().count(), 1 + 12, "the report covers the last product: {table}");
    Ok(())
}

#[tokio::test]
async fn the_demo_starts_afresh_in_its_own_folder() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let products = folder.path().join("one.csv");
    fs::write(&products, "sku,name,price_cents,stock\nTEA,Tea,1,2\n")?;
    let mut settings = settings(&folder.path().join("data"));
    settings.products = Some(products);

    demo::run(&settings).await?;
    let left = fs::read_dir(settings.data())?.map(|entry| Ok(entry?.file_name()));
    let left: Vec<_> = left.collect::<Result<_, std::io::Error>>()?;
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with("-wal")), "no file is in use: {left:?}");
    let again = demo::run(&settings).await?;

    assert_eq!(again.missing(), Vec::<String>::new());
    assert_eq!(again.mailed, 1, "the e-mail of the first run is deleted");
    Ok(())
}

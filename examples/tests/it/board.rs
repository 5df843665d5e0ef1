//! The board of the application, at `/queue`.

use std::time::Duration;

use queue_core::BoxError;
use stock::app::App;
use stock::data_dir::DataFolder;
use stock::queues::QueueKind;
use stock::settings::Settings;
use tokio::time::{Instant, timeout};

#[tokio::test(flavor = "multi_thread")]
async fn the_board_lists_the_jobs_of_the_application_and_an_open_page_holds_up_no_stop()
-> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::new();
    settings.queue = QueueKind::Memory;
    settings.port = Some(0);
    settings.data = Some(folder.path().to_owned());
    let app = App::new(&settings, &DataFolder::open(settings.data())?).await?;
    let running = app.host.start().await?;
    let board = format!("http://{}/queue", app.address);

    let form = reqwest::get(format!("{board}/enqueue")).await?.text().await?;
    let open = reqwest::Client::new().get(&board).header("accept", "text/event-stream");
    let mut updates = open.send().await?;
    let first = timeout(Duration::from_secs(20), updates.chunk()).await??;
    let stop = Instant::now();
    running.stop().await?;

    assert!(form.contains("sku: String"), "the form has the fields of each job: {form}");
    assert!(first.is_some_and(|update| update.starts_with(b"id: ")));
    // Without the token, the server would wait for the end of the updates, up to 15 s.
    assert!(stop.elapsed() < Duration::from_secs(12), "{:?}", stop.elapsed());
    Ok(())
}

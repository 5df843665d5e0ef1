//! The application answers health checks.

use queue_core::BoxError;
use stock::app::App;
use stock::data_dir::DataFolder;
use stock::queues::QueueKind;
use stock::settings::Settings;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_application_answers_that_it_is_ready() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::new();
    settings.queue = QueueKind::Memory;
    settings.port = Some(0);
    settings.data = Some(folder.path().to_owned());
    let app = App::new(&settings, &DataFolder::open(settings.data())?).await?;
    let running = app.host.start().await?;

    let answer = reqwest::get(format!("http://{}/health", app.address)).await?;

    assert_eq!((answer.status().as_u16(), answer.text().await?.as_str()), (200, "ready"));
    running.stop().await?;
    Ok(())
}

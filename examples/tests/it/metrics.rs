//! The application serves its metrics while it works.

use std::time::Duration;

use queue_core::BoxError;
use stock::app::App;
use stock::data_dir::DataFolder;
use stock::settings::Settings;
use stock::{demo, import};
use tokio::time::timeout;

/// A page of metrics.
struct Page(String);

impl Page {
    async fn read(app: &str) -> Result<Self, BoxError> {
        let answer = reqwest::get(format!("http://{app}/metrics")).await?.error_for_status()?;
        Ok(Self(answer.text().await?))
    }

    /// Returns the value of a series, which is written as on the page: `queue_paused{queue="mail"}`.
    fn value(&self, series: &str) -> Option<f64> {
        let prefix = format!("{series} ");
        self.0.lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok())
    }

    fn completed(&self, queue: &str, name: &str) -> Option<f64> {
        self.value(&format!(r#"queue_attempts_total{{queue="{queue}",name="{name}",outcome="complete"}}"#))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_shows_the_work_of_the_demo() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::new();
    settings.demo = true;
    settings.data = Some(folder.path().to_owned());
    settings.photo_time = Duration::from_millis(200);
    let products = import::read(&settings.products())?;
    let app = App::new(&settings, &DataFolder::open_fresh(settings.data())?).await?;
    let address = app.address.to_string();
    let running = app.host.start().await?;

    let scrapes = async {
        // Until the work shows.
        let mut page = Page::read(&address).await?;
        while page.completed("photos", "closure") < Some(1.0) {
            page = Page::read(&address).await?;
        }
        Ok::<_, BoxError>(page)
    };
    let scrapes = async { timeout(Duration::from_secs(60), scrapes).await? };
    let (meanwhile, ()) = tokio::try_join!(scrapes, demo::work(&app.shop, &app.tally, products))?;
    let page = Page::read(&address).await?;
    running.stop().await?;

    assert_eq!(meanwhile.value(r#"queue_paused{queue="mail"}"#), Some(0.0), "{}", meanwhile.0);
    let text = &page.0;
    for (queue, name) in [("mail", "stock.mail"), ("supplier", "stock.sync"), ("reports", "stock.report")] {
        let series = format!(r#"queue_jobs_pushed_total{{queue="{queue}",name="{name}",receipt="stored"}}"#);
        assert_eq!(page.value(&series), Some(12.0), "{series}: {text}");
        assert_eq!(page.completed(queue, name), Some(12.0), "{name}: {text}");
        for state in ["available", "executing", "retryable"] {
            let series = format!(r#"queue_depth{{queue="{queue}",state="{state}"}}"#);
            assert_eq!(page.value(&series), Some(0.0), "{series}: {text}");
        }
        let waits = page.value(&format!(r#"queue_wait_seconds_count{{queue="{queue}",name="{name}"}}"#));
        assert_eq!(waits, Some(12.0), "{name}: {text}");
    }
    let retried = page.value(r#"queue_attempts_total{queue="supplier",name="stock.sync",outcome="retry"}"#);
    assert!(retried >= Some(1.0), "the supplier fails every third request: {text}");
    assert_eq!(page.completed("photos", "closure"), Some(12.0), "{text}");
    assert_eq!(page.value("queue_leases_lost_total"), Some(0.0), "{text}");
    Ok(())
}

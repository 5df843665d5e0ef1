//! Each job may run more than once but has its effect once.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lettre::Message;
use queue_core::{BoxError, QueueExt as _};
use queue_schedules::Schedules;
use queue_testkit::TestKit;
use stock::catalog;
use stock::database::Database;
use stock::jobs::{self, mail_product, report_stock};
use stock::mailer::Mailer;
use stock::product::{Product, ProductForm};
use stock::report::Reports;
use stock::supplier::Supplier;
use tempfile::TempDir;

/// A mailer that keeps the e-mails it receives, and fails at first.
#[derive(Default)]
struct FlakyMailer {
    failures: usize,
    given: Mutex<Vec<Message>>,
}

impl FlakyMailer {
    fn failing(failures: usize) -> Arc<Self> {
        Arc::new(Self { failures, ..Self::default() })
    }

    fn calls(&self) -> usize {
        self.given().len()
    }

    fn given(&self) -> MutexGuard<'_, Vec<Message>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for FlakyMailer {
    async fn send(&self, mail: Message) -> Result<(), BoxError> {
        let mut given = self.given();
        given.push(mail);
        if given.len() <= self.failures { Err("the server is unavailable".into()) } else { Ok(()) }
    }
}

/// The application's own services over an empty catalogue, with another mailer.
struct Fixture {
    kit: TestKit,
    database: Database,
    folder: TempDir,
}

impl Fixture {
    fn new(mailer: Arc<dyn Mailer>) -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(folder.path().join("stock.db"))?;
        let reports = Reports::new(folder.path().join("reports"));
        let services =
            stock::app::services(database.clone(), reports, mailer, Supplier::new("http://unused"));
        let jobs = jobs::all().and(Schedules::ticks());
        Ok(Self { kit: TestKit::new(jobs).services(services).build()?, database, folder })
    }

    async fn add(&self, sku: &str) -> Result<Product, BoxError> {
        let form = ProductForm { sku: sku.to_owned(), name: "Tea".to_owned(), price_cents: 1, stock: 2 };
        let product = form.check()?;
        let added = product.clone();
        self.database.run(move |connection| catalog::add(connection, &added)).await?;
        Ok(product)
    }
}

#[tokio::test(start_paused = true)]
async fn an_email_is_retried_until_it_is_sent_and_then_recorded() -> Result<(), BoxError> {
    let mailer = FlakyMailer::failing(2);
    let fixture = Fixture::new(mailer.clone())?;
    fixture.add("TEA").await?;
    fixture.kit.queue().enqueue(mail_product::new("TEA")).await?;

    let run = fixture.kit.run_until_idle().await?;

    assert_eq!((run.attempts_of::<mail_product>(), mailer.calls()), (3, 3));
    let entry = fixture.database.run(|connection| catalog::find(connection, "TEA")).await?;
    assert!(entry.is_some_and(|entry| entry.mailed));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_attempt_to_send_an_email_has_the_same_message_id_and_says_what_is_new() -> Result<(), BoxError>
{
    let mailer = FlakyMailer::failing(1);
    let fixture = Fixture::new(mailer.clone())?;
    fixture.add("TEA").await?;
    fixture.kit.queue().enqueue(mail_product::new("TEA")).await?;

    fixture.kit.run_until_idle().await?;

    let mails: Vec<_> = mailer.given().iter().map(|mail| mail.formatted()).collect();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        let mail = String::from_utf8(mail)?;
        assert!(mail.contains("Message-ID: <new-product-TEA@stock.example>\r\n"), "{mail}");
        assert!(mail.contains("Subject: New product: Tea\r\n") && mail.contains("Price: 0.01"), "{mail}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_recorded_email_is_not_sent_again() -> Result<(), BoxError> {
    let mailer = FlakyMailer::failing(0);
    let fixture = Fixture::new(mailer.clone())?;
    fixture.add("TEA").await?;

    for _ in 0..2 {
        fixture.kit.queue().enqueue(mail_product::new("TEA")).await?;
        fixture.kit.run_until_idle().await?;
    }

    assert_eq!(mailer.calls(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_without_a_product_is_cancelled() -> Result<(), BoxError> {
    let mailer = FlakyMailer::failing(0);
    let fixture = Fixture::new(mailer.clone())?;
    fixture.kit.queue().enqueue(mail_product::new("TEA")).await?;

    fixture.kit.run_until_idle().await?;

    fixture.kit.assert_cancelled(&mail_product::new("TEA"));
    assert_eq!(mailer.calls(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_writes_of_a_failed_job_are_rolled_back() -> Result<(), BoxError> {
    let fixture = Fixture::new(FlakyMailer::failing(0))?;
    fixture.add("TEA").await?;
    fixture.kit.queue().enqueue(report_stock::new(1)).await?;

    // The folder for reports does not exist.
    fixture.kit.step().await?;
    let after_failure = fixture.database.run(catalog::reported).await?;
    fs::create_dir(fixture.folder.path().join("reports"))?;
    fixture.kit.run_until_idle().await?;
    let after_success = fixture.database.run(catalog::reported).await?;

    assert_eq!((after_failure, after_success), (None, Some(1)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_report_that_covers_the_revision_already_is_not_written_again() -> Result<(), BoxError> {
    let fixture = Fixture::new(FlakyMailer::failing(0))?;
    let table = fixture.folder.path().join("reports/stock.csv");
    fs::create_dir(fixture.folder.path().join("reports"))?;
    fixture.add("TEA").await?;
    fixture.add("CUP").await?;
    fixture.kit.queue().enqueue(report_stock::new(2)).await?;
    let written = fixture.kit.run_until_idle().await?;
    fs::remove_file(&table)?;

    fixture.kit.queue().enqueue(report_stock::new(1)).await?;
    let covered = fixture.kit.run_until_idle().await?;

    assert!(!table.exists());
    let results = [written, covered].map(|run| run.result_of::<report_stock>());
    assert_eq!(results, ["2 products, worth 0.04", "revision 1 is in a later report"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_report_of_each_night_is_kept() -> Result<(), BoxError> {
    let fixture = Fixture::new(FlakyMailer::failing(0))?;
    fs::create_dir(fixture.folder.path().join("reports"))?;
    Schedules::new("stock", fixture.kit.queue().clone()).jobs(jobs::all()).apply().await?;
    fixture.add("TEA").await?;

    fixture.kit.run_for(std::time::Duration::from_secs(3 * 86_400)).await?.expect_success();

    let kept = fs::read_dir(fixture.folder.path().join("reports"))?;
    let mut kept: Vec<_> = kept.map(|file| Ok(file?.file_name())).collect::<Result<_, std::io::Error>>()?;
    kept.sort();
    assert_eq!(kept, ["stock-2030-01-01.csv", "stock-2030-01-02.csv", "stock-2030-01-03.csv"]);
    let table = fs::read_to_string(fixture.folder.path().join("reports/stock-2030-01-03.csv"))?;
    assert!(table.contains("TEA,Tea,1,2,2"), "{table}");
    Ok(())
}

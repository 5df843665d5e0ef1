//! The demo: imports products, waits for all background work, and checks the results.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use queue_core::{BoxError, State};
use tokio::time::timeout;

use crate::app::App;
use crate::catalog;
use crate::data_dir::DataFolder;
use crate::import;
use crate::product::Product;
use crate::settings::Settings;
use crate::shop::Shop;
use crate::tally::Tally;

/// Imports the products of a CSV file into an empty catalogue, and waits for all background work.
///
/// # Errors
///
/// Something could not start, or work was not finished in time. Missing results are in the summary.
///
/// # Cancel safety
///
/// Dropping the future interrupts the work.
pub async fn run(settings: &Settings) -> Result<Summary, BoxError> {
    let products = import::read(&settings.products())?;
    let data = DataFolder::open_fresh(settings.data())?;
    let App { host, shop, reports, tally, .. } = App::new(settings, &data).await?;
    let started = Instant::now();
    let running = host.start().await?;

    let imported = products.len();
    work(&shop, &tally, products).await?;

    let entries = shop.database.run(catalog::list).await?;
    let counts = shop.queues.counts().await?;
    let count = |state| counts.iter().map(|queue| queue.of(state)).sum();
    // A mail server keeps its e-mails; a folder can be checked.
    let mail = settings.smtp.is_none().then(|| data.mail());
    let summary = Summary {
        products: imported,
        completed: count(State::Completed),
        given_up: count(State::Discarded) + count(State::Cancelled),
        attempts: tally.attempts(),
        retries: tally.retries(),
        mailed: match &mail {
            Some(folder) => fs::read_dir(folder)?.count(),
            None => entries.iter().filter(|entry| entry.mailed).count(),
        },
        synced: entries.iter().filter(|entry| entry.supplier_reference.is_some()).count(),
        report: Some(reports.chart()).filter(|chart| chart.exists()),
        mail,
        took: started.elapsed(),
    };
    running.stop().await?;
    Ok(summary)
}

/// Imports products into the catalogue of a running application, and waits for all background work.
///
/// # Errors
///
/// A product could not be added, or work was not finished in time.
///
/// # Cancel safety
///
/// Dropping the future leaves the other products out; the work continues.
pub async fn work(shop: &Shop, tally: &Tally, products: Vec<Product>) -> Result<(), BoxError> {
    for product in products {
        shop.add(product).await?;
    }
    timeout(PATIENCE, tally.idle(&shop.queues))
        .await
        .map_err(|_| format!("there is unfinished work after {PATIENCE:?}: see the log"))??;
    Ok(())
}

/// The time limit for the background work.
const PATIENCE: Duration = Duration::from_secs(60);

/// The results of the demo.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// Products that were imported.
    pub products: usize,
    /// Completed jobs.
    pub completed: u64,
    /// Jobs that were discarded or cancelled.
    pub given_up: u64,
    /// Attempts of all jobs.
    pub attempts: u64,
    /// Failed attempts that were retried.
    pub retries: u64,
    /// Sent e-mails.
    pub mailed: usize,
    /// Products that the supplier has.
    pub synced: usize,
    /// The chart, if it was drawn.
    pub report: Option<PathBuf>,
    /// The folder of the e-mails, unless they were sent to a server.
    pub mail: Option<PathBuf>,
    /// The duration of the demo.
    pub took: Duration,
}

impl Summary {
    /// Returns the missing results; empty if everything was done.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let Self { products, given_up, mailed, synced, .. } = self;
        let checks = [
            (*given_up > 0, format!("{given_up} jobs were discarded or cancelled")),
            (mailed != products, format!("{mailed} e-mails were sent for {products} products")),
            (synced != products, format!("the supplier knows {synced} of {products} products")),
            (self.report.is_none(), "there is no report".to_owned()),
        ];
        checks.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, what)| what).collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report.as_ref().map_or("none".into(), |report| report.display().to_string());
        let mail = self.mail.as_ref().map_or("on the server".into(), |mail| mail.display().to_string());
        writeln!(f, "products  {:>4}  imported", self.products)?;
        writeln!(f, "jobs      {:>4}  completed, {} discarded or cancelled", self.completed, self.given_up)?;
        writeln!(f, "attempts  {:>4}", self.attempts)?;
        writeln!(f, "retries   {:>4}", self.retries)?;
        writeln!(f, "e-mails   {:>4}  {mail}", self.mailed)?;
        writeln!(f, "synced    {:>4}  with the supplier", self.synced)?;
        writeln!(f, "report          {report}")?;
        write!(f, "took      {:>6.1} s", self.took.as_secs_f64())
    }
}

//! Assembles the application.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use queue_core::admin::QueueCounts;
use queue_core::{Admin, BoxError, CancellationToken, Jobs, Services, ServicesBuilder};
use queue_metrics::PrometheusPage;
use queue_schedules::Schedules;
use queue_tokio::{Host, HttpService, MemoryQueue, QueueService};

use crate::data_dir::DataFolder;
use crate::database::Database;
use crate::http;
use crate::mailer::Mailer;
use crate::queues::{QueueKind, Queues};
use crate::report::Reports;
use crate::settings::Settings;
use crate::shop::Shop;
use crate::supplier::{Supplier, stub};
use crate::tally::Tally;
use crate::transaction::Tx;
use crate::{jobs, mailer, web};

/// The application before it runs.
#[derive(Debug)]
pub struct App {
    /// The host of all services.
    pub host: Host,
    /// Adds products.
    pub shop: Shop,
    /// Writes reports.
    pub reports: Reports,
    /// Counts attempts.
    pub tally: Tally,
    /// The address of the page.
    pub address: SocketAddr,
}

impl App {
    /// Assembles the application over a folder; nothing runs yet.
    ///
    /// # Errors
    ///
    /// A port is in use, a file can't be written, or an address is invalid.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave created files behind.
    pub async fn new(settings: &Settings, data: &DataFolder) -> Result<Self, BoxError> {
        let (listener, address) = http::listen(settings.port())?;
        let (supplier_listener, supplier_address) = http::listen(0)?;
        let metrics = PrometheusPage::new()?;
        let queues = Queues::open(&settings.queue, data).await?.count(&metrics);
        let database = Database::open(data.database())?;
        let reports = Reports::new(data.reports());
        let mailer = match &settings.smtp {
            Some(server) => mailer::to_server(server)?,
            None => mailer::to_folder(&data.mail()),
        };
        let supplier = Supplier::new(format!("http://{supplier_address}"));
        let shop =
            Shop { database: database.clone(), queues: queues.clone(), photo_time: settings.photo_time };
        let tally = Tally::default();

        let builder = Host::builder();
        let stopping = CancellationToken::new();
        let page = web::router(shop.clone(), reports.clone())
            .merge(web::board::router(queues.jobs.clone(), stopping.clone()))
            .merge(builder.health().router())
            .merge(metrics.router(queues.all()));
        let observe = |service: QueueService| service.observe(metrics.clone()).observe(tally.clone());
        let schedules =
            Schedules::new("stock", queues.jobs.clone()).jobs(jobs::all()).observe(metrics.clone());
        let (photos, background) = (observe(photos(queues.closures)), observe(background(queues.jobs)));
        // They stop in reverse: first the HTTP server, then the jobs, and the supplier last.
        let host = builder
            .services(services(database, reports.clone(), mailer, supplier).build()?)
            .service(HttpService::over(supplier_listener, stub::router())?.named("supplier"))
            .service(photos)
            .service(background.lease(settings.lease))
            .service(schedules)
            .service(HttpService::over(listener, page)?.named("web").cancel_on_stop(stopping))
            .build()?;
        Ok(Self { host, shop, reports, tally, address })
    }
}

/// A renewal of a lease carries the progress of a closure to the page, three times within a lease.
const PHOTO_LEASE: Duration = Duration::from_secs(3);

/// Creates the service for closures. They take long, so they have workers of their own and delay nothing else.
fn photos(closures: MemoryQueue) -> QueueService {
    let service = QueueService::new(closures, Jobs::new()).named("photos").queues([jobs::PHOTOS]);
    service.concurrency(64).lease(PHOTO_LEASE)
}

/// Creates the service for all other jobs.
fn background(jobs: Arc<dyn Admin>) -> QueueService {
    QueueService::new(jobs, jobs::all()).named("jobs").concurrency(32)
}

/// Registers the services that jobs inject; a test takes the same and replaces some of them.
pub fn services(
    database: Database,
    reports: Reports,
    mailer: Arc<dyn Mailer>,
    supplier: Supplier,
) -> ServicesBuilder {
    Services::builder()
        .singleton(database)
        .singleton(reports)
        .singleton(supplier)
        .singleton_as(mailer)
        .unit_of_work(Tx::begin, Tx::end)
}

/// Logs the unfinished work of an earlier run. An in-memory queue has lost it, so it is enqueued again.
async fn take_up(shop: &Shop, kind: &QueueKind) -> Result<(), BoxError> {
    if *kind == QueueKind::Memory {
        let products = shop.catch_up().await?;
        if products > 0 {
            tracing::info!(products, "enqueued the unfinished work of an earlier run again");
        }
        return Ok(());
    }
    let jobs: u64 = shop.queues.counts().await?.iter().map(QueueCounts::unfinished).sum();
    if jobs > 0 {
        tracing::info!(jobs, "continuing the unfinished work of an earlier run");
    }
    Ok(())
}

/// Serves until Ctrl-C, then finishes the work that has begun.
///
/// # Errors
///
/// A service could not start, or failed.
///
/// # Cancel safety
///
/// Dropping the future interrupts the work; uncommitted changes are rolled back.
pub async fn serve(settings: &Settings, welcome: impl FnOnce(SocketAddr)) -> Result<(), BoxError> {
    let data = DataFolder::open(settings.data())?;
    let app = App::new(settings, &data).await?;
    take_up(&app.shop, &settings.queue).await?;
    welcome(app.address);
    let stopped = app.host.run().await?;
    for work in stopped.interrupted {
        tracing::warn!(work, "interrupted");
    }
    Ok(())
}

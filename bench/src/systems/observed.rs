//! This project's queues with metrics for Prometheus and a trace of each attempt, which goes to a collector on the same machine.
//!
//! Each is set up as the example `operated`, and leaves out the attributes for code locations, threads and busy times, as the README
//! of queue-otel says. The collector reads each request and drops it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use harness::{Scratch, System, Tally};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use queue_core::{Queue, Services, jobs};
use queue_metrics::{CountedQueue, PrometheusPage};
use queue_otel::TracedQueue;
use queue_tokio::{Host, QueueService, RunningHost};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

use super::queue_tokio::{Entrance, welcome};

/// A system whose queue can be observed.
pub(crate) trait Store: System {
    type Queue: Queue + Clone;

    fn queue(&self) -> Self::Queue;
}

type ObservedQueue<S> = Arc<CountedQueue<TracedQueue<<S as Store>::Queue>>>;

static EXPORTED: OnceCell<()> = OnceCell::const_new();

/// A system with metrics and traces.
pub(crate) struct Observed<S: Store> {
    queue: ObservedQueue<S>,
    page: PrometheusPage,
    tally: Tally,
    _store: S,
}

impl<S: Store + Sync> System for Observed<S> {
    type Producer = Entrance<ObservedQueue<S>>;
    type Workers = RunningHost;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let store = S::open(scratch, tally).await?;
        EXPORTED.get_or_try_init(export_traces).await?;
        let page = PrometheusPage::new()?;
        let queue = Arc::new(page.count(TracedQueue::new(store.queue())));
        Ok(Self { queue, page, tally, _store: store })
    }

    fn producer(&self) -> Entrance<ObservedQueue<S>> {
        Entrance(self.queue.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        let service = QueueService::new(self.queue.clone(), jobs![welcome])
            .concurrency(workers)
            .observe(self.page.clone())
            .make_span(queue_otel::make_span)
            .layer(queue_otel::layer);
        let services = Services::builder().singleton(self.tally).build()?;
        Ok(Host::builder().services(services).service(service).build()?.start().await?)
    }
}

/// Sends the spans of this process to a collector, with the defaults of the exporter. A process may do so once.
async fn export_traces() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}/v1/traces", listener.local_addr()?);
    let router = Router::new().fallback(async |_: Bytes| "{}");
    // The collector ends with the process.
    tokio::spawn(async move { axum::serve(listener, router).await });
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint);
    // Its client blocks the thread.
    let exporter = tokio::task::spawn_blocking(|| exporter.build()).await??;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let spans = tracing_opentelemetry::layer().with_location(false).with_threads(false);
    let spans = spans.with_tracked_inactivity(false).with_tracer(provider.tracer("bench"));
    tracing_subscriber::registry().with(spans.with_filter(LevelFilter::INFO)).try_init()?;
    Ok(())
}

//! This project's queues with metrics for Prometheus and a trace of each attempt, which goes to a collector on the same machine.
//!
//! Each is set up as the example `operated`, without log lines. The collector reads each request and drops it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use harness::{Scratch, System, Tally};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use queue_core::{Queue, Services, jobs};
use queue_metrics::{CountedQueue, PrometheusPage};
use queue_otel::TracedQueue;
use queue_tokio::{Host, QueueService, RunningHost};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use super::queue_tokio::{Entrance, welcome};

/// A system whose queue can be observed.
pub(crate) trait Store: System {
    type Queue: Queue + Clone;

    fn queue(&self) -> Self::Queue;
}

type ObservedQueue<S> = Arc<CountedQueue<TracedQueue<<S as Store>::Queue>>>;

static TRACER: OnceCell<SdkTracer> = OnceCell::const_new();

/// A system with metrics and traces.
pub(crate) struct Observed<S: Store> {
    queue: ObservedQueue<S>,
    tracer: SdkTracer,
    page: PrometheusPage,
    tally: Tally,
    _store: S,
}

impl<S: Store + Sync> System for Observed<S> {
    type Producer = Entrance<ObservedQueue<S>>;
    type Workers = RunningHost;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let store = S::open(scratch, tally).await?;
        let tracer = TRACER.get_or_try_init(exported_tracer).await?.clone();
        let page = PrometheusPage::new()?;
        let queue = Arc::new(page.count(TracedQueue::new(store.queue())));
        Ok(Self { queue, tracer, page, tally, _store: store })
    }

    fn producer(&self) -> Entrance<ObservedQueue<S>> {
        Entrance(self.queue.clone())
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<RunningHost> {
        let service = QueueService::new(self.queue.clone(), jobs![welcome])
            .concurrency(workers)
            .observe(self.page.clone())
            .layer(queue_otel::layer(self.tracer.clone()));
        let services = Services::builder().singleton(self.tally).build()?;
        Ok(Host::builder().services(services).service(service).build()?.start().await?)
    }
}

/// Creates a tracer whose spans go to a collector, with the defaults of the exporter. The systems of a process share it.
async fn exported_tracer() -> anyhow::Result<SdkTracer> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}/v1/traces", listener.local_addr()?);
    let router = Router::new().fallback(async |_: Bytes| "{}");
    // The collector ends with the process.
    tokio::spawn(async move { axum::serve(listener, router).await });
    let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint);
    // Its client blocks the thread.
    let exporter = tokio::task::spawn_blocking(|| exporter.build()).await??;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    Ok(provider.tracer("bench"))
}

//! A service with what its operators ask for: results and progress of its jobs, `/health`, `/metrics`, and traces by OTLP.
//!
//! `cargo run --example operated` serves on 127.0.0.1:8080, or on `ADDRESS`:
//!
//! - `curl -X POST 127.0.0.1:8080/reports/2026` enqueues a job and answers with its id;
//! - `curl 127.0.0.1:8080/reports/ID` returns the state, the progress and the result of that job.
//!
//! Traces go to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`, by default http://localhost:4318.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use queue_core::{Admin, BoxError, JobContext, JobId, JobStatus, QueueExt as _, background_job, jobs};
use queue_metrics::PrometheusPage;
use queue_otel::TracedQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::{Host, HttpService, QueueService};
use tracing_subscriber::{filter, fmt, prelude::*};

#[background_job(queue = "reports")]
async fn report(#[inject] context: &JobContext, year: u16) -> Result<String, BoxError> {
    context.progress(50, "drawing the charts");
    Ok(format!("/reports/{year}.pdf"))
}

type Queue = State<Arc<dyn Admin>>;

#[tracing::instrument(name = "POST /reports", skip_all)]
async fn order(State(queue): Queue, Path(year): Path<u16>) -> Result<(StatusCode, String), StatusCode> {
    let job = queue.enqueue(report::new(year)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok((StatusCode::ACCEPTED, job.id().to_string()))
}

async fn show(State(queue): Queue, Path(id): Path<JobId>) -> Result<Json<JobStatus>, StatusCode> {
    let job = queue.get(id).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(job.ok_or(StatusCode::NOT_FOUND)?.status()))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("reports"));
    let spans = spans.with_filter(filter::filter_fn(queue_otel::is_not_attempt));
    tracing_subscriber::registry().with(filter::LevelFilter::INFO).with(fmt::layer()).with(spans).init();

    let page = PrometheusPage::new()?;
    let queue: Arc<dyn Admin> = Arc::new(page.count(TracedQueue::new(SqliteQueue::open("jobs.db").await?)));
    let service = QueueService::new(queue.clone(), jobs![report]).observe(page.clone());
    let host = Host::builder().service(service.layer(queue_otel::layer(traces.tracer("reports"))));
    let router = Router::new().route("/reports/{of}", post(order).get(show)).with_state(queue.clone());
    let router = router.merge(host.health().router()).merge(page.router([queue]));
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    host.service(HttpService::bind(address, router)?).build()?.run().await?;
    Ok(traces.shutdown()?)
}

#[cfg(test)]
mod tests;

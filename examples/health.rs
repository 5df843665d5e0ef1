//! Health: an endpoint for Kubernetes and load balancers, which answers from the start to the end of the stop.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{BoxError, background_job, jobs};
use queue_tokio::{HealthStatus, Host, MemoryQueue, QueueService};
use tokio::net::TcpListener;

#[background_job]
async fn send_mail(_user_id: u64) {}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let service = QueueService::new(MemoryQueue::new(), jobs![send_mail]).named("mails");
    // In production about 5 s: until load balancers have noticed that the program is not ready any more.
    let host = Host::builder().service(service).drain_delay(Duration::from_millis(500)).build()?;

    let router = host.health().router(); // 200 while the host is ready, otherwise 503
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/health", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    print(&url).await?;
    let running = host.start().await?;
    print(&url).await?;
    let health = running.health();
    let stop = tokio::spawn(running.stop());
    health.wait_for(|status| *status == HealthStatus::Stopping).await;
    print(&url).await?; // requests are still answered
    stop.await??;
    server.abort();
    Ok(())
}

async fn print(url: &str) -> Result<(), BoxError> {
    let answer = reqwest::get(url).await?;
    println!("{}: {}", answer.status(), answer.text().await?);
    Ok(())
}

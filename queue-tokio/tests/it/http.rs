//! Tests the HTTP server as a service of the host, and the health endpoint, against H75 and H76.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use queue_core::jobs;
use queue_tokio::{Host, HttpService, MemoryQueue, QueueService};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::world::TestResult;

/// Longer than a stop takes, and shorter than the clean-up time of other services.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request, and returns the open connection.
async fn request(address: SocketAddr, path: &str) -> std::io::Result<TcpStream> {
    let mut connection = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    Ok(connection)
}

async fn answer(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    request(address, path).await?.read_to_string(&mut text).await?;
    Ok(text)
}

/// H75: The endpoint answers with the status of the host.
#[tokio::test]
async fn a_router_is_served_from_the_start_to_the_stop_of_the_host() -> TestResult {
    let builder = Host::builder().service(QueueService::new(MemoryQueue::new(), jobs![]));
    let health = builder.health();
    let http = HttpService::bind("127.0.0.1:0", health.router())?.named("web");
    let address = http.address();
    let host = builder.service(http).build()?;
    assert_eq!(health.services().last().map(|service| service.name.clone()).as_deref(), Some("web"));

    let running = host.start().await?;
    let ready = answer(address, "/health").await?;
    running.stop().await?;

    assert!(ready.starts_with("HTTP/1.1 200 ") && ready.ends_with("\r\n\r\nready"), "{ready}");
    assert!(answer(address, "/health").await.is_err(), "the port is free after the stop");
    Ok(())
}

/// H76: A host that is not ready answers 503.
#[tokio::test]
async fn a_service_that_answers_before_the_host_has_started_is_not_ready() -> TestResult {
    // The health of a host that is never built.
    let health = Host::builder().health();
    let http = HttpService::bind("127.0.0.1:0", health.router())?;
    let address = http.address();
    let running = Host::builder().service(http).build()?.start().await?;

    let starting = answer(address, "/health").await?;

    assert!(starting.starts_with("HTTP/1.1 503 ") && starting.ends_with("\r\n\r\nstarting"), "{starting}");
    running.stop().await?;
    Ok(())
}

/// H63: A connection that stays open does not hold up a stop beyond the shutdown timeout.
#[tokio::test]
async fn a_request_that_is_never_answered_delays_no_stop_beyond_the_shutdown_timeout() -> TestResult {
    let asked = Arc::new(Notify::new());
    let reached = asked.clone();
    let wait = get(async move || {
        reached.notify_one();
        pending::<()>().await;
    });
    let http = HttpService::bind("127.0.0.1:0", Router::new().route("/wait", wait))?;
    let address = http.address();
    let host = Host::builder().service(http).shutdown_timeout(Duration::from_millis(100)).build()?;
    let running = host.start().await?;
    let _connection = request(address, "/wait").await?;
    asked.notified().await;

    let stopped = timeout(PATIENCE, running.stop()).await?;

    drop(stopped); // Whether a dropped service is a failure is tested with the host.
    Ok(())
}

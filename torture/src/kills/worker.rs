//! A process that works on jobs, and hosts the jobs of `sales.rs`.

use std::sync::Arc;

use queue_conformance::load::{stop_at_end_of_input, work};
use queue_core::{BoxError, CancellationToken};
use tokio::signal::unix::{SignalKind, signal};

use super::{limits, sales};
use crate::settings::Role;

/// Works until the driver stops the process.
pub(crate) async fn run(role: &Role) -> Result<(), BoxError> {
    let stop = stop_at_end_of_input();
    let store = role.location.open_store().await?;
    let load = Arc::new(limits::client(role, store.admin(), stop.clone())?);
    tokio::spawn(stop_at_sigterm(stop.clone()));
    let hosted = tokio::spawn(sales::work(store, stop));
    work(&load, role.seed).await?;
    hosted.await?
}

/// Ends the process in order on SIGTERM.
async fn stop_at_sigterm(stop: CancellationToken) -> Result<(), BoxError> {
    let mut told = signal(SignalKind::terminate())?;
    told.recv().await;
    stop.cancel();
    Ok(())
}

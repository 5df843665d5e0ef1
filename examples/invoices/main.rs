//! An invoicing service: its jobs write to a database, render files, send mails and call webhooks.
//!
//! Each customer's webhook gets at most five calls a second, and none while it answers 429: see `jobs/notify.rs`.
//!
//! `cargo run --example invoices` runs it over an SQLite file, or over the PostgreSQL database of `DATABASE_URL`.
//! `cargo test --example invoices` tests each job over both, and crashes it at every point.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod books;
mod folder;
mod jobs;
mod mailer;
mod order;
mod store;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use queue_core::{BoxError, JobId, Services, ServicesBuilder};
use queue_tokio::{Host, QueueService};
use tokio::sync::Notify;

use folder::Folder;
use mailer::Mailer;
use order::Order;
use store::Store;
use webhook::{CallError, Webhook};

/// Registers the services that the jobs inject, apart from the mailer and the webhook.
fn services(store: &Store, folder: Folder) -> ServicesBuilder {
    let services = Services::builder().singleton(store.clone()).singleton(folder);
    store.register_books(services)
}

/// Prints each mail.
struct Console;

#[async_trait]
impl Mailer for Console {
    async fn send(&self, _: JobId, to: &str, text: &str) -> Result<(), BoxError> {
        println!("to {to}: {text}");
        Ok(())
    }
}

/// A webhook that is busy at its first call, and ends the program at the second.
struct Busy {
    was_called: AtomicBool,
    sent: Arc<Notify>,
}

#[async_trait]
impl Webhook for Busy {
    async fn post(&self, _: JobId, customer: &str, order: i64) -> Result<(), CallError> {
        if !self.was_called.swap(true, Ordering::Relaxed) {
            println!("{customer} wants no calls for a second");
            return Err(CallError::TooManyCalls(Duration::from_secs(1)));
        }
        println!("{customer} knows that the invoice of order {order} is sent");
        self.sent.notify_one();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let temporary = tempfile::tempdir()?;
    let store = match std::env::var("DATABASE_URL") {
        Ok(url) => Store::open_postgres(&url).await?,
        Err(_) => Store::open_sqlite(temporary.path().join("invoices.db")).await?,
    };
    store.create_tables().await?;
    let number = SystemTime::UNIX_EPOCH.elapsed()?.as_secs().cast_signed();
    store.place(Order { number, customer: "ada@example.com".to_owned(), cents: 1250 }).await?;

    let sent = Arc::new(Notify::new());
    let services = services(&store, Folder::new(temporary.path()))
        .singleton_as::<dyn Mailer>(Arc::new(Console))
        .singleton_as::<dyn Webhook>(Arc::new(Busy {
            was_called: AtomicBool::new(false),
            sent: sent.clone(),
        }));
    let service = QueueService::new(store.queue(), jobs::all()).limit("webhooks", jobs::webhook_limits());
    Host::builder().services(services.build()?).service(service).build()?.run_until(sent.notified()).await?;
    Ok(())
}

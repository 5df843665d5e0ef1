//! The shop's main operation: adding a product.

use std::time::Duration;

use queue_core::{NewJob, QueueError, QueueExt as _};

use crate::catalog::{self, Revision};
use crate::database::{Database, DatabaseError};
use crate::jobs::{PHOTOS, SKU, TITLE, mail_product, report_stock, resize_photos, sync_product};
use crate::product::Product;
use crate::queues::Queues;

/// The catalogue with the queue for its background work. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The stored products.
    pub database: Database,
    /// The queues of the background work.
    pub queues: Queues,
    /// The time that resizing the photos of a new product takes.
    pub photo_time: Duration,
}

impl Shop {
    /// Saves a product, and enqueues its background work.
    ///
    /// # Errors
    ///
    /// The SKU is taken, or a store failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future may leave the product saved but its work not enqueued, until [`catch_up`](Self::catch_up).
    pub async fn add(&self, product: Product) -> Result<(), AddError> {
        let sku = product.sku.clone();
        let added = self.database.run(move |connection| catalog::add(connection, &product)).await?;
        let Some(revision) = added else { return Err(AddError::Duplicate { sku }) };
        self.enqueue_photos(sku.clone()).await?;
        self.enqueue_jobs(&sku, revision).await?;
        Ok(())
    }

    /// Enqueues the unfinished work of all products. Returns the number of products with unfinished work.
    ///
    /// An in-memory queue loses its jobs when the program ends. Each job checks what was done before, so enqueuing it again does
    /// no harm.
    ///
    /// # Errors
    ///
    /// A store failed.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn catch_up(&self) -> Result<usize, AddError> {
        let stored = |connection: &_| {
            Ok((catalog::list(connection)?, catalog::revision(connection)?, catalog::reported(connection)?))
        };
        let (entries, revision, reported) = self.database.run(stored).await?;
        let behind: Vec<_> = entries.iter().filter(|entry| !entry.is_done()).collect();
        for entry in &behind {
            self.enqueue_jobs(&entry.product.sku, revision).await?;
        }
        if reported.unwrap_or_default() < revision {
            self.queues.jobs.enqueue(report_stock::new(revision)).await?;
        }
        Ok(behind.len())
    }

    /// Enqueues a closure, which captures its data.
    async fn enqueue_photos(&self, sku: String) -> Result<(), QueueError> {
        let (time, name) = (self.photo_time, sku.clone());
        self.queues
            .closures
            .enqueue_fn(move |scope| resize_photos(scope, sku, time))
            .queue(PHOTOS)
            .meta(SKU, name)
            .meta(TITLE, "stock.photos")
            .await?;
        Ok(())
    }

    /// Enqueues all jobs or none: they are one batch.
    async fn enqueue_jobs(&self, sku: &str, revision: Revision) -> Result<(), QueueError> {
        let jobs: [NewJob; 3] = [
            mail_product::new(sku).into(),
            sync_product::new(sku).into(),
            report_stock::new(revision).into(),
        ];
        self.queues.jobs.enqueue_all(jobs.map(|job| job.meta(SKU, sku))).await?;
        Ok(())
    }
}

/// Why a product was not added, or its work not enqueued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// A product with this SKU exists.
    #[error("a product with the SKU {sku} exists already")]
    Duplicate {
        /// The SKU.
        sku: String,
    },
    /// The catalogue failed.
    #[error("the product could not be saved")]
    Database(#[from] DatabaseError),
    /// The queue failed.
    #[error("the work for the product could not be enqueued")]
    Queue(#[from] QueueError),
}

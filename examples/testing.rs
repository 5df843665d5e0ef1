//! Tests run jobs one at a time under virtual time: backoff takes no real time, and every run is the same.
//!
//! `cargo test --example testing`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use queue_core::{JobContext, JobError, background_job};

/// The external service of the job, so that a test can replace it.
trait Supplier: Send + Sync {
    fn order(&self, sku: &str) -> Result<(), std::io::Error>;
}

#[background_job]
async fn tell_owner(sku: &str) {
    println!("{sku} is ordered");
}

/// Orders a product, then notifies the owner.
#[background_job(max_attempts = 3, backoff = fixed("1h"))]
async fn order(
    #[inject] supplier: &dyn Supplier,
    #[inject] context: &JobContext,
    sku: &str,
) -> Result<(), JobError> {
    if sku.is_empty() {
        return Err(JobError::permanent("a product needs a name"));
    }
    supplier.order(sku)?;
    context.then(tell_owner::new(sku));
    Ok(())
}

fn main() {
    println!("this is a test file: run it by `cargo test --example testing`");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use queue_core::{BoxError, QueueExt as _, jobs};
    use queue_testkit::TestKit;

    use super::*;

    /// A supplier that is unavailable for the first few calls.
    struct Away(AtomicU32);

    impl Supplier for Away {
        fn order(&self, _: &str) -> Result<(), io::Error> {
            match self.0.fetch_sub(1, Ordering::Relaxed) {
                0 => Ok(()),
                _ => Err(io::Error::other("the supplier is unavailable")),
            }
        }
    }

    fn kit(away_for: u32) -> Result<TestKit, BoxError> {
        let supplier = Arc::new(Away(AtomicU32::new(away_for)));
        Ok(TestKit::new(jobs![order, tell_owner]).singleton_as::<dyn Supplier>(supplier).build()?)
    }

    #[tokio::test]
    async fn an_order_is_retried_until_the_supplier_is_available() -> Result<(), BoxError> {
        let kit = kit(2)?;
        kit.queue().enqueue(order::new("TEA")).await?;

        let run = kit.run_until_idle().await?; // two hours of backoff

        assert_eq!(run.attempts_of::<order>(), 3);
        kit.assert_completed(&order::new("TEA"));
        kit.assert_completed(&tell_owner::new("TEA"));
        Ok(())
    }

    #[tokio::test]
    async fn the_owner_is_not_notified_of_a_failed_order() -> Result<(), BoxError> {
        let kit = kit(1)?;
        kit.queue().enqueue(order::new("TEA")).await?;

        kit.step().await?;

        assert!(kit.all_enqueued::<tell_owner>().is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn an_order_without_a_name_is_discarded_at_once() -> Result<(), BoxError> {
        let kit = kit(0)?;
        kit.queue().enqueue(order::new("")).await?;

        let run = kit.run_until_idle().await?;

        assert_eq!(run.attempts_of::<order>(), 1);
        kit.assert_discarded(&order::new(""));
        Ok(())
    }

    #[tokio::test]
    async fn the_function_can_be_called_directly() {
        tell_owner("TEA").await;
    }
}

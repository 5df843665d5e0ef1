//! Tests run jobs one at a time under virtual time: backoff takes no real time, and every run is the same.
//!
//! `cargo test --example testing`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use queue_core::{JobError, background_job};

/// The external service of the job, so that a test can replace it.
trait Mailer: Send + Sync {
    fn send(&self, address: &str) -> Result<(), std::io::Error>;
}

#[background_job(max_attempts = 3, backoff = fixed("1h"))]
async fn send_mail(#[inject] mailer: &dyn Mailer, address: &str) -> Result<(), JobError> {
    Ok(mailer.send(address)?)
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

    /// A mailer whose first calls fail.
    struct Flaky(AtomicU32);

    impl Mailer for Flaky {
        fn send(&self, _: &str) -> Result<(), io::Error> {
            match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                Ok(_) => Err(io::ErrorKind::TimedOut.into()),
                Err(_) => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn a_mail_is_retried_until_it_is_sent() -> Result<(), BoxError> {
        let mailer = Arc::new(Flaky(AtomicU32::new(2)));
        let kit = TestKit::new(jobs![send_mail]).singleton_as::<dyn Mailer>(mailer).build()?;
        kit.queue().enqueue(send_mail::new("ada@example.com")).await?;

        let run = kit.run_until_idle().await?; // two hours of backoff

        assert_eq!(run.attempts_of::<send_mail>(), 3);
        kit.assert_completed(&send_mail::new("ada@example.com"));
        Ok(())
    }
}

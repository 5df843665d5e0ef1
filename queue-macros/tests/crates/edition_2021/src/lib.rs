//! Tests the expansion against M4: edition 2021, every lint denied, no dependency on serde, private unused jobs.
#![deny(warnings, missing_docs, rustdoc::all, clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::path::Path;

use queue_core::background_job;

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Sends one mail.
    ///
    /// # Errors
    ///
    /// The server is unavailable.
    fn send(&self, user_id: u64, template: &str) -> std::io::Result<()>;
}

/// A unit of work.
#[derive(Debug)]
pub struct Tx;

/// Welcomes a user.
///
/// # Errors
///
/// The server is unavailable.
#[background_job(
    queue = "mail",
    max_attempts = 5,
    timeout = "30s",
    unique = "user:{user_id}",
    alias = "welcome"
)]
pub async fn send_welcome(
    #[inject] mailer: &dyn Mailer,
    /// The recipient.
    user_id: u64,
    #[serde(default)] template: &str,
) -> std::io::Result<()> {
    mailer.send(user_id, template)
}

/// Takes every form of parameter.
#[background_job(unique(within = "1h", replace), priority = -1, backoff = exponential("1s", "1m"))]
pub async fn take_all(
    #[inject] tx: &mut Tx,
    path: &Path,
    bytes: Option<&[u8]>,
    _unused: bool,
    flag: bool,
    r#type: u8,
) {
    println!("{tx:?} {} {bytes:?} {flag} {}", path.display(), r#type);
    std::future::ready(()).await;
}

/// Blocks.
#[background_job(blocking)]
pub fn index(#[inject] tx: &mut Tx, documents: Vec<String>) {
    println!("{tx:?} {documents:?}");
    drop(documents);
}

/// Is deprecated.
#[deprecated = "use `index`"]
#[background_job]
pub async fn index_slowly(documents: &[String]) {
    println!("{documents:?}");
}

#[background_job]
async fn private_and_unused() {}

mod jobs {
    use queue_core::background_job;

    #[background_job(backoff = super::wait)]
    pub(super) async fn nested(order: u64) -> Result<(), String> {
        Err(order.to_string())
    }
}

fn wait(context: &queue_core::RetryContext<'_>) -> std::time::Duration {
    std::time::Duration::from_secs(context.attempt.into())
}

/// Lists the jobs.
#[must_use]
pub fn all() -> queue_core::Jobs {
    queue_core::jobs![send_welcome, take_all, index, jobs::nested]
}

/// Creates one of each.
#[must_use]
pub fn one_of_each() -> (send_welcome, take_all, index, impl queue_core::Job) {
    let take = take_all::new("/", None, true, true, 1);
    (send_welcome::new(1, "hello"), take, index::new(Vec::new()), jobs::nested::new(1))
}

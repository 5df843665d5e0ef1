//! The program of the design, exactly as written there.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::Notify;

use crate::world::TestResult;

#[derive(Debug, thiserror::Error)]
#[error("no mail today")]
struct MailError;

#[async_trait::async_trait]
trait Mailer: Send + Sync {
    async fn send(&self, user_id: u64, template: &str) -> Result<(), MailError>;
}

struct SmtpMailer(Arc<Notify>);

impl SmtpMailer {
    fn from_env(sent: &Arc<Notify>) -> Result<Self, MailError> {
        Ok(Self(sent.clone()))
    }
}

#[async_trait::async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, user_id: u64, template: &str) -> Result<(), MailError> {
        assert_eq!((user_id, template), (42, "hello"));
        self.0.notify_one();
        Ok(())
    }
}

struct Pool;
struct Connection;

impl Pool {
    async fn begin(&self) -> Result<Connection, MailError> {
        Ok(Connection)
    }
}

#[background_job(queue = "mail", max_attempts = 5, timeout = "30s")]
async fn send_welcome(
    #[inject] mailer: &dyn Mailer, // from the scope of this attempt
    user_id: u64,                  // payload
    template: &str,                // payload, stored as String
) -> Result<(), MailError> {
    mailer.send(user_id, template).await
}

#[background_job]
async fn build_report(#[inject] connection: &Connection) {
    let Connection = connection;
}

#[tokio::test]
async fn the_program_of_the_design_runs_as_it_is_written() -> TestResult {
    let sent = Arc::new(Notify::new());
    let pool = Pool;

    let services = Services::builder()
        .singleton_as::<dyn Mailer>(Arc::new(SmtpMailer::from_env(&sent)?))
        .singleton(pool)
        .scoped_with(async |pool: Arc<Pool>| pool.begin().await) // async, fallible, one for each attempt
        .build()?; // missing, cyclic, captive: all listed

    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(services)
        .service(QueueService::new(queue.clone(), jobs![send_welcome, build_report]).concurrency(16))
        .build()?;

    queue.enqueue(send_welcome::new(42, "hello")).await?;
    queue.enqueue(send_welcome::new(43, "later")).delay(Duration::from_secs(300)).priority(-1).await?;
    queue.enqueue(build_report {}).await?;

    host.run_until(sent.notified()).await?;
    send_welcome(&SmtpMailer(sent), 42, "hello").await?;
    Ok(())
}

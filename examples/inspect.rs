//! `Admin` is the operator's side of a queue: list discarded jobs, retry one, cancel another, pause a queue.
//!
//! `cargo run --example inspect`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::admin::{Filter, PageRequest, Sort};
use queue_core::{
    Admin as _, AdminExt as _, BoxError, JobContext, JobError, QueueExt as _, QueueName, State,
    background_job, jobs,
};
use queue_tokio::{MemoryQueue, QueueService};

#[background_job(queue = "mail", max_attempts = 1)]
async fn send_mail(#[inject] context: &JobContext, to: &str) -> Result<(), JobError> {
    if context.attempt() == 1 {
        return Err("the mail server is down".into());
    }
    println!("a mail to {to}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    queue.enqueue(send_mail::new("ada@example.com")).await?;
    QueueService::new(queue.clone(), jobs![send_mail]).run_until(queue.idle()).await?;

    // While the queue is paused, jobs can be pushed and none is delivered.
    let mail = QueueName::from("mail");
    queue.pause(&mail).await?;
    let discarded = Filter::all().queue(mail.clone()).state(State::Discarded);
    let newest = PageRequest::first(50).sort(Sort::Finished).newest();
    for job in queue.list(&discarded, &newest).await?.jobs {
        println!("{} was discarded: {:?}", job.name, job.errors.last().map(|error| &error.message));
    }
    println!("{} run again", queue.retry_all(&discarded).await?);
    let later = queue.enqueue(send_mail::new("all@example.com")).delay(Duration::from_secs(3600)).await?;
    println!("the newsletter: {:?}", queue.cancel(later.id(), "it has a mistake").await?);

    for counts in queue.counts().await? {
        let states = State::ALL.map(|state| format!("{} {state}", counts.of(state)));
        println!("{}, paused: {}, {}", counts.queue, counts.paused, states.join(", "));
    }
    queue.resume(&mail).await?;
    QueueService::new(queue.clone(), jobs![send_mail]).run_until(queue.idle()).await?;
    Ok(())
}

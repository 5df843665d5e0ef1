//! effectum as its documentation shows it: one `Queue` on a file, and one `Worker`.
//!
//! It sets `synchronous = normal`, and keeps SQLite's rollback journal: it requests `journal = wal`, which is not a pragma
//! (0.7.0). One thread writes, and commits up to 50 waiting operations together. Finished jobs are kept. A worker requests
//! more jobs when fewer than `min_concurrency` run: here half of the maximum, so that it does not request each job singly.
//!
//! A queue lives in one process, so workers and producers share a process.

use std::sync::Arc;

use effectum::{Job, JobRunner, Queue, RunningJob, Worker};
use harness::{Payload, Producer, Scratch, System, Tally};

fn main() -> anyhow::Result<()> {
    harness::program::run::<Effectum>()
}

struct Effectum {
    queue: Arc<Queue>,
    tally: Tally,
}

impl System for Effectum {
    type Producer = Entrance;
    type Workers = Worker;

    async fn open(scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        let queue = Arc::new(Queue::new(&scratch.file()?).await?);
        // It lives as long as the process: the thread of a dropped queue panics outside of the runtime.
        std::mem::forget(Arc::clone(&queue));
        Ok(Self { queue, tally })
    }

    fn producer(&self) -> Entrance {
        Entrance(Arc::clone(&self.queue))
    }

    async fn start(&mut self, workers: usize) -> anyhow::Result<Worker> {
        let workers = u16::try_from(workers)?;
        let welcome = JobRunner::builder("welcome", welcome).build();
        let worker = Worker::builder(&self.queue, self.tally)
            .jobs([welcome])
            .max_concurrency(workers)
            .min_concurrency((workers / 2).max(1));
        Ok(worker.build().await?)
    }
}

struct Entrance(Arc<Queue>);

impl Producer for Entrance {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        self.0.add_job(job(&payload)?).await?;
        Ok(())
    }

    async fn enqueue_all(&mut self, payloads: Vec<Payload>) -> anyhow::Result<()> {
        let jobs = payloads.iter().map(job).collect::<anyhow::Result<_>>()?;
        self.0.add_jobs(jobs).await?;
        Ok(())
    }
}

fn job(payload: &Payload) -> anyhow::Result<Job> {
    Ok(Job::builder("welcome").json_payload(payload)?.build())
}

async fn welcome(job: RunningJob, tally: Tally) -> Result<(), effectum::Error> {
    let payload: Payload = job.json_payload()?;
    tally.run(payload.user_id, &payload.template);
    Ok(())
}

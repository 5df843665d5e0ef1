//! `tokio::spawn` for each job, counted: the usual way of in-process background work in web frameworks.
//!
//! It has no bound and no limit of concurrent jobs. It has no queue either, so enqueuing without running is meaningless,
//! except for the memory of a job, which is measured before the runtime runs any.

use harness::{Payload, Producer, Scratch, System, Tally};

#[derive(Clone)]
pub(crate) struct Spawn(Tally);

impl System for Spawn {
    type Producer = Self;
    type Workers = ();

    async fn open(_scratch: &Scratch, tally: Tally) -> anyhow::Result<Self> {
        Ok(Self(tally))
    }

    fn producer(&self) -> Self {
        self.clone()
    }

    async fn start(&mut self, _workers: usize) -> anyhow::Result<()> {
        Ok(())
    }
}

impl Producer for Spawn {
    async fn enqueue(&mut self, payload: Payload) -> anyhow::Result<()> {
        let tally = self.0;
        // Dropping the handle leaves the task running; the tally counts it.
        drop(tokio::spawn(async move { tally.run(payload.user_id, &payload.template) }));
        Ok(())
    }
}

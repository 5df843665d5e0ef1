//! `tokio::spawn` for each job, counted: what in-process workers of web frameworks do.
//!
//! It has no bound, and nothing limits how many jobs run at once. It has no queue either, so filling it without running
//! anything means nothing, but for the memory that a job takes: that is measured before the runtime runs any.

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

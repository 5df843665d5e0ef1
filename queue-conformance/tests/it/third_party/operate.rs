//! The operators' calls of the list.

use async_trait::async_trait;
use queue_core::admin::{Cancellation, Cursor, Filter, JobPage, PageRequest, Prune, QueueCounts};
use queue_core::{Admin, JobId, JobRecord, QueueError, QueueName, State};

use super::list::{Kept, List};
use super::queue::ListQueue;

impl List {
    fn known(&mut self, id: JobId) -> Result<&mut Kept, QueueError> {
        self.find(id).ok_or_else(|| QueueError::unknown_job(id))
    }

    fn known_and_idle(&mut self, id: JobId) -> Result<&mut Kept, QueueError> {
        match self.known(id) {
            Ok(kept) if kept.record.state == State::Executing => {
                Err(QueueError::conflict(format!("job {id} is executing")))
            }
            known => known,
        }
    }

    fn cancel(&mut self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        let now = self.now;
        let kept = self.known(id)?;
        if kept.record.state.is_finished() {
            return Ok(Cancellation::Finished);
        }
        kept.record.cancel_reason = Some(queue_core::Limits::cut(reason.to_owned()));
        if kept.record.state == State::Executing {
            return Ok(Cancellation::Requested);
        }
        kept.finish(State::Cancelled, now);
        Ok(Cancellation::Cancelled)
    }

    fn retry(&mut self, id: JobId) -> Result<(), QueueError> {
        let now = self.now;
        if self.known_and_idle(id)?.record.state.is_finished() {
            self.take_key_back(id)?;
        }
        let kept = self.known(id)?;
        kept.record.max_attempts = kept.record.max_attempts.max(kept.record.attempt + 1);
        kept.record.cancel_reason = None;
        kept.wait_until(now, State::Scheduled, now);
        Ok(())
    }

    fn counts(&self) -> Vec<QueueCounts> {
        let mut counts: Vec<QueueCounts> =
            self.paused.iter().map(|queue| QueueCounts::new(queue.clone(), true)).collect();
        for record in self.jobs.iter().map(|kept| &kept.record) {
            let at = counts.iter().position(|of| of.queue == record.queue).unwrap_or_else(|| {
                counts.push(QueueCounts::new(record.queue.clone(), false));
                counts.len() - 1
            });
            let of_state = counts[at].of(record.state);
            counts[at].set(record.state, of_state + 1);
        }
        counts.sort_by(|one, other| one.queue.cmp(&other.queue));
        counts
    }

    fn page(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        let after = page.after.as_ref().map_or(Ok(0), Cursor::position)?;
        let later = self.jobs.iter().filter(|kept| kept.cursor > after && passes(filter, &kept.record));
        let shown: Vec<_> = later.take(page.limit).collect();
        let next = shown.last().map(|kept| Cursor::new(kept.cursor.to_string()));
        Ok(JobPage::new(shown.into_iter().map(|kept| kept.record.clone()).collect(), next))
    }

    fn prune(&mut self, prune: &Prune) -> u64 {
        let now = self.now;
        let mut old: Vec<_> = self
            .jobs
            .iter()
            .filter_map(|kept| {
                let (finished, age) = (kept.record.finished_at?, prune.age(kept.record.state)?);
                (finished.saturating_add(age) <= now).then_some((finished, kept.cursor))
            })
            .collect();
        old.sort_unstable();
        old.truncate(prune.limit);
        self.jobs.retain(|kept| !old.iter().any(|(_, cursor)| *cursor == kept.cursor));
        old.len() as u64
    }
}

fn passes(filter: &Filter, record: &JobRecord) -> bool {
    filter.queue.as_ref().is_none_or(|queue| *queue == record.queue)
        && (filter.states.is_empty() || filter.states.contains(&record.state))
        && filter.name.as_ref().is_none_or(|name| *name == record.name)
        && filter.pushed_before.is_none_or(|instant| record.pushed_at < instant)
}

#[async_trait]
impl Admin for ListQueue {
    async fn get(&self, id: JobId) -> Result<Option<JobRecord>, QueueError> {
        Ok(self.read(|list| list.find(id).map(|kept| kept.record.clone())))
    }

    async fn list(&self, filter: &Filter, page: &PageRequest) -> Result<JobPage, QueueError> {
        self.read(|list| list.page(filter, page))
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>, QueueError> {
        Ok(self.read(|list| list.counts()))
    }

    async fn cancel(&self, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.change(|list| list.cancel(id, reason))
    }

    async fn retry(&self, id: JobId) -> Result<(), QueueError> {
        self.change(|list| list.retry(id))
    }

    async fn delete(&self, id: JobId) -> Result<(), QueueError> {
        self.change(|list| {
            list.known_and_idle(id)?;
            list.jobs.retain(|kept| kept.record.id != id);
            Ok(())
        })
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.resume(queue).await?;
        self.change(|list| list.paused.push(queue.clone()));
        Ok(())
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.change(|list| list.paused.retain(|paused| paused != queue));
        Ok(())
    }

    async fn prune(&self, prune: &Prune) -> Result<u64, QueueError> {
        Ok(self.change(|list| list.prune(prune)))
    }
}

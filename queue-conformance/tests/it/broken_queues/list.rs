//! Bugs in lists.

use async_trait::async_trait;
use queue_core::admin::{Filter, JobPage, Order, PageRequest};
use queue_core::{Admin as _, QueueError, QueueErrorKind};
use queue_testkit::ModelQueue;

use super::broken::Bug;

/// Reads each page with the oldest job first, and then reverses it.
#[derive(Default)]
pub(super) struct NewestWithinThePage;

#[async_trait]
impl Bug for NewestWithinThePage {
    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        let mut listed = queue.list(filter, &page.clone().order(Order::Oldest)).await?;
        if page.order == Order::Newest {
            listed.jobs.reverse();
        }
        Ok(listed)
    }
}

/// Starts with the first page after a cursor of another list.
#[derive(Default)]
pub(super) struct CursorsOfAnyList;

#[async_trait]
impl Bug for CursorsOfAnyList {
    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        let mut first = page.clone();
        first.after = None;
        match queue.list(filter, page).await {
            Err(error) if error.kind() == QueueErrorKind::Invalid => queue.list(filter, &first).await,
            listed => listed,
        }
    }
}

/// Ignores the value of the meta that the filter names.
#[derive(Default)]
pub(super) struct MetaByKey;

#[async_trait]
impl Bug for MetaByKey {
    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        let mut loose = filter.clone();
        let Some((key, _)) = loose.meta.take() else { return queue.list(filter, page).await };
        let mut listed = queue.list(&loose, page).await?;
        listed.jobs.retain(|job| job.meta.get(&key).is_some());
        Ok(listed)
    }
}

/// Returns no cursor behind a search with a limit.
#[derive(Default)]
pub(super) struct EndsWithTheSearch;

#[async_trait]
impl Bug for EndsWithTheSearch {
    async fn list(
        &self,
        queue: &ModelQueue,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        let mut listed = queue.list(filter, page).await?;
        listed.next = listed.next.filter(|_| page.search.is_none());
        Ok(listed)
    }
}

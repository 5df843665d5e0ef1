//! Lists of jobs, for [`Admin`](queue_core::Admin).

use queue_core::QueueError;
use queue_core::admin::{Filter, JobPage, Sort};
use queue_core::backend::{PageQuery, Place, SearchEnd};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::error::is_untranslatable;
use crate::queue::PostgresQueue;
use crate::rows;
use crate::sql::list::{OrderAndLimit, page, search};
use crate::sql::values::Values;

/// Reads a page.
pub(crate) async fn list(
    queue: &PostgresQueue,
    filter: &Filter,
    query: PageQuery,
) -> Result<JobPage, QueueError> {
    let is_empty = filter.states_by(query.sort).is_empty();
    if is_empty || page(filter, OrderAndLimit::of(query)).1.has_nul() {
        return Ok(query.page(Vec::new()));
    }
    let found = async {
        let (list, end) = match query.search() {
            Some(limit) => bounded(queue, filter, query, limit).await?,
            None => (OrderAndLimit::of(query), None),
        };
        let jobs = read(queue, page(filter, list), rows::job_record).await?;
        Ok(query.page_until(jobs, end))
    };
    match found.await {
        // No job has a text with characters that the database lacks.
        Err(error) if is_untranslatable(&error) => Ok(query.page(Vec::new())),
        found => found,
    }
}

/// Returns the scan that reads about `limit` jobs of each source at most, and where it ends. `None` if that is the end of the list.
async fn bounded(
    queue: &PostgresQueue,
    filter: &Filter,
    query: PageQuery,
    limit: u64,
) -> Result<(OrderAndLimit, Option<SearchEnd>), QueueError> {
    let mut list = OrderAndLimit::of(query);
    if let Some(exceeds) = search::exceeds(filter, list, limit) {
        if read(queue, exceeds, |row| row.try_get::<bool, _>(0)).await? != [true] {
            return Ok((list, None));
        }
        list = list.ordered();
    }
    let Some(end) = search::end(filter, list, limit) else { return Ok((list, None)) };
    let is_by_push = query.sort == Sort::Pushed;
    let end = read(queue, end, move |row| {
        let place = Place { at: rows::timestamp(row, 0)?, number: rows::read_u64(row, 1)? };
        let pushed_at = rows::optional_timestamp(row, 2)?.filter(|_| is_by_push);
        Ok(SearchEnd { place, at: pushed_at.unwrap_or(place.at) })
    });
    let end = end.await?.pop();
    Ok((list.until(end.map(|end| end.place)), end))
}

/// Returns the rows of a statement.
async fn read<T: Send + 'static>(
    queue: &PostgresQueue,
    (text, values): (String, Values),
    row: impl Fn(&PgRow) -> sqlx::Result<T> + Copy + Send + Sync + 'static,
) -> Result<Vec<T>, QueueError> {
    let read = queue.run_on_admin_connection(move |connection, sql| {
        let statement = values.bind(sql.writer.statement(&text).query());
        Box::pin(async move { statement.fetch_all(connection).await?.iter().map(row).collect() })
    });
    read.await
}

//! A list of jobs reads its page, however many other jobs there are.

use queue_core::admin::{Filter, IdPrefix, PageRequest, Sort};
use queue_core::{Admin as _, BoxError, JobId, Queue as _, State, Timestamp};
use queue_postgres::sqlx::{Connection as _, PgConnection};

use crate::fixture::{TestResult, number, queue, run, sessions_ended, url, without_pruning, work};

/// The jobs of each queue in each state.
const CROWD: i64 = 20_000;

/// Stores jobs of two queues: `CROWD` jobs in each state but executing, with three priorities. When it returns, its session has
/// ended and has reported the rows that it read, so that they do not count as rows of a page.
async fn store_crowd(connection: &mut PgConnection, schema: &str) -> TestResult {
    let mut filling = PgConnection::connect(&url()).await?;
    let session = number(&mut filling, "select pg_backend_pid()::bigint").await?;
    fill(&mut filling, schema).await?;
    filling.close().await?;
    let alive = format!("select count(*) from pg_stat_activity where pid = {session}");
    while number(connection, &alive).await? > 0 {}
    Ok(())
}

async fn fill(connection: &mut PgConnection, schema: &str) -> TestResult {
    let crowd = format!(
        "set search_path = {schema};
        insert into queues (name) values ('mail'), ('reports');
        create temp table crowd as select n, q.id as queue_id, s as state, ('0' || lpad((100 * n + 10 * q.id + s)::text, 31, '0'))::uuid as id
            from generate_series(1, {CROWD}) n, queues q, unnest(array[0, 1, 3, 4, 5, 6]) s where q.name <> 'default';
        insert into jobs (id, queue_id, name, priority, max_attempts, pushed_at, run_at, payload)
            select id, queue_id, 'work', n % 3, 5, n, case when state in (0, 3) then 8e15 + n else n end, '{{}}' from crowd order by crowd.n;
        analyze crowd;
        analyze jobs"
    );
    run(connection, crowd).await?;
    let states = format!(
        "set search_path = {schema};
        insert into ready select j.queue_id, j.priority, j.run_at, j.seq from jobs j join crowd c using (id) where state = 1;
        insert into waiting select j.run_at, j.seq, state, j.queue_id from jobs j join crowd c using (id) where state in (0, 3);
        insert into finished select j.seq, n, 1, 1, 1, j.queue_id, state, null from jobs j join crowd c using (id) where state >= 4;
        drop table crowd;
        analyze jobs, ready, waiting, finished, queues"
    );
    run(connection, states).await
}

/// Returns the number of rows of the tables of jobs that were read by scans or by indexes.
async fn read_rows(connection: &mut PgConnection, schema: &str) -> Result<i64, BoxError> {
    run(connection, "select pg_stat_clear_snapshot()").await?;
    let sum = format!(
        "select (select coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables where schemaname = '{schema}')::bigint
            + (select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes where schemaname = '{schema}')::bigint"
    );
    number(connection, sum).await
}

/// With 120,000 jobs in each of two queues, a page of 50 jobs costs its own rows.
#[tokio::test]
async fn a_page_of_a_common_question_reads_no_rows_of_other_jobs() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.push(vec![work::new(0).into()]).await?;
    store_crowd(&mut connection, &schema).await?;
    let newest = PageRequest::first(50).newest();
    let mail = || Filter::all().queue("mail");
    let questions = [
        (Filter::all(), newest.clone()),
        (mail().state(State::Discarded), newest.clone().sort(Sort::Finished)),
        (Filter::all().state(State::Completed).state(State::Cancelled), newest.clone().sort(Sort::Finished)),
        (Filter::all().queue("reports"), PageRequest::first(50).sort(Sort::Finished)),
        (mail().finished_before(Timestamp::from_micros(100)), newest.clone().sort(Sort::Finished)),
        (mail().state(State::Scheduled), PageRequest::first(50).sort(Sort::RunAt)),
        (mail().state(State::Scheduled), newest.clone().sort(Sort::RunAt)),
        (mail().state(State::Available), PageRequest::first(50).sort(Sort::RunAt)),
        (mail().state(State::Discarded).name("work"), newest.clone().sort(Sort::Finished)),
        (Filter::all().unfinished(), PageRequest::first(1).sort(Sort::RunAt)),
        (Filter::all().id(JobId::from_u128(0x0000_0725)), PageRequest::first(50)),
    ];
    drop(queue);
    sessions_ended(&mut connection, &schema).await?;

    for (filter, request) in questions {
        let (read, listed) = cost_of_two_pages(&mut connection, &schema, &filter, &request).await?;
        assert!(listed > 0, "{filter:?}");
        assert!(read < 5_000, "{read} rows were read for two pages of {filter:?}, {request:?}");
    }
    Ok(())
}

/// Reads a page and the one behind it. Returns the number of rows that were read for both, and the number of jobs of the first one.
async fn cost_of_two_pages(
    connection: &mut PgConnection,
    schema: &str,
    filter: &Filter,
    request: &PageRequest,
) -> Result<(i64, usize), BoxError> {
    let before = read_rows(connection, schema).await?;
    let queue = without_pruning(schema).connect().await?;
    let page = queue.list(filter, request).await?;
    // The next page begins where this one ended.
    let mut next = request.clone();
    next.after = page.next;
    queue.list(filter, &next).await?;
    drop(queue);
    sessions_ended(connection, schema).await?;
    Ok((read_rows(connection, schema).await? - before, page.jobs.len()))
}

/// Q114: A search with a limit reads about as many jobs as the limit, although no job matches.
#[tokio::test]
async fn a_search_for_a_rare_job_ends_at_its_limit() -> TestResult {
    let (queue, mut connection, schema) = queue().await?;
    queue.push(vec![work::new(0).into()]).await?;
    store_crowd(&mut connection, &schema).await?;
    let newest = PageRequest::first(50).newest();
    let rare = || Filter::all().name("rare");
    let by_id = Filter::all().id("000000".parse::<IdPrefix>()?).name("rare");
    let questions = [
        (rare(), newest.clone()),
        (rare().queue("mail").state(State::Completed), newest.clone().sort(Sort::Finished)),
        (rare().finished_since(Timestamp::EPOCH), newest.clone().sort(Sort::Finished)),
        (rare().unfinished(), PageRequest::first(50).sort(Sort::RunAt)),
        (rare().state(State::Available), PageRequest::first(50).sort(Sort::RunAt)),
        (Filter::all().state(State::Available).state(State::Discarded), newest.clone()),
        (Filter::all().unique("none").state(State::Discarded), newest.clone()),
        (Filter::all().meta("tenant", "none"), newest.clone()),
        (by_id.clone(), newest.clone().sort(Sort::Finished)),
        (by_id, newest),
    ];
    drop(queue);
    sessions_ended(&mut connection, &schema).await?;

    for (filter, request) in questions {
        let (read, listed) =
            cost_of_two_pages(&mut connection, &schema, &filter, &request.clone().search(200)).await?;

        assert!(listed == 0 || *filter.states == [State::Available, State::Discarded], "{filter:?}");
        assert!(read < 15_000, "{read} rows were read for two pages of {filter:?}, {request:?}");
    }
    Ok(())
}

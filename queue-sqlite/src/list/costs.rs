//! Tests that the cost of common lists does not grow with the number of jobs.
//!
//! The cost is counted in steps of SQLite's virtual machine, which do not depend on the load of the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use queue_core::JobId;
use queue_core::admin::{IdPrefix, PageRequest};

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1 << 40);

/// Creates a store with this number of jobs of each queue in each state but executing, of which there are ten.
fn store(count: u64) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("../../migrations/0001_jobs.sql")).unwrap();
    let (jobs, now) = (to_i64(count), NOW.as_micros());
    let crowd = format!(
        "insert into queue_names (queue_id, name) values (1, 'mail'), (2, 'reports');
        insert into queue_jobs (id, queue_id, partition_id, name, state, priority, max_attempts, pushed_at, run_at, state_time, payload)
        with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {jobs})
        select cast(printf('%016d', 100 * n + 10 * q.queue_id + s.state) as blob), q.queue_id, q.queue_id, 'work', s.state, n % 3, 5, n,
            case when s.state in (0, 3) then {now} + n else n end,
            case s.state when 1 then null when 2 then {now} + n when 0 then {now} + n when 3 then {now} + n else n end, '{{}}'
        from numbers, queue_names q, queue_states s where s.state <> 2 or n <= 5;"
    );
    connection.execute_batch(&crowd).unwrap();
    connection
}

/// Returns the number of steps in which the page is read, and the number of its jobs.
fn cost(connection: &Connection, filter: &Filter, request: &PageRequest) -> (u64, usize) {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = steps.clone();
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    connection.progress_handler(1, Some(count)).unwrap();
    let query = PageQuery::of("sqlite", filter, request).unwrap();
    let page = page(connection, filter, query, NOW).unwrap();
    (steps.load(Ordering::Relaxed), page.jobs.len())
}

#[test]
fn a_common_question_costs_the_same_beside_many_jobs() {
    let id = JobId::from_u128(u128::from_be_bytes(*b"0000000000000725"));
    let newest = PageRequest::first(50).newest();
    let questions = [
        (Filter::all(), newest.clone()),
        (Filter::all().queue("mail").state(State::Discarded), newest.clone().sort(Sort::Finished)),
        (Filter::all().state(State::Completed).state(State::Cancelled), newest.clone().sort(Sort::Finished)),
        (Filter::all().queue("reports"), PageRequest::first(50).sort(Sort::Finished)),
        (Filter::all().finished_before(Timestamp::from_micros(150)), newest.clone().sort(Sort::Finished)),
        (Filter::all().queue("mail").state(State::Scheduled), PageRequest::first(50).sort(Sort::RunAt)),
        (Filter::all().queue("mail").state(State::Available), PageRequest::first(50).sort(Sort::RunAt)),
        (Filter::all().state(State::Executing), newest.clone()),
        (Filter::all().unfinished(), PageRequest::first(1).sort(Sort::RunAt)),
        (Filter::all().id(id), newest),
    ];
    let (few, many) = (store(200), store(20_000));

    for (filter, request) in questions {
        let ((of_few, listed), (of_many, listed_of_many)) =
            (cost(&few, &filter, &request), cost(&many, &filter, &request));
        assert_eq!(listed, listed_of_many, "{filter:?}, {request:?}");
        assert!(listed > 0, "{filter:?}, {request:?}");
        assert!(
            of_many < 2 * of_few && of_many < 30_000,
            "{of_few} steps became {of_many}: {filter:?}, {request:?}"
        );
    }
}

#[test]
fn a_late_page_costs_as_much_as_the_first() {
    let connection = store(20_000);
    let filter = Filter::all().queue("mail").state(State::Discarded);
    let mut request = PageRequest::first(50).newest().sort(Sort::Finished);
    let (first, _) = cost(&connection, &filter, &request);

    for _ in 0..20 {
        let query = PageQuery::of("sqlite", &filter, &request).unwrap();
        request.after = page(&connection, &filter, query, NOW).unwrap().next;
    }

    let (late, listed) = cost(&connection, &filter, &request);
    assert_eq!(listed, 50);
    assert!(late < 2 * first, "{first} steps became {late}");
}

/// Q114: A search with a limit reads about as many jobs as the limit, and one without a limit reads all of them.
#[test]
fn a_search_for_a_rare_job_ends_at_its_limit() {
    let connection = store(20_000);
    let rare = || Filter::all().name("rare");
    let newest = PageRequest::first(50).newest();
    let questions = [
        (rare(), newest.clone()),
        (rare().queue("mail").state(State::Completed), newest.clone().sort(Sort::Finished)),
        (rare().finished_since(Timestamp::EPOCH), newest.clone().sort(Sort::Finished)),
        (rare().finished_before(NOW), PageRequest::first(50).sort(Sort::Finished)),
        (rare().unfinished(), PageRequest::first(50).sort(Sort::RunAt)),
        (Filter::all().unique("none").state(State::Discarded), newest.clone()),
        (Filter::all().meta("tenant", "none"), newest.clone()),
        (Filter::all().id("30303030".parse::<IdPrefix>().unwrap()).name("rare"), newest),
    ];

    for (filter, request) in questions {
        let (unlimited, _) = cost(&connection, &filter, &request);
        let (limited, listed) = cost(&connection, &filter, &request.clone().search(200));

        assert_eq!(listed, 0, "{filter:?}");
        assert!(
            limited < 40_000 && unlimited > 5 * limited,
            "{unlimited} steps became {limited}: {filter:?}, {request:?}"
        );
    }
}

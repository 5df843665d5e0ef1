//! Laws about lists: their order, their cursors and their filters.

use queue_core::admin::{Filter, IdPrefix, Order, PageRequest, Sort};
use queue_core::{Delivery, JobId, QueueErrorKind, State, Transition};

use super::harness::QueueHarness;
use super::jobs::{SECOND, id, job, json};
use crate::law::expect_eq;

/// Q95: `list` is sorted by push order, finish or `run_at`, with the oldest or the newest job first; a cursor of another filter, sort or order is `Invalid`.
pub(super) async fn q95_a_list_has_its_order_and_a_cursor_continues_only_its_own_list(
    harness: &QueueHarness,
) {
    store_jobs_out_of_order(harness).await;
    let (pushed, finished, due) = ((0..11).collect::<Vec<_>>(), [3, 1, 5, 2], [7, 8, 9, 10, 4, 6, 0]);
    let lists: [(Filter, Sort, &[u32]); 8] = [
        (Filter::all(), Sort::Pushed, &pushed),
        (Filter::all(), Sort::Finished, &finished),
        (Filter::all(), Sort::RunAt, &due),
        (Filter::all().queue("other"), Sort::RunAt, &[10]),
        (Filter::all().queue("default").state(State::Discarded), Sort::Finished, &[1, 2]),
        (Filter::all().state(State::Discarded).state(State::Cancelled), Sort::Pushed, &[1, 2, 5]),
        (Filter::all().unfinished(), Sort::Pushed, &[0, 4, 6, 7, 8, 9, 10]),
        (Filter::all().queue("unknown").unfinished(), Sort::RunAt, &[]),
    ];

    for (filter, sort, oldest) in lists {
        let newest: Vec<_> = oldest.iter().rev().copied().collect();
        for (order, expected) in [(Order::Oldest, oldest), (Order::Newest, newest.as_slice())] {
            for size in [1, 2, 100] {
                let found = numbers(harness, &filter, PageRequest::first(size).sort(sort).order(order)).await;
                expect_eq!(
                    found,
                    expected,
                    "the jobs of {filter:?} by {sort}, {order} first, in pages of {size}"
                );
            }
        }
    }
    // Job 4 becomes due, and keeps its place.
    harness.advance(SECOND * 14).await;
    let available = Filter::all().state(State::Available);
    let found = numbers(harness, &available, PageRequest::first(2).sort(Sort::RunAt)).await;
    expect_eq!(found, [7, 9, 10, 4], "the available jobs by run_at, after another one became due");

    let request = PageRequest::first(1).sort(Sort::RunAt).newest();
    let page = harness.ok("`list` of one job", harness.queue().list(&available, &request)).await;
    let Some(cursor) = page.next else {
        panic!("there are more available jobs than one, and `next` is `None`")
    };
    let after = || PageRequest::after(cursor.clone(), 1);
    let foreign = [
        ("another filter", Filter::all().unfinished(), after().sort(Sort::RunAt).newest()),
        ("another sort", available.clone(), after().sort(Sort::Pushed).newest()),
        ("the other order", available, after().sort(Sort::RunAt)),
    ];
    for (what, filter, request) in foreign {
        let listing = async { harness.queue().list(&filter, &request).await };
        let step = format!("`list` after the cursor of a list with {what}");
        harness.fails_with(QueueErrorKind::Invalid, step, listing).await;
    }
}

/// Stores eleven jobs whose order of finishing and whose `run_at` differ from their push order. Those of job 2 and 8 depend on
/// the time: the last lease of job 2 expires, and job 8 executes.
async fn store_jobs_out_of_order(harness: &QueueHarness) {
    let numbered = |number: u32| job(number).id(id(number));
    let first = (0..6).map(|number| numbered(number).max_attempts(if number == 2 { 1 } else { 5 }));
    harness.push(first.collect()).await;
    let claimed = harness.claim_up_to(6).await;
    let of = |number: u32| -> &Delivery {
        let found = claimed.iter().find(|delivery| delivery.id() == id(number));
        found.unwrap_or_else(|| panic!("job {number} must be claimed with the other five"))
    };
    harness.advance(SECOND).await;
    harness.settle(of(3), Transition::complete()).await;
    harness.advance(SECOND).await;
    harness.settle(of(5), Transition::Cancel { reason: "why".into() }).await;
    harness.settle(of(1), Transition::Discard { error: "never".into() }).await;
    for (number, seconds) in [(0, 100), (4, 50)] {
        let at = harness.now().saturating_add(SECOND * seconds);
        harness.settle(of(number), Transition::Retry { at, error: "no".into() }).await;
    }
    harness.push(vec![numbered(6).delay(SECOND * 75), numbered(7).priority(5)]).await;
    harness.advance(SECOND).await;
    harness.push(vec![numbered(8).priority(-5)]).await;
    harness.advance(SECOND * 36).await;
    harness.push(vec![numbered(9), numbered(10).queue("other")]).await;
    expect_eq!(
        harness.claim_one().await.id(),
        id(8),
        "the job with the lowest priority number is claimed first"
    );
}

/// Q96: `list` filters by id, unique key, a key and value of the meta, and the times of the push and of the finish, alone and together with others.
pub(super) async fn q96_each_filter_selects_exactly_the_jobs_that_match(harness: &QueueHarness) {
    let start = harness.now();
    let second = |number| start.saturating_add(SECOND * number);
    store_jobs_to_filter(harness).await;
    let prefix = |text: &str| match text.parse::<IdPrefix>() {
        Ok(prefix) => Filter::all().id(prefix),
        Err(error) => panic!("`{text}` is a prefix of an id: {error}"),
    };
    let acme = || Filter::all().meta("tenant", "acme");
    let lists: [(Filter, &[u32]); 22] = [
        (Filter::all().id(id(2)), &[2]),
        (prefix(&id(3).to_string()[..8]), &[3]),
        (prefix("ffff"), &[0, 1, 2, 3, 4, 5]),
        (prefix("0"), &[]),
        (prefix("ffff").queue("b").state(State::Available), &[2, 5]),
        (Filter::all().unique("k1"), &[0, 1]),
        (Filter::all().unique("k1").state(State::Discarded), &[1]),
        (Filter::all().unique("k"), &[]),
        (acme(), &[1, 2, 5]),
        (acme().queue("b"), &[2, 5]),
        (acme().state(State::Available).name("work"), &[2, 5]),
        (Filter::all().meta("zone \"1\"", "ß\\\n"), &[2]),
        (Filter::all().meta("tenant", "acm"), &[]),
        (Filter::all().meta("tenan", "acme"), &[]),
        (Filter::all().meta("note", "{\"tenant\":\"acme\"}"), &[4]),
        (Filter::all().pushed_since(second(10)), &[4, 5]),
        (Filter::all().pushed_before(second(10)), &[0, 1, 2, 3]),
        (acme().pushed_since(second(10)).pushed_before(second(11)), &[5]),
        (Filter::all().finished_since(second(2)), &[1]),
        (Filter::all().finished_before(second(2)), &[0]),
        (Filter::all().finished_since(second(1)).finished_before(second(3)).queue("a"), &[0, 1]),
        (Filter::all().finished_since(second(1)).state(State::Available), &[]),
    ];

    for (filter, expected) in lists {
        let found = numbers(harness, &filter, PageRequest::first(2)).await;
        expect_eq!(found, expected, "the jobs that match {filter:?}");
        let mut found = numbers(harness, &filter, PageRequest::first(1).sort(Sort::Finished).newest()).await;
        found.extend(numbers(harness, &filter, PageRequest::first(1).sort(Sort::RunAt)).await);
        found.sort_unstable();
        expect_eq!(found, expected, "the finished and unfinished jobs that match {filter:?}");
    }
}

/// Q114: A list with a limit of search ends each page early, and its pages together have the same jobs in the same order as without it.
pub(super) async fn q114_a_search_with_a_limit_misses_and_repeats_no_job(harness: &QueueHarness) {
    store_jobs_to_filter(harness).await;
    let prefix = |text: &str| text.parse::<IdPrefix>().map(|prefix| Filter::all().id(prefix));
    let by_id = prefix("ffff").unwrap_or_else(|error| panic!("`ffff` is a prefix of an id: {error}"));
    let filters = [
        Filter::all(),
        Filter::all().queue("b"),
        Filter::all().name("play"),
        Filter::all().unique("k1"),
        Filter::all().meta("tenant", "acme"),
        Filter::all().state(State::Available).state(State::Discarded).name("work"),
        Filter::all().pushed_before(harness.now()).name("work"),
        by_id,
    ];
    for filter in filters {
        for sort in [Sort::Pushed, Sort::Finished, Sort::RunAt] {
            for order in [Order::Oldest, Order::Newest] {
                let request = PageRequest::first(2).sort(sort).order(order);
                let expected = numbers(harness, &filter, request.clone()).await;
                for limit in [0, 1, 2, 100] {
                    let found = numbers(harness, &filter, request.clone().search(limit)).await;
                    expect_eq!(
                        found,
                        expected,
                        "the jobs of {filter:?} by {sort}, {order} first, in searches of {limit} jobs"
                    );
                }
            }
        }
    }
}

/// Stores six jobs at 0 s and 10 s. Job 0 completes after 1 s, and job 1 is discarded after 2 s.
async fn store_jobs_to_filter(harness: &QueueHarness) {
    let numbered = |number: u32| job(number).id(id(number));
    harness.push(vec![numbered(0).queue("a").unique("k1")]).await;
    let claim = || harness.claim(queue_core::Demand::new("a", 1));
    let completed = claim().await;
    harness.advance(SECOND).await;
    harness.settle(&completed[0], Transition::complete()).await;
    harness.push(vec![numbered(1).queue("a").unique("k1").meta("tenant", "acme")]).await;
    let discarded = claim().await;
    harness.advance(SECOND).await;
    harness.settle(&discarded[0], Transition::Discard { error: "never".into() }).await;
    let mut play = numbered(3).queue("b").meta("tenant", "acme2").delay(SECOND * 60);
    play.name = "play".into();
    harness.push(vec![numbered(2).queue("b").meta("tenant", "acme").meta("zone \"1\"", "ß\\\n"), play]).await;
    harness.advance(SECOND * 8).await;
    harness.push(vec![numbered(4).queue("a").meta("note", "{\"tenant\":\"acme\"}")]).await;
    expect_eq!(claim().await.len(), 1, "job 4 is claimed");
    // A backend may store a large payload, and the meta with it, elsewhere.
    let mut large = numbered(5).queue("b").meta("tenant", "acme");
    large.body = json(&format!("\"{}\"", "x".repeat(5_000)));
    harness.push(vec![large]).await;
}

/// Lists all jobs that match, page by page, and returns their numbers.
async fn numbers(harness: &QueueHarness, filter: &Filter, mut request: PageRequest) -> Vec<u32> {
    let (mut numbers, mut pages) = (Vec::new(), 0);
    loop {
        let step = format!("`list` of {filter:?}, {request:?}");
        let page = harness.ok(step, harness.queue().list(filter, &request)).await;
        assert!(page.jobs.len() <= request.limit, "a page of {} had {} jobs", request.limit, page.jobs.len());
        let (is_full, is_cut) = (page.jobs.len() == request.limit, page.searched_until.is_some());
        assert!(
            is_full || is_cut || page.next.is_none(),
            "a page that is not full has a `next`: {request:?}"
        );
        assert!(
            !is_cut || page.next.is_some() && request.search.is_some(),
            "only a search that its limit has ended says how far it came: {request:?}"
        );
        numbers.extend(page.jobs.iter().map(|record| number(record.id)));
        pages += 1;
        match page.next {
            Some(next) if pages < 100 => request.after = Some(next),
            Some(_) | None => return numbers,
        }
    }
}

/// Returns the number with which an id of the law ends.
fn number(id: JobId) -> u32 {
    id.as_u128() as u32
}

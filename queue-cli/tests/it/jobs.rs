//! The verbs that show jobs: `status`, `list`, `show`, `why`, `export`.

use std::time::Duration;

use queue_core::{Body, JobRecord, NewJob};

use crate::fixture::{DISCARDED, id};
use crate::store::{Store, TestResult, assert_golden, on_each_store};

on_each_store!(
    status_has_a_line_for_each_queue,
    status_of_an_empty_store_says_what_to_do,
    list_filters_sorts_and_pages,
    an_unknown_name_is_answered_with_the_nearest,
    show_hides_the_payload_unless_it_is_asked_for,
    why_names_every_reason_and_the_command_that_cures_it,
    an_exported_job_can_be_read_again,
    a_long_list_is_read_page_by_page,
);

async fn status_has_a_line_for_each_queue(store: &Store) -> TestResult {
    assert_golden(
        "status",
        &store.transcript(&["status", "status mail --json", "status mial", "status --json"]),
    );
    Ok(())
}

async fn status_of_an_empty_store_says_what_to_do(store: &Store) -> TestResult {
    let empty = store.other_kind().await?;

    let status = empty.run("status");
    let json = empty.run("status --json");

    assert_eq!((status.code, status.out.as_str()), (0, ""));
    assert!(
        status.error.contains("has no queue yet") && status.error.contains("`queue push NAME`"),
        "{}",
        status.error
    );
    assert_eq!((json.code, json.out.as_str(), json.error.as_str()), (0, "", ""));
    Ok(())
}

async fn list_filters_sorts_and_pages(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "list",
        "list --oldest --limit 2 --ids",
        "list --queue reports --state available,completed",
        "list --state unfinished --sort run-at --ids",
        "list --name charge --state finished",
        "list --meta tenant=acme --ids",
        "list --unique report:2027 --ids",
        "list --id 00000003 --ids",
        "list --finished-since 1h --sort finished --ids",
        "list --pushed-before 2020-01-01T00:00:00Z",
        "list --state discarded --json",
        "list --state discarded --json --payload",
        "list --meta tenant --ids",
        "list --state done",
    ]);
    assert_golden("list", &transcript);

    let first = store.run("list --limit 5 --ids --json");
    let (ids, next) = first.out.trim_end().rsplit_once('\n').expect("a line with the next page");
    let next: serde_json::Value = serde_json::from_str(next)?;
    let second = store
        .run(&format!("list --limit 5 --ids --json --after {}", next["next"].as_str().expect("a cursor")));
    assert_eq!((ids.lines().count(), second.out.lines().count()), (5, 2));
    let other = store.run(&format!("list --oldest --after {}", next["next"].as_str().expect("a cursor")));
    assert_eq!(other.code, 2, "{}", other.error);
    Ok(())
}

async fn an_unknown_name_is_answered_with_the_nearest(store: &Store) -> TestResult {
    let wrong_digit = "00000005-0000-0000-0000-000000000055";
    let transcript = store.transcript(&[
        "list --queue mial",
        "list --name chrage",
        "list --name unlike_any",
        "show 00000009",
        &format!("show {wrong_digit}"),
        "show mail",
        "show 0",
        "pause report",
        "resume raports",
    ]);

    assert_golden("nearest", &transcript);
    Ok(())
}

async fn show_hides_the_payload_unless_it_is_asked_for(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "show 00000001",
        "show 00000001 --payload",
        "show 00000002",
        "show 00000004 --json",
        "show 00000005-0000-0000-0000-000000000005",
        "show 00000007 --json --payload",
    ]);

    assert!(!store.run("show 00000001").out.contains("2026}"));
    assert_golden("show", &transcript);
    Ok(())
}

async fn why_names_every_reason_and_the_command_that_cures_it(store: &Store) -> TestResult {
    let transcript = store.transcript(&[
        "why 00000001",
        "why 00000002",
        "why 00000003",
        "why 00000004",
        "why 00000005",
        "why 00000006",
        "why 00000007",
        "why 00000007 --json",
    ]);

    assert_golden("why", &transcript);
    Ok(())
}

async fn an_exported_job_can_be_read_again(store: &Store) -> TestResult {
    let text = store.run("export 00000002");
    let line = store.run("export 00000002 --json");

    assert_eq!((text.code, line.code), (0, 0), "{}{}", text.error, line.error);
    for exported in [&text.out, &line.out] {
        let job = JobRecord::import(exported)?;
        assert_eq!((job.id, &*job.body.encode()?), (id(DISCARDED), r#"{"order":7}"#));
        assert_eq!(job.errors[0].message, "the card was declined");
    }
    assert_eq!(line.out.lines().count(), 1);
    Ok(())
}

async fn a_long_list_is_read_page_by_page(store: &Store) -> TestResult {
    let job = |_| NewJob::new("many", Body::stored("{}")).queue("many").delay(Duration::from_secs(3_600));
    for _ in 0..3 {
        store.queue.push((0..400).map(job).collect()).await?;
    }

    let listed = store.run("list --queue many --limit 1100 --ids");

    let mut ids: Vec<_> = listed.out.lines().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1_100);
    Ok(())
}

//! The charts: what ended in the last hour and day.

use crate::fixture::{TestResult, completed, discarded, get, get_json, job, open_board, queue};

#[tokio::test]
async fn a_queue_shows_what_ended_in_each_minute_of_the_last_hour() -> TestResult {
    let queue = queue();
    completed(&queue, job("send", "1").queue("mail"), "1").await?;
    completed(&queue, job("send", "2").queue("mail"), "1").await?;
    discarded(&queue, job("send", "3").queue("mail"), "refused").await?;
    completed(&queue, job("bill", "4").queue("bills"), "1").await?;
    let router = open_board(&queue).router();

    let page = get_json(&router, "/").await?;
    let text = get(&router, "/").await?.text;

    let mail = &page["queues"][1]["hour"]["steps"];
    // The jobs may have ended in two minutes.
    let sum = |field: &str| {
        mail.as_array().into_iter().flatten().filter_map(|step| step[field].as_u64()).sum::<u64>()
    };
    assert_eq!(
        (mail.as_array().map(Vec::len), sum("completed"), sum("failed"), sum("discarded")),
        (Some(60), 2, 1, 1)
    );
    assert!(text.contains("Last hour: 2 jobs completed, 1 attempt failed, 1 job discarded"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_step_of_the_last_day_is_a_link_to_its_jobs() -> TestResult {
    let queue = queue();
    completed(&queue, job("send", "1").queue("mail"), "1").await?;
    discarded(&queue, job("bill", "2").queue("bills"), "refused").await?;
    let router = open_board(&queue).router();

    let page = get(&router, "/jobs?queue=mail&state=available&state=completed").await?.text;

    // The last step that has a bar. Its link is before it.
    let before = page.split("<rect class=\"completed\"").next().unwrap_or_default();
    let link = before.rsplit("<a href=\"").next().and_then(|link| link.split('"').next()).unwrap_or_default();
    let jobs = get_json(&router, &link.replace("&amp;", "&")).await?;
    assert!(link.starts_with("/jobs?state=completed&amp;queue=mail&amp;finished_since="), "{link}");
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
    assert!(!page.contains("1 job discarded"), "only the queue of the filter is counted");
    Ok(())
}

//! Lists in the browser: filters, sorts, pages, without scripts, and with hostile texts.

use fantoccini::Locator;
use queue_core::{Admin as _, Queue as _, QueueExt as _, Transition};

use super::session::{Scripts, Session};
use crate::fixture::{TestResult, completed, discarded, ended, job, open_board, queue};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_filtered_by_state_name_queue_and_meta() -> TestResult {
    let queue = queue();
    queue.push((0..60).map(|number| job("send", &number.to_string()).queue("mail")).collect()).await?;
    completed(&queue, job("bill", "1").queue("bills").meta("tenant", "acme"), "1").await?;
    completed(&queue, job("bill", "2").queue("bills").meta("tenant", "other"), "1").await?;
    discarded(&queue, job("scale", "3").queue("photos"), "no such photo").await?;
    let session = Session::open(open_board(&queue), Scripts::Allowed).await?;

    session.visit("").await?;
    session.find_text("tr", "photos").await?;
    session.visit("/jobs").await?;
    session.click("nav[@id='states']/a", "Discarded").await?;
    session.arrive("/jobs?state=discarded").await?;
    session.find_text("tr", "no such photo").await?;
    assert_eq!(session.texts("#jobs .name").await?, ["scale"]);

    session.click("nav[@id='states']/a", "All").await?;
    session.arrive("/jobs").await?;
    session.find("input[name=name]").await?.send_keys("bill").await?;
    session.find("input[name=meta]").await?.send_keys("tenant=acme").await?;
    session.find("select[name=queue]").await?.select_by_value("bills").await?;
    session.click("button", "Filter").await?;
    session.arrive("/jobs?queue=bills&name=bill&meta=tenant%3Dacme").await?;
    assert_eq!(session.texts("#jobs .name").await?, ["bill"]);

    session.visit("/jobs?state=available&order=newest").await?;
    let first = session.texts("#jobs .excerpt").await?;
    assert_eq!((first.len(), first[0].as_str()), (50, "59"));
    session.click("a", "Next page").await?;
    session.find_text("a", "First page").await?;
    assert_eq!(session.texts("#jobs .excerpt").await?.last().map(String::as_str), Some("0"));
    session.find("select[name=order]").await?.select_by_value("oldest").await?;
    session.click("button", "Filter").await?;
    session.arrive("/jobs?state=available&order=oldest").await?;
    session.find("a#next").await?;
    assert_eq!(session.texts("#jobs .excerpt").await?[0], "0");
    session.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_works_without_scripts() -> TestResult {
    let queue = queue();
    let id = discarded(&queue, job("scale", "3").queue("photos"), "no such photo").await?;
    let session = Session::open(open_board(&queue), Scripts::Blocked).await?;

    session.visit("").await?;
    session.find_text("noscript", "reload the page").await?;
    session.click("a", "Discarded").await?;
    session.click("a[@class='name']", "scale").await?;
    session.find_text("pre", "no such photo").await?;
    session.click("button", "Retry").await?;
    session.find_text("h1", "available").await?;
    session.click("summary", "Delete").await?;
    session.click("button", "Delete this job for good").await?;
    session.find_text("p", "There is no job").await?;

    assert!(queue.get(id).await?.is_none());
    session.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_any_field_is_text() -> TestResult {
    const EVIL: &str = "</pre></textarea></title><script>window.hacked = 1</script><img src=x onerror=\"window.hacked=1\">'\"";
    let queue = queue();
    let text = serde_json::to_string(EVIL)?;
    let evil = || job("send", &text).meta(EVIL, EVIL);
    let failed = discarded(&queue, evil().unique(EVIL), EVIL).await?;
    let done = completed(&queue, evil(), &text).await?;
    let cancelled = ended(&queue, evil(), Transition::Cancel { reason: EVIL.to_owned() }).await?;
    let waiting = queue.enqueue(evil()).await?.id();
    let session = Session::open(open_board(&queue), Scripts::Allowed).await?;

    let jobs = [failed, done, cancelled, waiting].map(|id| format!("/jobs/{id}"));
    let query = serde_urlencoded::to_string([
        ("meta", format!("k={EVIL}")),
        ("unique", EVIL.to_owned()),
        ("name", EVIL.to_owned()),
        ("queue", EVIL.to_owned()),
    ])?;
    let lists = ["/", "/jobs", "/names", "/workers", "/enqueue"].map(str::to_owned);
    for path in lists.into_iter().chain(jobs).chain([format!("/jobs?{query}")]) {
        session.visit(path.trim_end_matches('/')).await?;
        session.find("main").await?;
        if session.client.find(Locator::Css("#live")).await.is_ok() {
            session.find_text("#live", "live").await?;
        }
        assert_eq!(
            session
                .evaluate("[typeof window.hacked, document.scripts.length, document.images.length]")
                .await?
                .to_string(),
            r#"["undefined",1,0]"#,
            "{path}"
        );
    }
    session.close().await
}

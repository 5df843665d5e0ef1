//! The pages as HTML: their content, their links and their forms.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use queue_core::{
    Admin as _, Demand, Heartbeat, JobProgress, Queue as _, QueueExt as _, State, background_job, jobs,
};

use crate::fixture::{TestResult, completed, discarded, get, job, open_board, post, queue};

#[background_job(queue = "mail", max_attempts = 3)]
async fn send_welcome(user_id: u64) {
    let _ = user_id;
}

#[tokio::test]
async fn the_links_of_a_nested_board_begin_with_its_path() -> TestResult {
    let queue = queue();
    let id = discarded(&queue, job("send", "1"), "refused").await?;
    let router = Router::new().nest_service("/admin/queue", open_board(&queue).router());

    for path in
        ["", "/", "/jobs", "/workers", "/names", "/limits", "/schedules", "/enqueue", &format!("/jobs/{id}")]
    {
        let answer = get(&router, &format!("/admin/queue{path}")).await?;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        for attribute in ["href=\"", "src=\"", "action=\""] {
            for target in answer.text.split(attribute).skip(1) {
                assert!(
                    target.starts_with("/admin/queue"),
                    "{path}: {attribute}{}",
                    target.get(..40).unwrap_or(target)
                );
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_address_of_a_submitted_filter_has_no_empty_fields() -> TestResult {
    let router = open_board(&queue()).router();

    let answer = get(&router, "/jobs?name=send&queue=&meta=&sort=").await?;

    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/jobs?name=send"));
    Ok(())
}

#[tokio::test]
async fn a_job_page_says_why_it_does_not_run() -> TestResult {
    let queue = queue();
    let id = queue.enqueue(job("send", "1").queue("mail")).await?.id();
    queue.pause(&"mail".into()).await?;
    let later = queue.enqueue(job("send", "1").delay(Duration::from_secs(3600))).await?.id();
    let router = open_board(&queue).router();

    let paused = get(&router, &format!("/jobs/{id}")).await?.text;
    let scheduled = get(&router, &format!("/jobs/{later}")).await?.text;

    assert!(paused.contains("The queue <b>mail</b> is paused."), "{paused}");
    assert!(scheduled.contains("It is scheduled, and due ") && scheduled.contains("Run now"), "{scheduled}");
    Ok(())
}

#[tokio::test]
async fn the_reason_has_the_button_that_removes_it() -> TestResult {
    let queue = queue();
    let id = queue.enqueue(job("send", "1").queue("mail")).await?.id();
    queue.pause(&"mail".into()).await?;
    let router = open_board(&queue).router();

    let page = get(&router, &format!("/jobs/{id}")).await?.text;
    let answer = post(&router, "/queues/mail/resume", &format!("job={id}")).await?;

    assert!(page.contains("Resume the queue"), "{page}");
    assert_eq!(answer.location(), format!("/jobs/{id}"));
    assert!(!queue.summary().await?[0].paused);
    Ok(())
}

#[tokio::test]
async fn a_running_job_shows_its_worker_and_its_progress() -> TestResult {
    let queue = queue();
    let id = queue.enqueue(job("send", "1")).await?.id();
    let delivered = queue.claim(&Demand::new("default", 1).worker("web-1/7/mails")).await?.remove(0);
    let mut beat = Heartbeat::new(delivered.lease);
    beat.progress = Some(JobProgress::new(40, "<b>half</b>"));
    queue.renew(&[beat]).await?;
    let router = open_board(&queue).router();

    for path in [format!("/jobs/{id}"), "/workers".to_owned()] {
        let page = get(&router, &path).await?.text;
        assert!(page.contains("&lt;b&gt;half&lt;/b&gt;") && page.contains("value=\"40\""), "{path}: {page}");
    }
    assert!(get(&router, &format!("/jobs/{id}")).await?.text.contains("web-1/7/mails"));
    Ok(())
}

#[tokio::test]
async fn a_form_enqueues_a_job_with_the_defaults_of_its_kind() -> TestResult {
    let queue = queue();
    let router = open_board(&queue).jobs(jobs![send_welcome]).router();

    let page = get(&router, "/enqueue").await?.text;
    let answer =
        post(&router, "/enqueue", "name=send_welcome&payload=%7B%22user_id%22%3A42%7D&priority=-1").await?;
    let refused = post(&router, "/enqueue", "name=send_welcome&payload=%7B").await?;

    assert!(page.contains("user_id: u64"), "{page}");
    let id = answer.location().rsplit('/').next().unwrap_or_default().parse()?;
    let stored = queue.get(id).await?.ok_or("the job is not stored")?;
    assert_eq!((stored.queue.as_str(), stored.priority, stored.max_attempts), ("mail", -1, 3));
    assert_eq!(stored.body.decode::<send_welcome>()?, send_welcome::new(42));
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    Ok(())
}

#[tokio::test]
async fn an_edited_copy_is_a_new_job() -> TestResult {
    let queue = queue();
    let id = completed(
        &queue,
        job("send", "{\"user\": 1.50}").queue("mail").meta("tenant", "acme").unique("k"),
        "1",
    )
    .await?;
    let router = open_board(&queue).router();

    let edited = post(&router, &format!("/jobs/{id}/copy"), "payload=%7B%22user%22%3A2%7D").await?;
    let same =
        post(&router, &format!("/jobs/{id}/copy"), "payload=%7B%0D%0A++%22user%22%3A+1.50%0D%0A%7D").await?;

    let stored = async |answer: &crate::fixture::Answer| {
        let id = answer.location().rsplit('/').next().unwrap_or_default().parse().unwrap();
        queue.get(id).await.unwrap().unwrap()
    };
    let (edited, same) = (stored(&edited).await, stored(&same).await);
    assert_eq!(&*edited.body.encode()?, "{\"user\":2}");
    assert_eq!(
        &*same.body.encode()?,
        "{\"user\": 1.50}",
        "an unchanged text is the stored payload, byte for byte"
    );
    assert_eq!(
        (edited.state, edited.queue.as_str(), edited.meta.get("tenant")),
        (State::Available, "mail", Some("acme"))
    );
    Ok(())
}

#[tokio::test]
async fn a_conflict_is_a_page_with_the_reason() -> TestResult {
    let queue = queue();
    let id = queue.enqueue(job("send", "1")).await?.id();
    let _held = queue.claim(&Demand::new("default", 1)).await?;
    let router = open_board(&queue).router();

    let answer = post(&router, &format!("/jobs/{id}/delete"), "").await?;

    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("is executing: cancel it"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn the_files_of_a_page_may_be_kept_for_ever() -> TestResult {
    let router = open_board(&queue()).router();
    let page = get(&router, "/").await?.text;

    for file in page.split('"').filter(|text| text.starts_with("/assets/board-")) {
        let answer = get(&router, file).await?;
        let kept = answer.headers.get("cache-control").and_then(|value| value.to_str().ok());
        assert_eq!(kept, Some("private, max-age=31536000, immutable"), "{file}");
    }
    Ok(())
}

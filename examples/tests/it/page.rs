//! The page: its form, its buttons, and text that is never markup.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use axum::http::{Request, StatusCode};
use queue_core::table::Retention;
use queue_core::{
    Admin as _, BoxError, Delivery, Demand, Heartbeat, JobId, JobProgress, Queue as _, QueueExt as _,
    Settlement, State, StoredResult, Transition,
};
use queue_tokio::MemoryQueue;
use stock::database::Database;
use stock::jobs::{report_stock, sync_product};
use stock::queues::Queues;
use stock::report::Reports;
use stock::shop::Shop;
use stock::web;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The page over an empty catalogue, with a queue that no service runs.
struct Page {
    router: Router,
    queue: MemoryQueue,
    queues: Queues,
    _folder: TempDir,
}

/// An answer: its status, the target of its redirect, and its body.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    text: String,
}

impl Page {
    fn new() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(folder.path().join("stock.db"))?;
        let queue = MemoryQueue::builder().retention(Retention::default().completed(10)).build();
        let queues = Queues::over(Arc::new(queue.clone()));
        let shop = Shop { database, queues: queues.clone(), photo_time: Duration::ZERO };
        Ok(Self { router: web::router(shop, Reports::new(folder.path())), queue, queues, _folder: folder })
    }

    async fn get(&self) -> Result<String, BoxError> {
        self.at("/").await
    }

    async fn at(&self, path: &str) -> Result<String, BoxError> {
        Ok(self.send(Request::get(path).body(Body::empty())?).await?.text)
    }

    async fn post(&self, path: &str, form: &str) -> Result<Answer, BoxError> {
        let request = Request::post(path)
            .header(HOST, "127.0.0.1:8080")
            .header(ORIGIN, "http://127.0.0.1:8080")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned()))?).await
    }

    async fn send(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        let response = self.router.clone().oneshot(request).await?;
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let (status, location) = (response.status(), location.map(str::to_owned));
        let body = to_bytes(response.into_body(), usize::MAX).await?;
        Ok(Answer { status, location, text: String::from_utf8(body.to_vec())? })
    }

    /// Enqueues a job and discards it, as a service does after its last attempt.
    async fn discarded(&self) -> Result<JobId, BoxError> {
        let id = self.queue.enqueue(sync_product::new("TEA")).await?.id();
        let delivered = self.queue.claim(&Demand::new("supplier", 1)).await?;
        let refused = Transition::Discard { error: "the supplier <refused>".to_owned() };
        let settle = |delivery: queue_core::Delivery| Settlement::new(delivery.lease, refused.clone());
        self.queue.settle(delivered.into_iter().map(settle).collect()).await?;
        Ok(id)
    }

    /// Enqueues a job and claims it, as a service does before an attempt.
    async fn executing(&self) -> Result<Delivery, BoxError> {
        self.queue.enqueue(report_stock::new(1)).await?;
        let claimed = self.queue.claim(&Demand::new("reports", 1)).await?;
        Ok(claimed.into_iter().next().ok_or("the job is ready")?)
    }

    /// Returns the part of the page that its script replaces every second.
    async fn live_part(&self) -> Result<String, BoxError> {
        let page = self.get().await?;
        let (_, main) = page.split_once("<main>").ok_or("the page has a main part")?;
        Ok(main.split_once("</main>").ok_or("the main part ends")?.0.to_owned())
    }

    async fn state(&self, id: JobId) -> Result<Option<State>, BoxError> {
        Ok(self.queue.get(id).await?.map(|job| job.state))
    }
}

const TEA: &str = "sku=TEA&name=Green+tea&price_cents=450&stock=3";

#[tokio::test]
async fn the_form_saves_a_product_and_redirects_to_the_page() -> Result<(), BoxError> {
    let page = Page::new()?;

    let answer = page.post("/products/new", TEA).await?;

    assert_eq!((answer.status, answer.location.as_deref()), (StatusCode::SEE_OTHER, Some("/")));
    let shown = page.get().await?;
    assert!(shown.contains("<td>Green tea</td><td class=\"number\">4.50</td>"), "{shown}");
    assert!(shown.contains("<td>stock.photos</td>"), "the closure is shown by its title: {shown}");
    Ok(())
}

#[tokio::test]
async fn a_refused_form_is_shown_again_with_the_problem_of_each_field() -> Result<(), BoxError> {
    let page = Page::new()?;

    let answer = page.post("/products/new", "sku=T+1&name=Tea&price_cents=cheap&stock=-1").await?;

    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for shown in [
        "value=\"T 1\"",
        "letters, digits and dashes",
        "value=\"cheap\"",
        "must be a whole number from 0 to 4294967295",
        "must not be negative, but is -1",
    ] {
        assert!(answer.text.contains(shown), "{shown}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_taken_sku_is_shown_at_its_field() -> Result<(), BoxError> {
    let page = Page::new()?;
    page.post("/products/new", TEA).await?;

    let answer = page.post("/products/new", TEA).await?;

    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("a product with the SKU TEA exists already"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn a_script_in_a_name_is_inert_wherever_it_is_shown() -> Result<(), BoxError> {
    let page = Page::new()?;
    let name = "%3Cscript%3Ealert(1)%3C/script%3E%22%3E";

    let saved = page.post("/products/new", &TEA.replace("Green+tea", name)).await?;
    let refused = page.post("/products/new", &TEA.replace("Green+tea", name)).await?;

    assert_eq!((saved.status, refused.status), (StatusCode::SEE_OTHER, StatusCode::CONFLICT));
    // In the table and, where the form is shown again, in an attribute.
    for text in [page.get().await?, refused.text] {
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;"), "{text}");
        assert!(!text.contains("<script>alert"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_discarded_job_has_a_button_that_retries_it() -> Result<(), BoxError> {
    let page = Page::new()?;
    let job = page.discarded().await?;
    let path = format!("/jobs/{job}/retry");
    let shown = page.get().await?;
    assert!(shown.contains(&format!("<form method=\"post\" action=\"{path}\">")), "{shown}");
    assert!(shown.contains("the supplier &lt;refused&gt;"), "{shown}");

    let answer = page.post(&path, "").await?;

    assert_eq!((answer.status, answer.location.as_deref()), (StatusCode::SEE_OTHER, Some("/")));
    assert_eq!(page.state(job).await?, Some(State::Available));
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_no_longer_discarded_is_not_retried_and_the_page_says_so() -> Result<(), BoxError> {
    let page = Page::new()?;
    let job = page.discarded().await?;
    page.queue.retry(job).await?;

    let answer = page.post(&format!("/jobs/{job}/retry"), "").await?;

    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("The job is available now: only discarded jobs are retried."));
    Ok(())
}

#[tokio::test]
async fn the_page_follows_the_progress_of_a_running_job() -> Result<(), BoxError> {
    let page = Page::new()?;
    let running = page.executing().await?;
    assert!(!page.live_part().await?.contains("<progress"), "the job has reported nothing yet");

    for (percent, note, shown) in [(20, "photo <1>", "photo &lt;1&gt;"), (60, "photo 2", "photo 2")] {
        let progress = Some(JobProgress::new(percent, note));
        page.queue.renew(&[Heartbeat::new(running.lease.clone()).progress(progress)]).await?;

        let live = page.live_part().await?;

        let expected = format!("<progress max=\"100\" value=\"{percent}\"></progress> {shown}");
        assert!(live.contains(&expected), "{live}");
    }
    Ok(())
}

#[tokio::test]
async fn the_page_shows_the_result_of_a_completed_job_in_place_of_its_progress() -> Result<(), BoxError> {
    let page = Page::new()?;
    for (result, shown) in [("\"2 <products>\"", "<td>2 &lt;products&gt;</td>"), ("[1,2]", "<td>[1,2]</td>")]
    {
        let running = page.executing().await?;
        let progress = Some(JobProgress::new(50, "drawing the chart"));
        page.queue.renew(&[Heartbeat::new(running.lease.clone()).progress(progress)]).await?;
        let completion = Transition::complete_with(StoredResult::json(result)?);

        page.queue.settle(vec![Settlement::new(running.lease, completion)]).await?;

        let live = page.live_part().await?;
        assert!(live.contains(shown) && !live.contains("<progress"), "{live}");
    }
    let state: serde_json::Value = serde_json::from_str(&page.at("/state").await?)?;
    assert_eq!(state["jobs"][0]["result"], "[1,2]", "{state}");
    Ok(())
}

#[tokio::test]
async fn a_waiting_job_has_a_button_that_cancels_it() -> Result<(), BoxError> {
    let page = Page::new()?;
    let later = Duration::from_secs(9000);
    let job = page.queue.enqueue(sync_product::new("TEA")).delay(later).await?.id();
    let path = format!("/jobs/{job}/cancel");
    let shown = page.get().await?;
    assert!(shown.contains(&path) && shown.contains("in 2 h</span>"), "{shown}");

    let answer = page.post(&path, "").await?;
    let again = page.post(&path, "").await?;

    assert_eq!((answer.status, answer.location.as_deref()), (StatusCode::SEE_OTHER, Some("/")));
    assert_eq!(page.state(job).await?, Some(State::Cancelled));
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text.contains("The job is cancelled now: there is nothing to cancel."));
    Ok(())
}

#[tokio::test]
async fn a_waiting_closure_is_cancelled_too() -> Result<(), BoxError> {
    let page = Page::new()?;
    let closure = page.queues.closures.enqueue_fn(async |_| ()).await?.id();

    let answer = page.post(&format!("/jobs/{closure}/cancel"), "").await?;

    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let state = page.queues.closures.get(closure).await?.map(|job| job.state);
    assert_eq!(state, Some(State::Cancelled));
    Ok(())
}

#[tokio::test]
async fn an_unknown_job_is_not_found_and_the_page_says_so() -> Result<(), BoxError> {
    let page = Page::new()?;

    let answer = page.post(&format!("/jobs/{}/retry", JobId::from_u128(7)), "").await?;

    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text.contains("role=\"alert\">There is no job 0000"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() -> Result<(), BoxError> {
    let page = Page::new()?;
    for origin in ["http://127.0.0.1:9090", "https://example.com", "null"] {
        let request = Request::post("/products/new")
            .header(HOST, "127.0.0.1:8080")
            .header(ORIGIN, origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");

        let answer = page.send(request.body(Body::from(TEA))?).await?;

        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(page.get().await?.contains("None yet."));
    Ok(())
}

//! Every error response names the problem and its location.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use queue_core::BoxError;
use queue_tokio::MemoryQueue;
use serde_json::{Value, json};
use stock::database::Database;
use stock::queues::Queues;
use stock::report::Reports;
use stock::shop::Shop;
use stock::{http, web};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The routes over an empty catalogue, without background workers.
struct Site {
    router: Router,
    queues: Queues,
    _folder: TempDir,
}

impl Site {
    fn new() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(folder.path().join("stock.db"))?;
        let queues = Queues::over(Arc::new(MemoryQueue::new()));
        let shop = Shop { database, queues: queues.clone(), photo_time: Duration::ZERO };
        Ok(Self { router: web::router(shop, Reports::new(folder.path())), queues, _folder: folder })
    }

    async fn post(&self, product: &str) -> Result<(StatusCode, Value), BoxError> {
        let (status, text) =
            self.send(Request::post("/products").body(Body::from(product.to_owned()))?).await?;
        Ok((status, serde_json::from_str(&text)?))
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, String), BoxError> {
        self.send(Request::get(path).body(Body::empty())?).await
    }

    async fn send(&self, request: Request<Body>) -> Result<(StatusCode, String), BoxError> {
        let response = self.router.clone().oneshot(request).await?;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await?;
        Ok((status, String::from_utf8(body.to_vec())?))
    }
}

const TEA: &str = r#"{"sku": "TEA", "name": "Green tea", "price_cents": 450, "stock": 3}"#;

#[tokio::test]
async fn a_product_is_created_and_its_work_is_enqueued() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post(TEA).await?;

    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(answer["sku"], "TEA");
    let unfinished: u64 = site.queues.counts().await?.iter().map(|queue| queue.unfinished()).sum();
    assert_eq!(unfinished, 4, "a closure, an e-mail, a report and a sync");
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_the_location() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post("{\n\"sku\": oops}").await?;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!((&answer["line"], &answer["column"]), (&json!(2), &json!(8)), "{answer}");
    Ok(())
}

#[tokio::test]
async fn the_error_for_another_json_value_describes_a_product() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post("[]").await?;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["problem"].to_string().contains("an object with `sku`, `name`"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_field_of_the_wrong_kind_is_named() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post(&TEA.replace("450", "\"cheap\"")).await?;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["field"], "price_cents", "{answer}");
    let problem = answer["problem"].to_string();
    assert!(problem.contains("invalid type: string, expected i64 at line"), "{answer}");
    assert!(!answer.to_string().contains("cheap"), "the value stays out: {answer}");
    Ok(())
}

#[tokio::test]
async fn a_missing_field_is_named() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post(r#"{"sku": "TEA", "name": "Tea", "stock": 3}"#).await?;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["field"], "price_cents", "{answer}");
    assert!(answer["problem"].to_string().contains("missing field `price_cents`"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_misspelt_field_is_named_with_the_known_fields() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post(&TEA.replace("price_cents", "price")).await?;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    let problem = answer["problem"].to_string();
    assert_eq!(answer["field"], "price", "{answer}");
    assert!(problem.contains("unknown field `price`") && problem.contains("`price_cents`"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn all_invalid_fields_are_named_together() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, answer) = site.post(&TEA.replace("TEA", " ").replace("450", "-1")).await?;

    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        answer["fields"],
        json!({ "sku": "must not be empty", "price_cents": "must not be negative, but is -1" })
    );
    Ok(())
}

#[tokio::test]
async fn a_sku_that_is_taken_is_a_conflict_and_enqueues_nothing() -> Result<(), BoxError> {
    let site = Site::new()?;
    site.post(TEA).await?;

    let (status, answer) = site.post(TEA).await?;

    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer, json!({ "error": "a product with the SKU TEA exists already", "field": "sku" }));
    let unfinished: u64 = site.queues.counts().await?.iter().map(|queue| queue.unfinished()).sum();
    assert_eq!(unfinished, 4, "the jobs of the first product");
    Ok(())
}

#[tokio::test]
async fn the_state_lists_products_and_jobs() -> Result<(), BoxError> {
    let site = Site::new()?;
    site.post(TEA).await?;

    let (_, state) = site.get("/state").await?;

    let state: Value = serde_json::from_str(&state)?;
    assert_eq!(state["products"][0]["sku"], "TEA");
    assert_eq!(state["jobs"].as_array().map(Vec::len), Some(4));
    assert_eq!(state["jobs"][0]["state"], "available");
    Ok(())
}

#[tokio::test]
async fn a_missing_report_is_not_found() -> Result<(), BoxError> {
    let site = Site::new()?;

    let (status, _) = site.get("/report.svg").await?;

    assert_eq!(status, StatusCode::NOT_FOUND);
    Ok(())
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() -> Result<(), BoxError> {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = other.local_addr()?.port();

    let error = http::listen(port).expect_err("the port is in use").to_string();

    assert!(error.starts_with(&format!("port {port} is in use")) && error.contains("--port"), "{error}");
    Ok(())
}

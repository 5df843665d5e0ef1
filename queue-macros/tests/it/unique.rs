//! The unique key.

use std::time::Duration;

use queue_core::{Job, OnConflict, Unique, background_job};

#[background_job]
async fn any_number(order: u64) {
    let _ = order;
}

#[background_job(unique)]
async fn by_payload(order: u64, note: &str) {
    let _ = (order, note);
}

#[background_job(unique = "order:{order}/{note:?}")]
async fn by_key(order: u64, note: Option<&str>, r#type: u8) {
    let _ = (order, note, r#type);
}

#[background_job(unique(key = "{type}-{{x}}", within = "1h", replace))]
async fn by_key_for_an_hour(r#type: u8) {
    let _ = r#type;
}

#[background_job(unique(within = "10s"))]
async fn by_payload_for_a_while(order: u64) {
    let _ = order;
}

/// M4: without `unique` there is no key.
#[test]
fn a_job_without_the_attribute_has_no_key() {
    assert_eq!(any_number::new(1).unique(), None);
}

/// M4: `unique` alone uses the whole payload.
#[test]
fn the_whole_payload_is_the_key() {
    let job = by_payload::new(1, "a");

    assert_eq!(job.unique(), Some(Unique::of_payload(&job)));
    assert_ne!(job.unique(), by_payload::new(1, "b").unique());
}

/// M4: a format string uses the fields that it names.
#[test]
fn a_format_string_takes_the_fields_that_it_names() {
    let job = by_key::new(7, "x".to_owned(), 1);

    assert_eq!(job.unique(), Some(Unique::new(r#"order:7/Some("x")"#)));
    assert_eq!(job.unique(), by_key::new(7, "x".to_owned(), 2).unique());
}

/// M4: a window and replacement on conflict are set beside the key.
#[test]
fn a_window_and_replacement_are_set_beside_the_key() {
    let unique = by_key_for_an_hour::new(3).unique().unwrap();

    assert_eq!((unique.key.as_str(), unique.window), ("3-{x}", Some(Duration::from_secs(3600))));
    assert_eq!(unique.on_conflict, OnConflict::Replace);
    let unique = by_payload_for_a_while::new(3).unique().unwrap();
    assert_eq!((unique.window, unique.on_conflict), (Some(Duration::from_secs(10)), OnConflict::Keep));
}

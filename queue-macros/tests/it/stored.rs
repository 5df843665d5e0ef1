//! Borrowed parameters are stored owned, and passed to the function by reference.

use std::path::{Path, PathBuf};

use queue_core::{Job, Outcome, Services, background_job};

use crate::attempt::perform;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Order {
    id: u64,
}

#[background_job]
#[expect(clippy::too_many_arguments, reason = "every form in one")]
async fn borrowing(
    text: &str,
    bytes: &[u8],
    order: &Order,
    path: &Path,
    maybe_text: Option<&str>,
    maybe_order: Option<&Order>,
    maybe_bytes: Option<&[u8]>,
    maybe_path: core::option::Option<&'_ Path>,
) -> Result<(), String> {
    Err(format!(
        "{text} {bytes:?} {} {path:?} {maybe_text:?} {maybe_order:?} {maybe_bytes:?} {maybe_path:?}",
        order.id
    ))
}

#[background_job]
async fn owning(number: u64, text: String, maybe: Option<Vec<u8>>, pair: (u8, char), array: [u8; 2]) {
    drop((number, text, maybe, pair, array));
}

/// M3: each borrowed form is stored owned.
#[test]
fn borrowed_parameters_are_stored_owned() {
    let job = borrowing::new("a", vec![1], Order { id: 2 }, "/b", None, None, None, None);

    let borrowing { text, bytes, order, path, maybe_text, maybe_order, maybe_bytes, maybe_path } = job;

    let stored: (String, Vec<u8>, Order, PathBuf) = (text, bytes, order, path);
    let maybe: (Option<String>, Option<Order>, Option<Vec<u8>>, Option<PathBuf>) =
        (maybe_text, maybe_order, maybe_bytes, maybe_path);
    assert_eq!(stored, ("a".to_owned(), vec![1], Order { id: 2 }, PathBuf::from("/b")));
    assert_eq!(maybe, (None, None, None, None));
    assert_eq!(borrowing::FIELDS[1], "bytes: Vec<u8>");
    assert_eq!(borrowing::FIELDS[7], "maybe_path: Option<PathBuf>");
}

/// M3: `new` takes fields that are stored owned as `impl Into`, and the rest by their own types, so that numbers infer.
#[test]
fn new_takes_owned_fields_as_impl_into() {
    let path = PathBuf::from("/b");

    let job = borrowing::new(
        String::from("a"),
        [1_u8],
        Order { id: 2 },
        path,
        "c".to_owned(),
        Order { id: 3 },
        None,
        None,
    );

    assert_eq!(job.maybe_text.as_deref(), Some("c"));
    assert_eq!(job.maybe_order, Some(Order { id: 3 }));
    let job = owning::new(42, "a".to_owned(), Some(vec![1]), (1, 'x'), [1, 2]);
    assert_eq!(job.number, 42);
}

#[background_job]
async fn naming(id: u32, name: String, full_path: std::string::String, maybe: Option<String>) {
    drop((id, name, full_path, maybe));
}

/// M3: `new` takes a `String` as `impl Into<String>`, and the types of the others are still inferred.
#[test]
fn new_takes_a_string_as_a_literal_too() {
    let job = naming::new(42, "a", 'b', None);

    assert_eq!(job, naming { id: 42, name: "a".to_owned(), full_path: "b".to_owned(), maybe: None });
    assert_eq!(job.name, naming::new(42, String::from("a"), "b", None).name);
    assert_eq!(["a", "b"].map(|name| naming::new(1, name, name, None)).map(|job| job.name), ["a", "b"]);
}

/// M3: each borrowed form is passed by reference when the job is performed.
#[tokio::test]
async fn stored_fields_are_passed_by_reference() {
    let job = borrowing::new("a", [1], Order { id: 2 }, "/b", Some("c".to_owned()), None, vec![3], None);

    let outcome = perform(job, Services::builder().build().unwrap()).await;

    let Outcome::Failure(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.message, r#"a [1] 2 "/b" Some("c") None Some([3]) None"#);
}

//! The places where a job may be defined, and the types that it may return.

use queue_core::{JobError, Outcome, Services, background_job};

use crate::attempt::perform;

#[background_job]
async fn nothing() {}

#[background_job]
async fn anyhow_error(fails: bool) -> anyhow::Result<()> {
    anyhow::ensure!(!fails, "it rained");
    Ok(())
}

#[background_job]
async fn job_error() -> Result<(), JobError> {
    Err(JobError::cancel("not today"))
}

#[background_job]
async fn io_error() -> std::io::Result<()> {
    Err(std::io::Error::other("disk"))
}

macro_rules! job_of {
    ($name:ident, $ty:ty, $path:path) => {
        #[background_job(crate = $path, queue = "made")]
        async fn $name(value: $ty, twice: Option<$ty>) -> Result<(), String> {
            Err(format!("{value:?} {twice:?}"))
        }
    };
}

job_of!(made_by_a_macro, Vec<u8>, ::queue_core);
job_of!(made_with_an_option, Option<u8>, ::queue_core);

#[cfg(any())]
#[background_job]
async fn compiled_out(_: Missing) {}

#[background_job]
#[cfg(any())]
async fn compiled_out_below(value: Missing) {}

fn none() -> Services {
    Services::builder().build().unwrap()
}

/// M4: a job may return `()`, or a `Result<(), E>` with any error.
#[tokio::test]
async fn a_job_returns_unit_or_a_result_of_unit() {
    assert_eq!(perform(nothing::new(), none()).await, Outcome::Success);
    assert_eq!(perform(anyhow_error::new(false), none()).await, Outcome::Success);
    assert_eq!(perform(anyhow_error::new(true), none()).await.failure().unwrap().message, "it rained");
    assert_eq!(perform(job_error::new(), none()).await, Outcome::Cancel("not today".to_owned()));
    assert_eq!(perform(io_error::new(), none()).await.failure().unwrap().message, "disk");
}

#[background_job]
async fn counted(words: Vec<String>) -> anyhow::Result<usize> {
    anyhow::ensure!(!words.is_empty(), "nothing to count");
    Ok(words.len())
}

/// M4: a job may return a `Result` of a value.
#[tokio::test]
async fn a_job_returns_a_result_of_a_value() {
    assert_eq!(perform(counted::new(vec!["a".to_owned()]), none()).await, Outcome::Success);
    assert_eq!(
        perform(counted::new(Vec::new()), none()).await.failure().unwrap().message,
        "nothing to count"
    );
}

/// M4: a job may be defined inside of a function.
#[tokio::test]
async fn a_job_may_be_defined_inside_of_a_function() {
    #[background_job]
    async fn local(#[inject] number: &u64, add: u64) -> Result<(), String> {
        Err((number + add).to_string())
    }

    let outcome = perform(local::new(1), Services::builder().singleton(41_u64).build().unwrap()).await;

    assert_eq!(outcome.failure().unwrap().message, "42");
}

/// M4: a job may be written by another macro.
#[tokio::test]
async fn a_job_may_be_written_by_a_macro() {
    let outcome = perform(made_by_a_macro::new(vec![1], None), none()).await;

    assert_eq!(outcome.failure().unwrap().message, "[1] None");
    // A type that a macro received is the same type, and treated the same.
    let missing = serde_json::from_str::<made_with_an_option>("{}").unwrap();
    assert_eq!(missing, made_with_an_option::new(None, None));
}

/// M4: a job that is compiled out leaves nothing behind.
#[test]
fn a_job_that_is_compiled_out_leaves_nothing_behind() {
    // These names would collide with the jobs above if those left anything behind.
    fn compiled_out() {}
    fn compiled_out_below() {}

    compiled_out();
    compiled_out_below();
}

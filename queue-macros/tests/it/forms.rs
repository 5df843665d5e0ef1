//! Where a job may stand, and what it may return.

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

/// M4: a job may return nothing, or a `Result` of nothing with any error.
#[tokio::test]
async fn a_job_returns_nothing_or_a_result_of_nothing() {
    assert_eq!(perform(nothing::new(), none()).await, Outcome::Success);
    assert_eq!(perform(anyhow_error::new(false), none()).await, Outcome::Success);
    assert_eq!(perform(anyhow_error::new(true), none()).await.failure().unwrap().message, "it rained");
    assert_eq!(perform(job_error::new(), none()).await, Outcome::Cancel("not today".to_owned()));
    assert_eq!(perform(io_error::new(), none()).await.failure().unwrap().message, "disk");
}

/// M4: a job may stand inside of a function.
#[tokio::test]
async fn a_job_may_stand_inside_of_a_function() {
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
    // A type that a macro was given is the same type, with what goes for it.
    let missing = serde_json::from_str::<made_with_an_option>("{}").unwrap();
    assert_eq!(missing, made_with_an_option::new(None, None));
}

/// M4: nothing is left of a job that is compiled out.
#[test]
fn nothing_is_left_of_a_job_that_is_compiled_out() {
    // These would be jobs if anything were left of those above.
    fn compiled_out() {}
    fn compiled_out_below() {}

    compiled_out();
    compiled_out_below();
}

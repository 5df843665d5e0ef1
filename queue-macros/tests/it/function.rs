//! The annotated function itself is unchanged.

use queue_core::background_job;

/// Adds two numbers; the result must be used.
#[background_job]
#[must_use = "the sum is in it"]
pub(crate) async fn add(first: u64, second: u64) -> Result<(), String> {
    Err(format!("{}", first + second))
}

#[background_job(blocking)]
fn shout(word: &str) -> Result<(), String> {
    Err(word.to_uppercase())
}

#[background_job]
async fn count_down(mut from: u32) -> Result<(), String> {
    while from > 0 {
        from -= 1;
    }
    Err(from.to_string())
}

/// M1: an async function is called as it was written.
#[tokio::test]
async fn an_async_job_can_be_called_as_a_function() {
    assert_eq!(add(1, 2).await, Err("3".to_owned()));
}

/// M1: a blocking function is called as it was written.
#[test]
fn a_blocking_job_can_be_called_as_a_function() {
    assert_eq!(shout("hello"), Err("HELLO".to_owned()));
}

mod elsewhere {
    pub(super) mod jobs {
        use queue_core::background_job;

        #[background_job]
        pub(in crate::function) async fn nested(#[inject] pool: &u64, order: u64) -> Result<(), String> {
            Err(format!("{pool} {order}"))
        }
    }
}

/// M1: the payload has the function's visibility; one `use` imports both.
#[tokio::test]
async fn one_use_brings_the_function_and_the_payload() {
    use elsewhere::jobs::nested;

    assert_eq!(nested(&7, 8).await, Err("7 8".to_owned()));
    assert_eq!(nested::new(8), nested { order: 8 });
}

/// M1: `mut` before a parameter belongs to the function and not to the payload.
#[tokio::test]
async fn a_mutable_parameter_is_a_plain_field() {
    assert_eq!(count_down(3).await, Err("0".to_owned()));
    assert_eq!(count_down::new(3).from, 3);
}

//! The attribute `#[background_job]`, which turns a function into a job.
//!
//! `queue-core` re-exports it as `queue_core::background_job`; programs use that path.
//!
//! An expansion is a sequence of steps, each from plain data to plain data:
//! `parse` reads tokens to a `model`, `validate` checks that the function can be a job, and `expand` writes the code.
//! Only the first two create errors. `Diagnostics` collects all of them, so that they are reported together.
//! Then `fallback` writes the function and a stub of the job, so that one mistake is one error.

#[cfg(feature = "explore")]
mod await_points;
mod diagnostics;
mod expand;
mod fallback;
mod jobs;
#[cfg(feature = "explore")]
mod kit_test;
mod model;
mod parse;
mod text;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use diagnostics::Diagnostics;
use model::Job;

/// Turns a function into a background job.
///
/// The function stays as it was written and can be called directly. Next to it the macro adds a type of the same name, the
/// job: its fields are the function's parameters, `new` creates it, and it implements `queue_core::Job`.
///
/// ```
/// # use queue_macros::background_job;
/// # pub trait Mailer: Send + Sync { fn send(&self, user_id: u64, template: &str) -> std::io::Result<()>; }
/// #[background_job(queue = "mail", max_attempts = 5, timeout = "30s")]
/// pub async fn send_welcome(
///     #[inject] mailer: &dyn Mailer, // from the scope of this attempt
///     user_id: u64,                  // payload
///     template: &str,                // payload, stored as `String`
/// ) -> std::io::Result<()> {
///     mailer.send(user_id, template)
/// }
///
/// let job = send_welcome::new(42, "hello"); // to be enqueued
/// assert_eq!(job, send_welcome { user_id: 42, template: "hello".to_owned() });
/// ```
///
/// # Parameters
///
/// A parameter marked `#[inject]` is a service, taken from the scope when the job is performed:
/// `&T`, `&dyn Trait`, `Arc<T>`, `Option<&T>`, `&mut T` for a unit of work, `&JobContext`, `CancellationToken`, `&Tick`, `&dyn Queue`.
/// `#[inject("replica")]` takes the service registered under that key.
///
/// All other parameters are payload and stored with the job, so their types need `Debug`, `Clone`, `PartialEq`, `Serialize`
/// and `Deserialize`. A borrowed parameter is stored owned: `&str` as `String`, `&[T]` as `Vec<T>`, `&T` as `T`,
/// and the same inside an `Option`. `#[serde(default)]` and other attributes of serde apply to the payload's field.
/// `new` takes a `String`, and each parameter that is stored owned, as `impl Into<…>`, so a literal will do. It takes the
/// others by their own types.
///
/// # Return type
///
/// `()`, or a `Result<T, E>`. `T` is `()`, or the job's result: any type that serde writes and reads. The result is stored with the
/// job's completion, and the handle of the job returns it. `E` is `queue_core::JobError`, or any type that converts to it:
/// every error, `anyhow::Error`, `String`.
///
/// ```
/// # use queue_macros::background_job;
/// #[background_job]
/// pub async fn count(words: Vec<String>) -> Result<usize, std::io::Error> {
///     Ok(words.len()) // stored as `3`
/// }
/// ```
///
/// # Attributes
///
/// | attribute | what it sets | default |
/// | --- | --- | --- |
/// | `name = "mail.welcome"` | the name under which the job is stored | the function's name |
/// | `alias = "old"`, `alias = ["old", "older"]` | names under which the job was stored before | none |
/// | `queue = "mail"` | the queue | `default` |
/// | `max_attempts = 5` | the maximum number of attempts | 5 |
/// | `timeout = "30s"` | the maximum duration of an attempt | no limit |
/// | `backoff = fixed("5s")`, `exponential("1s", "1h")` or `path::to::function` | the wait before a retry | `exponential("1s", "1h")`: a random time up to 1 s, doubling to 1 h |
/// | `priority = -1` | the priority; lower runs first | 0 |
/// | `unique` | one unfinished job for each payload | not unique |
/// | `unique = "user:{user_id}"` | one unfinished job for each value of this key | |
/// | `unique(key = "…", within = "1h", replace)` | the same, held for an hour; a second push replaces the first | |
/// | `partition = "{tenant}"` | the part of its queue to which a job belongs, which can have limits of its own | none |
/// | `cron = "0 2 * * *"` | a schedule of `queue-schedules` enqueues the job at these times; each parameter needs a default | no schedule |
/// | `every = "15m"` | a schedule enqueues the job at the multiples of this interval since 1970 | no schedule |
/// | `zone = "Europe/Berlin"` | the time zone of `cron` | UTC |
/// | `overlap = "skip"`, `"follow"`, `"allow"` | what a tick does while an earlier job is unfinished: enqueue none, let one wait, enqueue another | `skip` |
/// | `catch_up = "latest"`, `"all"`, `"skip"` | which ticks that no process took in time enqueue their jobs: the newest, each of the last day, none later than a minute | `latest` |
/// | `on_discard = path::to::job` | the job that is stored if this one is discarded; its function takes a `queue_core::Discarded` | none, or the default of the service |
/// | `blocking` | runs a plain `fn` on a thread where it may block | the function is `async` |
/// | `crate = path` | the path of `queue_core`, if it was renamed or is re-exported by another crate | `::queue_core` |
#[proc_macro_attribute]
pub fn background_job(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    job(arguments.into(), &item.into()).into()
}

/// Lists jobs, for `queue_core::jobs!`, which passes the path of its crate in brackets.
#[doc(hidden)]
#[proc_macro]
pub fn jobs(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    jobs::jobs(input.into()).into()
}

/// Turns an async function into a test, and passes it what it needs: a `TestKit` or a database of its own.
///
/// Time is virtual, as with `#[tokio::test(start_paused = true)]`, and a test that takes a kit has one.
///
/// ```
/// use queue_core::background_job;
/// use queue_testkit::TestKit;
///
/// # mod app { pub fn services() -> queue_core::ServicesBuilder { queue_core::Services::builder() } }
/// #[background_job]
/// async fn send_welcome(user: u64, text: String) {}
///
/// #[queue_testkit::test(jobs = [send_welcome], services = app::services())]
/// async fn a_welcome_is_sent(kit: TestKit) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     kit.queue().enqueue(send_welcome::new(42, "hello")).await?;
///     kit.run_until_idle().await?.expect_success();
///     Ok(())
/// }
/// ```
///
/// | attribute | what it sets | default |
/// | --- | --- | --- |
/// | `jobs = [a, m::b]` | the jobs of the kit | the test takes none |
/// | `services = app::services()` | the application's services | none |
/// | `seed = 7` | permutes the choices in which a fleet of workers may differ | jobs run in order |
///
/// # With a database
///
/// `#[queue_testkit::test(postgres)]` passes the test a `TestPostgres`, and `#[queue_testkit::test(sqlite)]` a `TestSqlite`: a
/// database that the test uses alone, with the queue in it. Time is real, because a database takes real time to answer.
///
/// ```
/// # mod app { pub async fn create_tables(db: &queue_testkit::TestSqlite) -> Result<(), queue_core::BoxError> { Ok(()) } }
/// use queue_testkit::TestSqlite;
///
/// #[queue_testkit::test(sqlite, setup = app::create_tables)]
/// async fn an_order_is_booked(db: TestSqlite) {}
/// ```
///
/// | attribute | what it sets | default |
/// | --- | --- | --- |
/// | `postgres` or `sqlite` | the kind of the database; needs the feature of this name | the test has none |
/// | `setup = app::create_tables` | an `async fn(&TestPostgres) -> Result<(), E>` or `async fn(&TestSqlite) -> Result<(), E>` that fills the template of which each test has a copy | the template has the queue only |
///
/// # Panics
///
/// Panics if the kit can't be built, with every problem, or if the database can't be created, with what to do.
#[cfg(feature = "explore")]
#[proc_macro_attribute]
pub fn kit_test(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    kit_test::kit_test(arguments.into(), &item.into()).into()
}

fn job(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::new();
    let attribute = parse::attribute(arguments, &mut diagnostics);
    let function = match parse::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            diagnostics.push(error);
            let errors = diagnostics.finish();
            return quote!(#errors #item);
        }
    };
    let parameters = validate::validate(&attribute, &function, &mut diagnostics);
    let complete = parameters.iter().cloned().collect::<Result<_, _>>();
    match (diagnostics.finish(), complete) {
        (None, Ok(parameters)) => expand::expand(&Job { attribute, function, parameters }),
        (errors, _) => {
            let stub = fallback::fallback(&attribute, &function, &parameters);
            quote!(#errors #stub)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(arguments: &str, item: &str) -> String {
        job(arguments.parse().unwrap(), &item.parse().unwrap()).to_string()
    }

    fn tokens(text: &str) -> String {
        text.parse::<TokenStream>().unwrap().to_string()
    }

    /// M7: a body that does not parse passes through, so that an editor can complete in it.
    #[test]
    fn a_half_typed_body_passes_through_as_it_is() {
        let body = "{ let user = mailer.; users.map(|user| user.) }";
        let function = format!("async fn send(#[inject] mailer: &dyn Mailer, user_id: u64) {body}");

        let expanded = expand("queue = \"mail\"", &function);

        assert!(expanded.contains(&tokens(body)), "{expanded}");
        assert!(!expanded.contains("compile_error"), "{expanded}");
    }

    /// M7: the same if the attribute is half typed too.
    #[test]
    fn a_half_typed_attribute_leaves_the_function_and_a_job_beside_it() {
        let expanded =
            expand("queue = ", "pub async fn send(#[inject] mailer: &dyn Mailer, user_id: u64) { mailer. }");

        assert!(expanded.contains("compile_error"), "{expanded}");
        let function = "pub async fn send(mailer: &dyn Mailer, user_id: u64) { mailer. }";
        assert!(expanded.contains(&tokens(function)), "{expanded}");
        assert!(
            expanded.contains(&tokens("pub struct send { #[doc(hidden)] pub user_id: u64, }")),
            "{expanded}"
        );
        assert!(expanded.contains(&tokens("#[doc(hidden)] pub fn new(user_id: u64) -> Self")), "{expanded}");
    }

    /// M1: the function keeps its attributes and loses only the attributes of its parameters for this macro.
    #[test]
    fn the_function_keeps_what_is_its_own() {
        let expanded = expand(
            "",
            "#[instrument] pub(crate) async fn send(#[inject] #[allow(unused)] pool: &Pool, /** Whom. */ #[serde(default)] to: &str) {}",
        );

        assert!(expanded.starts_with(&tokens("#[instrument]")), "{expanded}");
        let function = "pub(crate) async fn send(#[allow(unused)] pool: &Pool, to: &str) {}";
        assert!(expanded.contains(&tokens(function)), "{expanded}");
    }

    /// M6: no mistake hides another.
    #[test]
    fn every_mistake_is_an_error_of_its_own() {
        let expanded = expand(
            "queue = 3, queue = \"b\", colour, timeout = \"x\", backoff = no(), unique(key, key = \"\"), priority = a",
            "fn f<T>(self, (a, b): C, #[inject = 1] #[inject] d: &'static D, e: &mut E, f: impl F) -> impl G {}",
        );

        assert_eq!(expanded.matches("compile_error").count(), 18, "{expanded}");
    }
}

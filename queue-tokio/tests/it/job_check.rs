//! Tests that a check finds the stored jobs that a program could not run, by asking that program.
//!
//! The program is this test program: each test of it that `answer_job_check` ends answers as a program would.

use std::env;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use queue_core::admin::Filter;
use queue_core::check::{CHECK_ARGUMENT, CheckLine as _, CheckReport};
use queue_core::{
    Admin as _, Body, BoxError, Jobs, NewJob, Queue as _, QueueExt as _, Services, State, background_job,
    jobs,
};
use queue_sqlite::{SqliteQueue, Synchronous};
use queue_tokio::{CheckError, Host, IdleExt as _, JobCheck, MemoryQueue, QueueService, answer_job_check};
use serde::{Deserialize, Serialize};

type TestResult = Result<(), BoxError>;

#[derive(Default)]
struct Runs(AtomicU64);

/// It was called `greet` before.
#[background_job(alias = ["greet"], queue = "checked")]
async fn welcome(#[inject] runs: &Runs, user_id: u64) {
    let _: u64 = user_id;
    runs.0.fetch_add(1, Ordering::Relaxed);
}

/// Its currency is new.
#[background_job(queue = "checked", max_attempts = 1)]
async fn charge(#[inject] runs: &Runs, order: Order, currency: &str) {
    let _: (u64, &str) = (order.number + order.lines.len() as u64, currency);
    runs.0.fetch_add(1, Ordering::Relaxed);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    /// It was a text before.
    number: u64,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    price: u64,
}

fn known() -> Jobs {
    jobs![welcome, charge]
}

/// Not a test: a program whose `main` begins with `answer_job_check`.
#[test]
fn the_program() {
    answer_job_check(&known());
}

/// Not a test: a program that does not know the argument, and waits for its input.
#[test]
fn a_program_without_an_answer() {
    if env::args().any(|argument| argument == CHECK_ARGUMENT) {
        let mut input = String::new();
        drop(std::io::stdin().read_to_string(&mut input));
    }
}

/// Not a test: a program that dies during the check.
#[test]
fn a_program_that_dies() {
    if env::args().any(|argument| argument == CHECK_ARGUMENT) {
        drop(writeln!(std::io::stdout(), "{}", known().check_header().line()));
        std::process::exit(3);
    }
}

/// Returns a check against a test of this program. The test harness takes what follows `--` as the name of another test.
fn check_against(test: &str) -> Result<JobCheck, BoxError> {
    let check = JobCheck::of(env::current_exe()?).arg("--exact").arg(format!("job_check::{test}"));
    Ok(check.arg("--nocapture").arg("--"))
}

/// Returns a stored job.
fn stored(name: &'static str, payload: String) -> NewJob {
    NewJob::new(name, Body::stored(payload)).queue("checked").max_attempts(1)
}

/// Returns 10,000 jobs of an earlier version of the program.
fn earlier_jobs() -> Vec<NewJob> {
    let job = |number: u32| match number % 10 {
        0..4 => stored("welcome", format!("{{\"user_id\": {number},\n \"removed\": true}}")),
        4 => stored("greet", format!("{{\"user_id\":{number}}}")),
        5 => stored("wellcome", format!("{{\"user_id\":{number}}}")),
        6 => stored("charge", format!("{{\"order\":{{\"number\":{number},\"lines\":[]}}}}")),
        7 => {
            let order = format!("{{\"number\":\"{number}\",\"lines\":[]}}");
            stored("charge", format!("{{\"order\":{order},\"currency\":\"EUR\"}}"))
        }
        8 => {
            let lines =
                format!("[{{\"price\":1}},{}{{\"cost\":2}}]", "{\"price\":3},".repeat(number as usize % 7));
            stored("charge", format!("{{\"order\":{{\"number\":1,\"lines\":{lines}}},\"currency\":\"EUR\"}}"))
        }
        _ => stored(
            "charge",
            "{\"order\":{\"number\":1,\"lines\":[{\"price\":5}]},\"currency\":\"EUR\"}".to_owned(),
        ),
    };
    (0..10_000).map(job).collect()
}

/// The name, the number of checked and of failing jobs, and the problems: whether it is the name, the reason, the number.
type Summed<'a> = (&'a str, u64, u64, Vec<(bool, &'a str, u64)>);

fn summed(report: &CheckReport) -> Vec<Summed<'_>> {
    let names = report.names.iter().map(|name| {
        let problems =
            name.problems.iter().map(|problem| (problem.is_unknown, &*problem.reason, problem.count));
        (&*name.name, name.checked, name.failed, problems.collect())
    });
    names.collect()
}

/// H55: Of 10,000 stored jobs, those with an unknown name, a field that is missing and a type that has changed are found, with their number and path.
#[tokio::test]
async fn a_check_finds_renamed_jobs_missing_fields_and_changed_types() -> TestResult {
    let folder = tempfile::tempdir()?;
    let builder = SqliteQueue::builder(folder.path().join("jobs.db")).synchronous(Synchronous::Normal);
    let queue = builder.open().await?;
    queue.push(earlier_jobs()).await?;
    let mut read = Vec::new();

    let report = check_against("the_program")?.run(&queue, &mut |jobs| read.push(jobs)).await?;

    assert_eq!((report.checked, report.failed, report.is_clean()), (10_000, 4_000, false));
    let unknown = "no job has this name; the nearest known: `welcome`";
    let charge = vec![
        (false, "missing field `currency`", 1_000),
        (false, "order.number: invalid type: string, expected u64", 1_000),
        (false, "order.lines[*]: missing field `price`", 1_000),
    ];
    let expected = [
        ("charge", 4_000, 3_000, charge),
        ("greet", 1_000, 0, vec![]),
        ("welcome", 4_000, 0, vec![]),
        ("wellcome", 1_000, 1_000, vec![(true, unknown, 1_000)]),
    ];
    assert_eq!(summed(&report), expected);
    assert_eq!((read.len(), read.last()), (20, Some(&10_000)));
    let example = report.names[3].problems[0].example;
    assert_eq!(queue.get(example).await?.map(|job| job.name), Some("wellcome".into()));
    Ok(())
}

/// H55: Every job that the check passes runs, and every job that it reports fails.
#[tokio::test]
async fn exactly_the_jobs_that_pass_the_check_run() -> TestResult {
    let queue = MemoryQueue::new();
    queue.push(earlier_jobs()).await?;
    let report = check_against("the_program")?.run(&queue, &mut |_| ()).await?;

    let runs = std::sync::Arc::new(Runs::default());
    let services = Services::builder().singleton_as(runs.clone()).build()?;
    let service = QueueService::new(queue.clone(), known()).queues(["checked"]);
    let host = Host::builder().services(services).service(service).build()?;
    let idle = async {
        for name in ["charge", "greet", "welcome"] {
            let of_name = Filter::all().name(name);
            queue
                .wait_until_idle(&of_name, Duration::from_secs(60))
                .await
                .expect("the jobs that are known end");
        }
    };
    host.run_until(idle).await?;

    assert_eq!(runs.0.load(Ordering::Relaxed), report.checked - report.failed);
    let discarded = queue.counts().await?.iter().map(|counts| counts.of(State::Discarded)).sum::<u64>();
    let undecodable =
        report.names.iter().flat_map(|name| &name.problems).filter(|problem| !problem.is_unknown);
    assert_eq!(discarded, undecodable.map(|problem| problem.count).sum::<u64>());
    Ok(())
}

/// H55: A sample checks the same problems in fewer jobs, and a filter selects the jobs.
#[tokio::test]
async fn a_sample_checks_some_jobs_of_each_name() -> TestResult {
    let queue = MemoryQueue::new();
    queue.push(earlier_jobs()).await?;
    queue.enqueue(NewJob::call(async |_| ())).await?;

    let report = check_against("the_program")?.sample(10).run(&queue, &mut |_| ()).await?;
    let welcome = Filter::all().name("welcome");
    let clean = check_against("the_program")?.filter(welcome).run(&queue, &mut |_| ()).await?;

    let checked: Vec<_> = report.names.iter().map(|name| (&*name.name, name.checked)).collect();
    assert_eq!(checked, [("charge", 10), ("closure", 0), ("greet", 10), ("welcome", 10), ("wellcome", 10)]);
    assert_eq!(report.names[0].problems.len(), 3);
    assert!(clean.is_clean() && clean.checked == 4_000, "{clean:?}");
    Ok(())
}

/// H55: A program that does not answer, cannot be started or dies is an error that says so, and not a check that passes.
#[tokio::test]
async fn a_program_that_does_not_answer_passes_no_check() -> TestResult {
    let queue = MemoryQueue::new();
    queue.push(vec![stored("welcome", "{\"user_id\":1}".to_owned())]).await?;
    let check = async |check: JobCheck| check.run(&queue, &mut |_| ()).await.expect_err("no check");

    let silent =
        check(check_against("a_program_without_an_answer")?.patience(Duration::from_millis(300))).await;
    assert!(matches!(&silent, CheckError::NoAnswer { .. }), "{silent:?}");
    assert!(silent.to_string().contains("answer_job_check(&jobs)"), "{silent}");
    let dead = check(check_against("a_program_that_dies")?).await;
    assert!(matches!(&dead, CheckError::Ended { .. }), "{dead:?}");
    let missing = check(JobCheck::of("/nowhere/app")).await;
    assert!(matches!(&missing, CheckError::Start { .. }), "{missing:?}");
    Ok(())
}

/// H55: The header names the jobs with their aliases.
#[test]
fn a_program_names_its_jobs() {
    let header = known().check_header();

    let names: Vec<_> = header.jobs.iter().map(|job| (&*job.name, job.aliases.as_slice())).collect();
    assert_eq!(names, [("charge", &[] as &[String]), ("welcome", &["greet".to_owned()])]);
}

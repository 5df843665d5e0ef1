//! The verbs around a deploy: `check`, `move`, `doctor`.

use std::time::Duration;

use queue_core::{
    Body, Demand, Jobs, Lease, NewJob, Settled, Settlement, State, Transition, background_job, jobs,
};
use queue_tokio::answer_job_check;

use crate::fixture::{EXECUTING, PAUSED, RETRYABLE, id};
use crate::store::{Printed, Store, TestResult, assert_golden, command, on_each_store, run};

on_each_store!(
    check_reports_what_the_program_cannot_run,
    a_program_that_does_not_answer_is_refused,
    move_takes_a_paused_queue_to_another_store_and_back,
    a_job_whose_key_is_held_stays,
    doctor_finds_a_dropped_index,
);

/// The payload of the stored jobs is a number by the name `order`.
#[background_job]
async fn charge(order: String) {
    drop(order);
}

#[background_job]
async fn send_welcome(user_id: u64) {
    let _: u64 = user_id;
}

fn known() -> Jobs {
    jobs![charge, send_welcome]
}

/// Not a test: a program that does not know `build_report`, and expects another type in `charge`.
#[test]
fn the_program() {
    answer_job_check(&known());
}

/// Returns the arguments by which this test program is the program of a check.
fn program(test: &str) -> Result<String, std::io::Error> {
    let program = std::env::current_exe()?;
    Ok(format!("--program {} -- --exact operations::{test} --nocapture --", program.display()))
}

async fn check_reports_what_the_program_cannot_run(store: &Store) -> TestResult {
    let program = program("the_program")?;

    let lines = store.run(&format!("check {program}"));
    let json = store.run(&format!("check --state unfinished,discarded --json {program}"));
    let sample = store.run(&format!("check --name send_welcome --sample 1 {program}"));

    assert_eq!(
        (lines.code, json.code, sample.code),
        (1, 1, 0),
        "{}{}{}",
        lines.error,
        json.error,
        sample.error
    );
    assert_golden("check", &format!("{}\n{}\n{}", lines.out, json.out, sample.out));
    Ok(())
}

async fn a_program_that_does_not_answer_is_refused(store: &Store) -> TestResult {
    let absent = store.run("check --program ./no-such-program");
    let silent = store.run("check --program true");

    assert!(absent.code == 1 && absent.error.contains("could not be started"), "{}", absent.error);
    assert!(silent.code == 1 && silent.error.contains("answer_job_check"), "{}", silent.error);
    Ok(())
}

/// Moves a queue from a store to another one.
fn move_jobs(from: &Store, to: &Store, line: &str) -> Printed {
    let mut command = command();
    command.arg("move").args([from.url(), to.url(), "--schema", "cli"]).args(line.split_whitespace());
    run(&mut command, "")
}

async fn move_takes_a_paused_queue_to_another_store_and_back(store: &Store) -> TestResult {
    let other = store.other_kind().await?;
    let refused = move_jobs(store, &other, "--queue mail");
    assert!(refused.code == 4 && refused.error.contains("queue pause mail"), "{}", refused.error);
    let unknown = move_jobs(store, &other, "--queue mial");
    assert!(unknown.code == 3 && unknown.error.contains("did you mean `mail`?"), "{}", unknown.error);
    assert_eq!(move_jobs(store, store, "--queue reports").code, 2);
    assert_eq!(store.run("pause mail").code, 0);
    let executing = move_jobs(store, &other, "--queue mail");
    assert!(executing.code == 4 && executing.error.contains("--wait"), "{}", executing.error);

    end_the_running_job(store).await?;
    let moved = move_jobs(store, &other, "--queue mail --json");
    assert_eq!(moved.out, "{\"queue\":\"mail\",\"moved\":3,\"present\":0,\"left\":[]}\n", "{}", moved.error);
    assert_eq!(move_jobs(store, &other, "--queue mail").out, "moved 0 jobs of mail\n");
    assert!(store.queue.get(id(RETRYABLE)).await?.is_none());
    let failed = other.queue.get(id(RETRYABLE)).await?.expect("it has moved");
    assert_eq!((failed.state, failed.attempt), (State::Retryable, 1));
    assert_eq!(failed.errors[0].message, "connection refused");
    let claim = Demand::new("mail", 1).wait(Duration::ZERO);
    assert!(other.queue.claim(&claim).await?.is_empty(), "the queue is paused there");

    let reports = move_jobs(store, &other, "--queue reports");
    let back = move_jobs(&other, store, "--queue reports");

    assert_eq!((reports.code, back.code), (0, 0), "{}{}", reports.error, back.error);
    let job = store.queue.get(id(PAUSED)).await?.expect("it is back");
    assert_eq!((job.state, job.unique.as_deref()), (State::Available, Some("report:2027")));
    Ok(())
}

/// Completes the job that the fixture has leased.
async fn end_the_running_job(store: &Store) -> TestResult {
    let job = store.queue.get(id(EXECUTING)).await?.expect("it runs");
    let lease =
        Lease::new(job.id, job.fence, Duration::from_secs(60), job.lease_expires_at.expect("a lease"));
    let settled = store.queue.settle(vec![Settlement::new(lease, Transition::complete())]).await?;
    assert_eq!(settled, [Settled::Applied]);
    Ok(())
}

async fn a_job_whose_key_is_held_stays(store: &Store) -> TestResult {
    let other = store.other_kind().await?;
    let holder = NewJob::new("build_report", Body::stored("{}")).queue("reports").unique("report:2027");
    other.queue.push(vec![holder.id(id(0xf))]).await?;

    let moved = move_jobs(store, &other, "--queue reports");

    assert_eq!(moved.code, 4, "{}", moved.error);
    let left = format!("left {}: job {} of the other store holds its unique key\n", id(PAUSED), id(0xf));
    assert_eq!(moved.out, format!("moved 0 jobs of reports\n{left}"));
    assert!(store.queue.get(id(PAUSED)).await?.is_some());
    Ok(())
}

async fn doctor_finds_a_dropped_index(store: &Store) -> TestResult {
    let schema = |printed: &Printed| -> Result<Vec<serde_json::Value>, serde_json::Error> {
        let findings: Vec<serde_json::Value> =
            printed.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(findings.into_iter().filter(|finding| finding["check"] == "schema").collect())
    };
    assert_eq!(schema(&store.run("doctor --json"))?, Vec::<serde_json::Value>::new());

    store.drop_an_index().await?;

    let json = store.run("doctor --json");
    let [finding] = &schema(&json)?[..] else { panic!("not one finding: {}", json.out) };
    assert_eq!((json.code, &finding["severity"]), (1, &"fault".into()), "{}", json.out);
    assert!(finding["cure"].as_str().is_some_and(|cure| cure.contains("create")), "{finding}");
    let lines = store.run("doctor");
    assert!(lines.code == 1 && lines.out.contains("fault\tschema\t"), "{}", lines.out);
    Ok(())
}

//! Tests the checks of the service graph (S4 and S6): a mistake is reported once, and a correct graph has no problems.

use std::sync::Arc;

use queue_core::services::{Need, ServiceKey};
use queue_core::{BuildError, Dependency, Exclusive, OutcomeKind, Services, ServicesBuilder};

type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

struct Tx;
struct Mail;

/// Two units of work.
fn units() -> ServicesBuilder {
    Services::builder()
        .unit_of_work(
            async || Ok::<_, std::io::Error>(Tx),
            async |_: Tx, _: OutcomeKind| Ok::<_, std::io::Error>(()),
        )
        .unit_of_work(
            async || Ok::<_, std::io::Error>(Mail),
            async |_: Mail, _: OutcomeKind| Ok::<_, std::io::Error>(()),
        )
}

fn told(error: &BuildError) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

/// S6: a job that takes one unit of work twice is a problem; a job that takes two different ones is not.
#[test]
fn a_job_takes_each_unit_of_work_once() -> TestResult {
    let services = units().build()?;
    let tx = Dependency::new(ServiceKey::of::<Tx>(None), Need::Exclusive);
    let mail = Dependency::new(ServiceKey::of::<Mail>(None), Need::Exclusive);

    let problems = services.check("pay", &[tx, mail, tx]);

    assert!(services.check("pay", &[tx, mail]).is_empty());
    let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["job `pay` takes the unit of work `Tx` by `&mut` twice: take it once and pass it on"]);
    Ok(())
}

/// S6: a factory cannot take a unit of work, neither by `&mut` nor shared.
#[test]
fn a_factory_takes_no_unit_of_work() {
    let error =
        units().scoped_fn(|_: Exclusive<Tx>| 1_u8).scoped_fn(|_: Arc<Mail>| 1_u16).build().unwrap_err();

    assert_eq!(
        told(&error),
        [
            "`u8` takes the unit of work `Tx`: only a job can, since it has one user at a time",
            "`u16` takes the unit of work `Mail` shared: a job takes it by `&mut`, a factory can't take it",
        ]
    );
}

/// S4: a captive service is reported for its direct holder, and not for the holders of the holder.
#[test]
fn a_captive_is_reported_for_its_direct_holder_only() {
    let error = Services::builder()
        .scoped_fn(|| 1_u8)
        .singleton_fn(|_: Arc<u8>| 1_u16)
        .singleton_fn(|_: Arc<u16>| 1_u32)
        .build()
        .unwrap_err();

    assert_eq!(
        told(&error),
        [
            "the singleton `u16` would hold `u8`, which lives for one attempt: u16 → u8: register `u16` as scoped"
        ]
    );
}

/// H25: the `Debug` text of the error equals its `Display` text, since `main` prints `Debug`.
#[test]
fn a_build_error_is_shown_as_its_text() {
    let error = Services::builder().singleton(1_u8).singleton(2_u8).build().unwrap_err();

    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().starts_with("1 problem found before the start:\n  1. `u8`"), "{error}");
}

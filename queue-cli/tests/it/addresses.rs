//! The address of a store, and stores that cannot be opened.

use crate::store::{TestResult, command, run};

fn queue(line: &str) -> (i32, String) {
    let printed = run(command().args(line.split_whitespace()), "");
    (printed.code, printed.error)
}

#[test]
fn a_wrong_address_is_refused_with_the_forms_of_a_right_one() {
    for url in ["redis://me:s3cret@host", "jobs.db", "sqlite:", "mysql://me:s3cret@host/shop"] {
        let (code, error) = queue(&format!("--url {url} status"));

        assert_eq!(code, 2, "{error}");
        assert!(error.contains("sqlite:PATH") && error.contains("postgres://"), "{error}");
    }
    let (code, error) = queue("status");
    assert!(code == 2 && error.contains("set QUEUE_URL"), "{error}");
}

#[test]
fn an_absent_store_is_unavailable_and_none_is_created() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jbos.db");
    for verb in [
        "status",
        "top",
        "list",
        "show 1",
        "why 1",
        "push charge",
        "retry 1",
        "pause mail",
        "wait 1",
        "export 1",
    ] {
        let (code, error) = queue(&format!("--url sqlite:{} {verb}", path.display()));

        assert_eq!(code, 5, "{verb}: {error}");
        assert!(error.contains("there is no file"), "{verb}: {error}");
    }
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}

#[test]
fn an_unreachable_server_is_unavailable_and_its_password_is_not_shown() {
    let (code, error) = queue("--url postgres://me:s3cret@127.0.0.1:1/shop status --json");

    assert_eq!(code, 5, "{error}");
    assert!(error.contains("\"exit\":\"unavailable\"") && error.contains("127.0.0.1:1"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn the_address_may_be_in_the_environment_and_help_does_not_show_it() {
    let mut command = command();
    command.env("QUEUE_URL", "postgres://me:s3cret@127.0.0.1:1/shop");

    let status = run(command.arg("status"), "");
    assert_eq!(status.code, 5, "{}", status.error);

    let help = run(command.arg("--help"), "");
    assert!(help.out.contains("QUEUE_URL") && !help.out.contains("s3cret"), "{}", help.out);
}

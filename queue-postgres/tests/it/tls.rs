//! Connections by TLS, to a server that takes no others.

use queue_core::backend::error_chain;
use queue_core::{BoxError, Demand, Queue as _, QueueErrorKind, QueueExt as _, Settlement, Transition};
use queue_postgres::PostgresQueue;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::NamedTempFile;
use test_servers::Postgres;

use crate::fixture::{TestResult, work};

/// An authority that signs certificates.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Starts a server whose certificate is for a name, and gives the port.
fn server(authority: &Authority, name: &str) -> Result<(Postgres, u16), BoxError> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, authority)?;
    Ok(Postgres::start_with_tls(&certificate.pem(), &key.serialize_pem())?)
}

/// Writes down whom to trust.
fn roots(authority: &Authority) -> std::io::Result<NamedTempFile> {
    let file = NamedTempFile::new()?;
    std::fs::write(file.path(), authority.pem())?;
    Ok(file)
}

fn url(port: u16, mode: &str, roots: &NamedTempFile) -> String {
    format!(
        "postgres://postgres:hunter2@localhost:{port}/postgres?sslmode={mode}&sslrootcert={}",
        roots.path().display()
    )
}

#[tokio::test]
async fn a_server_that_is_who_it_says_gets_jobs_by_tls_alone() -> TestResult {
    let authority = authority("ours")?;
    let (_server, port) = server(&authority, "localhost")?;
    let roots = roots(&authority)?;
    let queue = PostgresQueue::connect(url(port, "verify-full", &roots)).await?;

    queue.enqueue(work::new(1)).await?;
    let job = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    let settled = queue.settle(vec![Settlement::new(job.lease, Transition::complete())]).await?;

    assert_eq!(settled, [queue_core::Settled::Applied]);
    Ok(())
}

/// A stranger's certificate, one for another name, and no TLS at all: each says what is wrong, and the password nowhere.
#[tokio::test]
async fn a_server_that_is_not_trusted_gets_no_password() -> TestResult {
    let authority = authority("ours")?;
    let (_server, port) = server(&authority, "localhost")?;
    let (_other, others_port) = server(&authority, "elsewhere.example")?;
    let (own, strange) = (roots(&authority)?, roots(&self::authority("a stranger")?)?);
    let tries = [
        (url(port, "verify-full", &strange), "can't be reached by TLS", "UnknownIssuer"),
        (url(others_port, "verify-full", &own), "can't be reached by TLS", "elsewhere.example"),
        (url(port, "disable", &own), "refuses the user `postgres`", "no encryption"),
    ];

    for (url, says, cause) in tries {
        let error = PostgresQueue::connect(url).await.expect_err("no connection");

        let text = error_chain(&error).to_string();
        assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{text}");
        assert!(text.contains(says) && text.contains(cause), "{text}");
        assert!(text.contains("localhost") && !text.contains("hunter2"), "{text}");
    }
    Ok(())
}

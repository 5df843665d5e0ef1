//! Checks that the PostgreSQL server does what its documentation says.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use test_servers::{Connection, Durability, Fault, Postgres, Proxy};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// The time limit of every wait for an event that must happen.
const SOON: Duration = Duration::from_secs(20);

/// Begins a session through a proxy.
fn begin(proxy: &Proxy, database: &str) -> std::io::Result<TcpStream> {
    let mut client = TcpStream::connect(proxy.address())?;
    client.set_read_timeout(Some(SOON))?;
    let words = format!("user\0postgres\0database\0{database}\0\0");
    let length = u32::try_from(words.len() + 8).expect("a short packet");
    client.write_all(&[&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), words.as_bytes()].concat())?;
    answer(&mut client)?;
    Ok(client)
}

/// Sends a query, and returns all bytes that arrive until the server is ready for the next one.
fn ask(client: &mut TcpStream, sql: &str) -> std::io::Result<String> {
    let length = u32::try_from(sql.len() + 5).expect("a short packet");
    client.write_all(&[b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat())?;
    answer(client)
}

fn answer(client: &mut TcpStream) -> std::io::Result<String> {
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while !answer.windows(5).any(|window| window == [b'Z', 0, 0, 0, 5]) {
        let read = client.read(&mut piece)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..read]);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[test]
fn a_server_is_reached_by_way_of_a_proxy_in_a_database_of_any_encoding() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    let proxy = Proxy::to_postgres(&server)?;
    let url = server.create_database("latin", "LATIN1")?;
    assert_eq!(url, server.url("latin"));

    let mut client = begin(&proxy, "latin")?;

    assert!(ask(&mut client, "show server_encoding")?.contains("LATIN1"));
    let of_it = |open: &[Connection]| open.iter().any(|one| one.parameter("database") == Some("latin"));
    assert!(proxy.wait_until(SOON, of_it));
    assert_eq!(proxy.set_matching(|one| one.has_said("SERVER_ENCODING"), Fault::Cut), 1);
    assert_eq!(client.read(&mut [0])?, 0);
    Ok(())
}

#[test]
fn a_paused_server_answers_nothing_until_it_is_resumed() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    let proxy = Proxy::to_postgres(&server)?;
    let mut client = begin(&proxy, "postgres")?;
    ask(&mut client, "select 1")?;

    server.pause();
    client.set_read_timeout(Some(Duration::from_millis(150)))?;
    let error = ask(&mut client, "select 2").expect_err("a paused server answered");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    server.resume();

    client.set_read_timeout(Some(SOON))?;
    assert!(answer(&mut client)?.contains("SELECT 1"));
    Ok(())
}

#[test]
fn a_restored_server_has_what_it_had_at_the_backup() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    let proxy = Proxy::to_postgres(&server)?;
    server.create_database("before", "UTF8")?;

    let backup = server.backup()?;
    server.create_database("after", "UTF8")?;
    server.restore(&backup)?;

    begin(&proxy, "before")?;
    let error = begin(&proxy, "after").expect_err("a database created after the backup exists");
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    let count = files(server.socket_folder())?.len();
    drop(backup);
    assert_eq!(files(server.socket_folder())?.len(), count - 1);
    Ok(())
}

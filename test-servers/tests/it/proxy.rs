//! Checks the proxy's faults, with plain TCP in front of an echo server.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use test_servers::{Connection, Fault, Proxy};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// The time limit of every wait for an event that must happen.
const SOON: Duration = Duration::from_secs(20);

/// How long the tests wait for an event that must not happen.
const A_WHILE: Duration = Duration::from_millis(150);

/// Starts a server that sends back what it receives, and reports how each connection ended.
fn echo() -> std::io::Result<(SocketAddr, Receiver<Result<(), ErrorKind>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (sender, ends) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let end = std::io::copy(&mut &client, &mut &client);
                let _ = sender.send(end.map(drop).map_err(|error| error.kind()));
            });
        }
    });
    Ok((address, ends))
}

fn connect(proxy: &Proxy) -> std::io::Result<TcpStream> {
    let client = TcpStream::connect(proxy.address())?;
    client.set_read_timeout(Some(SOON))?;
    Ok(client)
}

/// Sends a text and reads it back.
fn echoes(mut client: &TcpStream, text: &str) -> std::io::Result<()> {
    client.write_all(text.as_bytes())?;
    reads(client, text)
}

fn reads(mut client: &TcpStream, text: &str) -> std::io::Result<()> {
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer)?;
    assert_eq!(String::from_utf8_lossy(&answer), text);
    Ok(())
}

/// Checks that nothing arrives for a while: no data, and no end.
fn reads_nothing(mut client: &TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(A_WHILE))?;
    let error = client.read(&mut [0]).expect_err("a byte was passed on");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    client.set_read_timeout(Some(SOON))
}

fn ids(connections: &[Connection]) -> Vec<u64> {
    connections.iter().map(Connection::id).collect()
}

/// A startup packet of PostgreSQL's protocol.
fn startup(application: &str) -> Vec<u8> {
    let words = format!("user\0shop\0application_name\0{application}\0\0");
    let length = u32::try_from(words.len() + 8).expect("a short packet");
    [&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), words.as_bytes()].concat()
}

#[test]
fn bytes_and_ends_are_passed_on_and_counted() -> TestResult {
    let (server, ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let client = connect(&proxy)?;

    echoes(&client, "hello")?;

    let counted =
        |open: &[Connection]| open.iter().all(|one| (one.bytes_to_server(), one.bytes_to_client()) == (5, 5));
    assert!(proxy.wait_until(SOON, counted), "{proxy:?}");
    assert_eq!((ids(&proxy.connections()), proxy.accepted()), (vec![0], 1));
    drop(client);
    assert_eq!(ends.recv_timeout(SOON)?, Ok(()));
    assert!(proxy.wait_until(SOON, <[Connection]>::is_empty), "{proxy:?}");
    Ok(())
}

#[test]
fn a_megabyte_passes_whole() -> TestResult {
    let (server, _ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let client = connect(&proxy)?;
    let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();

    let (mut writer, bytes) = (client.try_clone()?, sent.clone());
    let writing = std::thread::spawn(move || writer.write_all(&bytes));
    let mut received = vec![0; sent.len()];
    (&client).read_exact(&mut received)?;

    assert!(received == sent);
    writing.join().expect("the writer ends")?;
    Ok(())
}

#[test]
fn a_delay_holds_each_piece_back() -> TestResult {
    let (server, _ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let client = connect(&proxy)?;
    echoes(&client, "quick")?;

    proxy.set_all(Fault::Delay(Duration::from_millis(50)));
    let start = Instant::now();
    echoes(&client, "slow")?;

    // Delayed once on the way to the server, and once on the way back.
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn a_cut_connection_ends_on_both_sides() -> TestResult {
    let (server, ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let client = connect(&proxy)?;
    echoes(&client, "hello")?;

    proxy.set_open(Fault::Cut);

    assert_eq!((&client).read(&mut [0])?, 0);
    assert_eq!(ends.recv_timeout(SOON)?, Ok(()));
    echoes(&connect(&proxy)?, "a new one passes")?;
    Ok(())
}

#[test]
fn a_reset_connection_fails_on_both_sides() -> TestResult {
    let (server, ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let client = connect(&proxy)?;
    echoes(&client, "hello")?;

    proxy.set_open(Fault::Reset);

    let error = (&client).read(&mut [0]).expect_err("it was ended without a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(ends.recv_timeout(SOON)?, Err(ErrorKind::ConnectionReset));
    Ok(())
}

#[test]
fn a_half_open_connection_passes_neither_data_nor_ends_until_it_passes_again() -> TestResult {
    let (server, ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let client = connect(&proxy)?;
    echoes(&client, "hello")?;

    proxy.set_all(Fault::HalfOpen);
    (&client).write_all(b"later")?;
    reads_nothing(&client)?;
    let new = connect(&proxy)?;
    (&new).write_all(b"too")?;
    reads_nothing(&new)?;

    proxy.set_all(Fault::Pass);
    reads(&client, "later")?;
    reads(&new, "too")?;
    proxy.set_all(Fault::HalfOpen);
    drop(client);
    assert!(ends.recv_timeout(A_WHILE).is_err());
    proxy.set_all(Fault::Pass);
    assert_eq!(ends.recv_timeout(SOON)?, Ok(()));
    Ok(())
}

#[test]
fn new_connections_pass_while_those_that_were_open_are_half_open() -> TestResult {
    let (server, _ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let old = connect(&proxy)?;
    echoes(&old, "hello")?;

    proxy.set_open(Fault::HalfOpen);

    (&old).write_all(b"x")?;
    echoes(&connect(&proxy)?, "hello")?;
    reads_nothing(&old)?;
    Ok(())
}

#[test]
fn a_connection_is_known_by_its_startup_packet_and_by_what_its_client_said() -> TestResult {
    let (server, _ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let (one, other) = (connect(&proxy)?, connect(&proxy)?);
    // This client asks for TLS first, as clients do by default.
    (&one).write_all(&[8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat())?;
    (&one).write_all(&startup("listener"))?;
    (&other).write_all(&startup("pusher"))?;
    (&other).write_all(b"Q\0\0\0\x0bLISTEN x\0")?;
    let names = |open: &[Connection]| {
        let mut names: Vec<String> =
            open.iter().filter_map(|one| one.parameter("application_name").map(str::to_owned)).collect();
        names.sort();
        names
    };
    assert!(proxy.wait_until(SOON, |open| names(open) == ["listener", "pusher"]), "{proxy:?}");
    assert!(proxy.wait_until(SOON, |open| open.iter().any(|one| one.has_said("listen x"))), "{proxy:?}");
    assert!(proxy.connections().iter().all(|one| one.parameter("user") == Some("shop")));
    assert!(proxy.connections().iter().all(|one| one.parameter("password").is_none()));

    let is_listener = |one: &Connection| one.parameter("application_name") == Some("listener");
    assert_eq!(proxy.set_matching(is_listener, Fault::HalfOpen), 1);

    let faults: Vec<_> = proxy.connections().iter().map(Connection::fault).collect();
    assert!(faults.contains(&Fault::HalfOpen) && faults.contains(&Fault::Pass), "{faults:?}");
    Ok(())
}

#[test]
fn refused_connections_fail_at_once_and_open_ones_go_on() -> TestResult {
    let (server, _ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let old = connect(&proxy)?;
    echoes(&old, "hello")?;

    proxy.refuse(true);

    let error = connect(&proxy).expect_err("it was accepted");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    echoes(&old, "still here")?;
    proxy.refuse(false);
    echoes(&connect(&proxy)?, "hello")?;
    Ok(())
}

#[test]
fn a_client_of_a_server_that_is_away_sees_an_end() -> TestResult {
    let away = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let proxy = Proxy::to_address(away)?;

    let end = (&connect(&proxy)?).read(&mut [0]);

    assert!(matches!(&end, Ok(0) | Err(_)), "{end:?}");
    assert!(proxy.wait_until(SOON, <[Connection]>::is_empty));
    Ok(())
}

#[test]
fn a_dropped_proxy_leaves_neither_a_thread_nor_a_descriptor_behind() -> TestResult {
    let (server, ends) = echo()?;
    let proxy = Proxy::to_address(server)?;
    let (one, other) = (connect(&proxy)?, connect(&proxy)?);
    echoes(&one, "hello")?;
    echoes(&other, "hello")?;
    proxy.set_open(Fault::HalfOpen);
    let address = proxy.address();

    // The proxy's thread owned all of its descriptors, and has been joined.
    drop(proxy);

    assert_eq!((&one).read(&mut [0])?, 0);
    assert_eq!((&other).read(&mut [0])?, 0);
    for _ in 0..2 {
        assert_eq!(ends.recv_timeout(SOON)?, Ok(()));
    }
    drop(TcpStream::connect(address).expect_err("a socket still listens"));
    Ok(())
}

//! A proxy that injects network faults into connections.
//!
//! | task | how many | ends |
//! | --- | --- | --- |
//! | acceptor | one | with the proxy |
//! | relay | one for each connection | with the connection, or with the proxy |
//!
//! All tasks run on one thread of the proxy's own. They share `Shared`: the connections, each with a channel that carries
//! its fault, and a condition variable on which `wait_until` waits. A setter stores the fault before it returns, and a relay reads
//! the fault before each write, so bytes sent after `set_all(Fault::HalfOpen)` are never passed on.

mod connection;
mod relay;
mod shared;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::oneshot;

use crate::error::ServerError;
use crate::postgres::Postgres;
use shared::Shared;

pub use connection::Connection;

/// A fault of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No fault: data and ends of streams are passed on.
    #[default]
    Pass,
    /// Each piece of data is passed on after this delay.
    Delay(Duration),
    /// The connection stays up, and nothing is passed on in either direction: no data, and no end. Once the connection
    /// passes again, the retained data follows.
    ///
    /// This machine answers the TCP keepalives of both sides, so only a program that sends data itself notices the fault.
    HalfOpen,
    /// Both sides see the end of the stream (FIN).
    Cut,
    /// Both sides see a reset (RST), if they are connected by TCP.
    Reset,
}

/// The server that the proxy connects to.
#[derive(Clone, Debug)]
enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A proxy in front of a server, on a port of this machine only. Dropping it closes its connections and ends its thread.
///
/// ```
/// use test_servers::{Fault, Proxy};
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let proxy = Proxy::to_address(server.local_addr()?)?;
/// proxy.set_matching(|connection| connection.has_said("listen "), Fault::HalfOpen);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of a PostgreSQL server. The server may be stopped and started again behind it.
    ///
    /// # Errors
    ///
    /// If the operating system reports an error.
    pub fn to_postgres(server: &Postgres) -> Result<Self, ServerError> {
        Self::start(Upstream::Unix(server.socket_folder().join(".s.PGSQL.5432")))
    }

    /// Starts a proxy in front of a Unix socket.
    ///
    /// # Errors
    ///
    /// If the operating system reports an error.
    pub fn to_socket(socket: impl Into<PathBuf>) -> Result<Self, ServerError> {
        Self::start(Upstream::Unix(socket.into()))
    }

    /// Starts a proxy in front of a TCP server.
    ///
    /// # Errors
    ///
    /// If the operating system reports an error.
    pub fn to_address(server: SocketAddr) -> Result<Self, ServerError> {
        Self::start(Upstream::Tcp(server))
    }

    fn start(upstream: Upstream) -> Result<Self, ServerError> {
        let failed = "the proxy can't be started";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ServerError::io(failed))?;
        // This socket never listens. It keeps the port for the proxy while the proxy refuses connections.
        let keeper = {
            let _inside = runtime.enter();
            bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        };
        let keeper = keeper.map_err(ServerError::io("can't find a free port"))?;
        let address = keeper.local_addr().map_err(ServerError::io(failed))?;
        let shared = Arc::new(Shared::new());
        let (stop, stopped) = oneshot::channel();
        let tasks = relay::accept(address, upstream, shared.clone(), stopped);
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(tasks);
            drop(keeper);
        });
        let thread = thread.map_err(ServerError::io(failed))?;
        let proxy = Self { address, shared, stop: Some(stop), thread: Some(thread) };
        proxy.shared.wait_until_listening(true);
        Ok(proxy)
    }

    /// Returns the address on which the proxy listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a PostgreSQL database through the proxy. The database `postgres` exists from the beginning.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.url_of("postgres", database)
    }

    /// Returns the URL of a PostgreSQL database through the proxy, for another user, with or without a password
    /// (`user:password`).
    #[must_use]
    pub fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@{}/{database}?sslmode=disable", self.address)
    }

    /// Sets the fault of every connection, open and future.
    pub fn set_all(&self, fault: Fault) {
        self.shared.set_future(fault);
        self.shared.set_open(fault, |_| true);
    }

    /// Sets the fault of the connections that are open now.
    pub fn set_open(&self, fault: Fault) {
        self.shared.set_open(fault, |_| true);
    }

    /// Sets the fault of future connections.
    pub fn set_future(&self, fault: Fault) {
        self.shared.set_future(fault);
    }

    /// Sets the fault of the open connections for which `matches` returns true, and returns their number.
    ///
    /// `matches` must not call the proxy.
    pub fn set_matching(&self, matches: impl Fn(&Connection) -> bool, fault: Fault) -> usize {
        self.shared.set_open(fault, matches)
    }

    /// Sets whether new connections are refused, as if there were no server. Open connections are not affected.
    ///
    /// Returns once the change is in effect.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuse(refuses);
        self.shared.wait_until_listening(!refuses);
    }

    /// Returns the open connections in the order of their ids.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.connections()
    }

    /// Returns the number of connections that were ever accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.accepted()
    }

    /// Waits until `is_so` is true of the open connections, for at most `timeout`. Returns whether it became true.
    ///
    /// Blocks the thread: call it within `spawn_blocking`, or when other threads do the work.
    #[must_use]
    pub fn wait_until(&self, timeout: Duration, is_so: impl Fn(&[Connection]) -> bool) -> bool {
        self.shared.wait_until(timeout, is_so)
    }
}

/// Binds a socket to an address that it shares with the proxy's other socket.
fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

//! The proxy's tasks: one accepts connections, and one for each connection relays its bytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::shared::{Direction, Shared};
use super::{Fault, Upstream, bind};

/// The size of the buffer of one read.
const PIECE: usize = 64 * 1024;

/// Accepts connections until `stopped` ends. Then all connections are closed.
pub(super) async fn accept(
    address: SocketAddr,
    upstream: Upstream,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut refusals = shared.refusals();
    let mut relays = JoinSet::new();
    loop {
        let listener = if *refusals.borrow_and_update() { None } else { listen(address).ok() };
        shared.set_listening(listener.is_some());
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => return,
                changed = refusals.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Some(_) = relays.join_next() => {}
                Ok(client) = next(listener.as_ref()) => {
                    relays.spawn(connection(client, upstream.clone(), shared.clone()));
                }
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address)?.listen(1024)
}

/// Waits for a client. Never returns while the proxy doesn't listen.
async fn next(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

async fn connection(client: TcpStream, upstream: Upstream, shared: Arc<Shared>) {
    let (id, faults) = shared.open();
    let relay = Relay { id, shared, faults };
    let ended = relay.run(client, upstream).await;
    // If the connection failed, the other side ends as well.
    drop(ended);
    relay.shared.close(id);
}

struct Relay {
    id: u64,
    shared: Arc<Shared>,
    faults: watch::Receiver<Fault>,
}

impl Relay {
    async fn run(&self, mut client: TcpStream, upstream: Upstream) -> io::Result<()> {
        // Without Nagle's algorithm, because a request must not wait for an acknowledgement.
        client.set_nodelay(true)?;
        let end = tokio::select! {
            biased;
            end = self.ending() => Some(end),
            () = self.gate() => None,
        };
        if let Some(end) = end {
            return finish(end, client, None).await;
        }
        match upstream {
            Upstream::Tcp(address) => {
                let mut server = TcpStream::connect(address).await?;
                server.set_nodelay(true)?;
                match self.between(&mut client, &mut server).await {
                    Some(end) => finish(end, client, Some(server)).await,
                    None => Ok(()),
                }
            }
            Upstream::Unix(path) => {
                let mut server = UnixStream::connect(path).await?;
                let end = self.between(&mut client, &mut server).await;
                drop(server);
                match end {
                    Some(end) => finish(end, client, None).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Relays bytes in both directions until both have ended, one has failed, or a fault ends the connection.
    async fn between(
        &self,
        client: &mut TcpStream,
        server: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Option<Fault> {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        let passed = async {
            tokio::try_join!(
                self.pass(from_client, to_server, Direction::ToServer),
                self.pass(from_server, to_client, Direction::ToClient),
            )
        };
        tokio::select! {
            biased;
            end = self.ending() => Some(end),
            ended = passed => { drop(ended); None }
        }
    }

    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        direction: Direction,
    ) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = from.read(&mut piece).await?;
            let mut rest = piece.get(..read).unwrap_or_default();
            if direction == Direction::ToServer {
                self.shared.heard(self.id, rest);
            }
            self.delay().await;
            if rest.is_empty() {
                self.gate().await;
                return to.shutdown().await;
            }
            while !rest.is_empty() {
                self.gate().await;
                let written = to.write(rest).await?;
                self.shared.passed(self.id, direction, written);
                rest = rest.get(written..).unwrap_or_default();
            }
        }
    }

    /// Waits while the connection is half-open.
    async fn gate(&self) {
        let passes = |fault: &Fault| *fault != Fault::HalfOpen;
        // `wait_for` fails only after the sender was dropped, and the sender outlives the connection.
        drop(self.faults.clone().wait_for(passes).await);
    }

    /// Waits for the connection's delay, or until its fault changes.
    async fn delay(&self) {
        let mut faults = self.faults.clone();
        let Fault::Delay(delay) = *faults.borrow_and_update() else { return };
        tokio::select! {
            _ = faults.changed() => {}
            () = sleep(delay) => {}
        }
    }

    /// Waits for a fault that ends the connection.
    async fn ending(&self) -> Fault {
        let ends = |fault: &Fault| matches!(fault, Fault::Cut | Fault::Reset);
        let end = self.faults.clone().wait_for(ends).await.map(|fault| *fault);
        end.unwrap_or(Fault::Cut)
    }
}

/// Ends a connection as its fault requires.
async fn finish(end: Fault, mut client: TcpStream, server: Option<TcpStream>) -> io::Result<()> {
    if end == Fault::Reset {
        client.set_zero_linger()?;
        return server.map_or(Ok(()), |server| server.set_zero_linger());
    }
    drop(server);
    client.shutdown().await?;
    // Closing a socket with unread bytes would send a reset instead.
    let mut rest = vec![0; PIECE];
    while client.read(&mut rest).await? > 0 {}
    Ok(())
}

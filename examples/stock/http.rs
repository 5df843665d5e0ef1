//! An HTTP server as a hosted service.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use async_trait::async_trait;
use axum::Router;
use queue_core::BoxError;
use queue_tokio::{HostContext, HostedService};

/// Serves a router on the loopback interface for as long as the host runs; requests that were begun are answered.
#[derive(Debug)]
pub struct HttpService {
    name: &'static str,
    listener: TcpListener,
    router: Router,
}

impl HttpService {
    /// Serves a router on a listener.
    #[must_use]
    pub fn new(name: &'static str, listener: TcpListener, router: Router) -> Self {
        Self { name, listener, router }
    }
}

#[async_trait]
impl HostedService for HttpService {
    fn name(&self) -> &str {
        self.name
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
        let stopping = context.stopping().clone().cancelled_owned();
        axum::serve(listener, self.router.clone()).with_graceful_shutdown(stopping).await?;
        Ok(())
    }
}

/// Takes a port of the loopback interface; 0 takes a free one. Connections wait until somebody serves them.
///
/// # Errors
///
/// The port can't be had.
pub fn listen(port: u16) -> Result<(TcpListener, SocketAddr), PortError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => PortError::Taken { port, other: port.checked_add(1).unwrap_or(8080) },
        _ => PortError::Refused { port, source },
    })
}

/// Why a port can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// Somebody else has it.
    #[error(
        "port {port} is taken by another program: stop that one, or choose another port, as in `--port {other}`"
    )]
    Taken {
        /// Which port.
        port: u16,
        /// Another one.
        other: u16,
    },
    /// The system doesn't give it.
    #[error("port {port} can't be listened on: choose another with --port")]
    Refused {
        /// Which port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

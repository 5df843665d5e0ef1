//! An HTTP server as a hosted service.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use async_trait::async_trait;
use axum::Router;
use queue_core::BoxError;
use queue_tokio::{HostContext, HostedService};

/// Serves a router on the loopback interface until the host stops; requests in flight are answered.
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

/// Binds a port of the loopback interface; 0 chooses a free one. Connections wait until they are accepted.
///
/// # Errors
///
/// The port can't be bound.
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

/// Why a port can't be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// Another program uses the port.
    #[error(
        "port {port} is in use by another program: stop that program, or choose another port, as in `--port {other}`"
    )]
    Taken {
        /// The port.
        port: u16,
        /// Another port to try.
        other: u16,
    },
    /// The system refuses the port.
    #[error("port {port} can't be listened on: choose another with --port")]
    Refused {
        /// The port.
        port: u16,
        /// The error of the system.
        source: io::Error,
    },
}

//! The ports of the HTTP servers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Binds a port of the loopback interface; 0 chooses a free one. Connections wait until they are accepted.
///
/// # Errors
///
/// The port can't be bound.
pub fn listen(port: u16) -> Result<(TcpListener, SocketAddr), PortError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| {
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

//! The state of a connection, and the first bytes that its client sent.

use std::fmt;

use super::Fault;

/// The number of the client's first bytes that are recorded.
pub(super) const KEPT: usize = 16 * 1024;

/// The maximum number of packets before the startup packet: the requests for TLS and for GSSAPI.
const REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

/// A snapshot of a connection through a [`Proxy`](super::Proxy).
#[derive(Clone)]
pub struct Connection {
    pub(super) id: u64,
    pub(super) fault: Fault,
    pub(super) said: Vec<u8>,
    pub(super) to_server: u64,
    pub(super) to_client: u64,
}

impl Connection {
    /// Returns its number, counted from 0 in the order of acceptance.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Returns its fault.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// Returns the number of bytes that were passed on to the server.
    #[must_use]
    pub const fn bytes_to_server(&self) -> u64 {
        self.to_server
    }

    /// Returns the number of bytes that were passed on to the client.
    #[must_use]
    pub const fn bytes_to_client(&self) -> u64 {
        self.to_client
    }

    /// Returns whether the client's first 16 KiB contain this text, ignoring case: `has_said("listen ")` finds the connection
    /// that listens for notifications.
    #[must_use]
    pub fn has_said(&self, text: &str) -> bool {
        !text.is_empty()
            && self.said.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
    }

    /// Returns a parameter of the client's startup packet, such as `application_name`, `user` or `database`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut rest = &*self.said;
        loop {
            let length = usize::try_from(number(rest, 0)?).ok()?;
            let packet = rest.get(..length)?;
            if !REQUESTS.contains(&number(packet, 4)?) {
                let words = packet.get(8..)?.split(|byte| *byte == 0).collect::<Vec<_>>();
                let value =
                    words.chunks_exact(2).find(|pair| pair.first() == Some(&name.as_bytes()))?.get(1)?;
                return std::str::from_utf8(value).ok();
            }
            rest = rest.get(length..)?;
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("fault", &self.fault)
            .field("application_name", &self.parameter("application_name"))
            .field("user", &self.parameter("user"))
            .field("bytes_to_server", &self.to_server)
            .field("bytes_to_client", &self.to_client)
            .finish_non_exhaustive()
    }
}

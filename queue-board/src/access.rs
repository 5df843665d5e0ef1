//! The access of a request: to nothing, to the pages, or to changes too.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HOST};
use axum::http::request::Parts;

/// The access of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The request is refused.
    Forbidden,
    /// The request may read pages.
    Look,
    /// The request may read pages and change jobs.
    Act {
        /// The operator, for the log and the observer.
        who: String,
    },
}

impl Access {
    /// Returns the access of an operator, who may read pages and change jobs.
    pub fn act(who: impl Into<String>) -> Self {
        Self::Act { who: who.into() }
    }

    pub(crate) fn operator(&self) -> Option<&str> {
        match self {
            Self::Act { who } => Some(who),
            Self::Forbidden | Self::Look => None,
        }
    }

    /// Returns the access of a board without [`Board::access`](crate::Board::access): programs on this machine may look.
    ///
    /// A rule can extend it: `queue board --allow-changes` permits changes where this returns [`Look`](Self::Look). It needs a
    /// router that is served with `into_make_service_with_connect_info::<SocketAddr>()`, and refuses each request otherwise.
    ///
    /// A page of another site can have its own name point to 127.0.0.1, so the `Host` must be this machine, too. A proxy on this
    /// machine forwards requests of other machines, so a forwarded request is refused.
    #[must_use]
    pub fn of_this_machine(request: &Parts) -> Self {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        let is_peer_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
        if is_peer_local && is_host_local(&request.headers) && !is_forwarded(&request.headers) {
            Self::Look
        } else {
            Self::Forbidden
        }
    }
}

fn is_host_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(without_port, "localhost" | "127.0.0.1" | "[::1]")
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED) || headers.keys().any(|name| name.as_str().starts_with("x-forwarded-"))
}

/// Why the default rule refuses a request.
pub(crate) const ADVICE: &str = "the board is only for programs on this machine: set `Board::access` to admit others, or \
     serve the router with `into_make_service_with_connect_info::<SocketAddr>()`, so that the board can see where a request \
     comes from";

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn access(peer: Option<&str>, headers: &[(&'static str, &str)]) -> Access {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(peer) = peer {
            request = request.extension(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        }
        Access::of_this_machine(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_this_machine_may_look() {
        type Case<'a> = (Option<&'a str>, &'a [(&'static str, &'a str)], Access);
        let local = Some("127.0.0.1:4000");
        let table: [Case<'_>; 9] = [
            (local, &[("host", "localhost:8080")], Access::Look),
            (local, &[("host", "127.0.0.1")], Access::Look),
            (Some("[::1]:4000"), &[("host", "[::1]:80")], Access::Look),
            (Some("[::ffff:127.0.0.1]:4000"), &[("host", "localhost")], Access::Look),
            (Some("10.0.0.7:4000"), &[("host", "localhost")], Access::Forbidden),
            (None, &[("host", "localhost")], Access::Forbidden),
            (local, &[("host", "rebound.example")], Access::Forbidden),
            (local, &[("host", "localhost"), ("x-forwarded-for", "10.0.0.7")], Access::Forbidden),
            (local, &[("host", "localhost"), ("forwarded", "for=10.0.0.7")], Access::Forbidden),
        ];

        for (peer, headers, expected) in table {
            assert_eq!(access(peer, headers), expected, "{peer:?} {headers:?}");
        }
    }
}

//! An HTTP server as a hosted service.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use queue_core::{BoxError, CancellationToken};

use crate::hosted::{HostContext, HostedService};

/// Serves an axum router until the host stops. Needs the feature `axum`.
///
/// Add it behind the services of jobs: services stop in reverse, so it accepts no further request before these stop. Requests in
/// flight are answered within the shutdown timeout; connections that are open for longer are closed.
///
/// ```
/// use axum::Router;
/// use queue_core::jobs;
/// use queue_tokio::{Host, HttpService, MemoryQueue, QueueService};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), queue_core::BoxError> {
/// let builder = Host::builder().service(QueueService::new(MemoryQueue::new(), jobs![]));
/// let router = Router::new().merge(builder.health().router()); // and the routes of the application
/// let host = builder.service(HttpService::bind("127.0.0.1:0", router)?).build()?;
///
/// let running = host.start().await?; // or `host.run().await?`
/// running.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct HttpService {
    name: String,
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    on_stop: CancellationToken,
}

impl HttpService {
    /// Binds an address; port 0 chooses a free one. Connections wait until the host has started.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn bind(address: impl ToSocketAddrs, router: Router) -> io::Result<Self> {
        Self::over(TcpListener::bind(address)?, router)
    }

    /// Serves on a listener.
    ///
    /// # Errors
    ///
    /// The listener cannot be made non-blocking.
    pub fn over(listener: TcpListener, router: Router) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { name: "http".to_owned(), listener, address, router, on_stop: CancellationToken::new() })
    }

    /// Sets the name of the service in logs and errors: `http` by default.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Cancels a token when the host stops. A handler whose response has no end, such as a stream of events, ends it then; the
    /// server would wait for it until the shutdown timeout.
    #[must_use]
    pub fn cancel_on_stop(mut self, token: CancellationToken) -> Self {
        self.on_stop = token;
        self
    }

    /// Returns the bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

#[async_trait]
impl HostedService for HttpService {
    fn name(&self) -> &str {
        &self.name
    }

    /// Returns zero: the shutdown timeout is enough for a request.
    fn clean_up(&self) -> Duration {
        Duration::ZERO
    }

    async fn start(&mut self, _: &HostContext) -> Result<(), BoxError> {
        tracing::info!(service = self.name, address = %self.address, "serving HTTP");
        Ok(())
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        // The listener stays open, for a restart by the host.
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
        let (stopping, on_stop) = (context.stopping().clone(), self.on_stop.clone());
        let stop = async move {
            stopping.cancelled().await;
            on_stop.cancel();
        };
        axum::serve(listener, self.router.clone()).with_graceful_shutdown(stop).await?;
        Ok(())
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

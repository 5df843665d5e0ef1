//! Where the jobs are: a server, a database, a schema.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{BoxError, QueueError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};

use crate::error::explained;
use crate::pulse::Alarm;

/// A schema in a database, and the way to it. `Display` names it without what is secret.
#[derive(Clone)]
pub(crate) struct Place {
    /// The options that the queue was opened with: messages name the place by them.
    pub(crate) options: PgConnectOptions,
    /// Where a new connection takes its options from.
    pub(crate) source: Source,
    pub(crate) schema: Arc<str>,
    /// Whether a pooler in transaction mode is on the way, so that nothing may stay with a connection.
    pub(crate) is_pooled: bool,
    /// For how long a call is waited for.
    pub(crate) timeout: Duration,
    /// Warns of connections that died without being closed.
    pub(crate) alarm: Arc<Alarm>,
}

/// Where a new connection takes its options from.
#[derive(Clone)]
pub(crate) enum Source {
    /// From those that the queue was opened with.
    Fixed,
    /// From the options that the application's pool has at that time.
    Pool(PgPool),
    /// From a function of the application, which changes those that the queue was opened with.
    Made(MakeOptions),
}

/// Makes connect options of those that the queue was opened with.
pub(crate) type MakeOptions =
    Arc<dyn Fn(PgConnectOptions) -> BoxFuture<'static, Result<PgConnectOptions, BoxError>> + Send + Sync>;

/// Names are cut at 63 bytes by the server, and ours are made of this one.
const LONGEST_SCHEMA: usize = 48;

impl Place {
    /// Reads a URL; what is wrong with it is said without showing it.
    pub(crate) fn parse(url: &str) -> Result<PgConnectOptions, QueueError> {
        let is_ours = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = url.parse::<PgConnectOptions>().ok().filter(|_| is_ours);
        options.ok_or_else(|| {
            QueueError::invalid(
                "the URL of the database can't be read: it's `postgres://user:password@host:port/database`, with what \
                 is special in the password escaped as `%40`",
            )
        })
    }

    /// Makes the options those that our own connections have.
    pub(crate) fn prepared(mut self) -> Result<Self, QueueError> {
        if self.schema.is_empty() || self.schema.len() > LONGEST_SCHEMA || self.schema.contains('\0') {
            return Err(QueueError::invalid(format!(
                "the schema's name `{}` has {} bytes: it must have 1 to {LONGEST_SCHEMA}",
                self.schema,
                self.schema.len()
            )));
        }
        self.options = self.our_own(self.options.clone());
        Ok(self)
    }

    fn our_own(&self, options: PgConnectOptions) -> PgConnectOptions {
        let options = options.disable_statement_logging();
        if self.is_pooled {
            // Poolers know few of the parameters that a session begins with.
            return options.statement_cache_capacity(0).extra_float_digits(None);
        }
        options
    }

    /// Returns the options for a new connection, as they are now: passwords may have changed since the queue was opened.
    pub(crate) async fn connect_options(&self) -> Result<PgConnectOptions, QueueError> {
        let options = match &self.source {
            Source::Fixed => return Ok(self.options.clone()),
            Source::Pool(pool) => (*pool.connect_options()).clone(),
            Source::Made(make) => make(self.options.clone()).await.map_err(|error| {
                let text = format!("the connect options for {self} could not be made: see the cause");
                QueueError::unavailable(text).with_source(error)
            })?,
        };
        Ok(self.our_own(options))
    }

    /// Opens a connection within the timeout.
    pub(crate) async fn connect(&self) -> Result<PgConnection, QueueError> {
        let connect = async {
            let options = self.connect_options().await?;
            PgConnection::connect_with(&options).await.map_err(|error| explained(error, self))
        };
        tokio::time::timeout(self.timeout, connect)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(self.timeout)))
    }

    /// Returns the error of a connection that was not open within the bound.
    pub(crate) fn unreachable(&self, bound: Duration) -> QueueError {
        QueueError::unavailable(format!(
            "{self} can't be reached within {bound:?}: see the address, the port and the firewalls between"
        ))
    }

    /// The schema as it's written in a statement.
    pub(crate) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }

    /// The channel on which the processes that share the schema tell one another of new jobs.
    pub(crate) fn channel(&self) -> String {
        format!("queue_jobs:{}", self.schema)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        // Where none is named, the server takes the user's name.
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        match options.get_socket() {
            Some(socket) => write!(f, "database `{database}` on `{}`", socket.display()),
            None => write!(f, "database `{database}` on `{}:{}`", options.get_host(), options.get_port()),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("database", &self.to_string()).field("schema", &self.schema).finish()
    }
}

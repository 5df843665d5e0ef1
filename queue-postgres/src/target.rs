//! The place of the jobs: a server, a database and a schema.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{BoxError, QueueError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgPool};

use crate::dead_connection_warning::DeadConnectionWarning;

/// A schema in a database, and how to connect to it. `Display` names it without secrets.
#[derive(Clone)]
pub(crate) struct Target {
    /// The options that the queue was opened with. Messages name the database by them.
    pub(crate) options: PgConnectOptions,
    /// The source of a new connection's options.
    pub(crate) options_source: OptionsSource,
    pub(crate) schema: Arc<str>,
    /// Whether a pooler in transaction mode is in between, so that sessions must keep no state.
    pub(crate) behind_pooler: bool,
    /// How long a call may take.
    pub(crate) timeout: Duration,
    /// Warns of connections that died without being closed.
    pub(crate) dead_connection_warning: Arc<DeadConnectionWarning>,
}

/// The source of a new connection's options.
#[derive(Clone)]
pub(crate) enum OptionsSource {
    /// The options that the queue was opened with.
    Fixed,
    /// The options that the application's pool has at the time.
    Pool(PgPool),
    /// The result of a function of the application, called with the options that the queue was opened with.
    Made(MakeOptions),
}

/// A function that returns connect options, given those that the queue was opened with.
pub(crate) type MakeOptions =
    Arc<dyn Fn(PgConnectOptions) -> BoxFuture<'static, Result<PgConnectOptions, BoxError>> + Send + Sync>;

/// The server cuts names at 63 bytes, and the channel's name contains the schema's.
const MAX_SCHEMA_LENGTH: usize = 48;

impl Target {
    /// Checks the schema's name, and sets the options that the queue's own connections need.
    pub(crate) fn prepare(mut self) -> Result<Self, QueueError> {
        if self.schema.is_empty() || self.schema.len() > MAX_SCHEMA_LENGTH || self.schema.contains('\0') {
            return Err(QueueError::invalid(format!(
                "the schema's name `{}` has {} bytes: it must have 1 to {MAX_SCHEMA_LENGTH}",
                self.schema,
                self.schema.len()
            )));
        }
        self.options = self.for_queue(self.options.clone());
        Ok(self)
    }

    /// Returns the options with the settings that the queue's own connections need.
    fn for_queue(&self, options: PgConnectOptions) -> PgConnectOptions {
        let options = options.disable_statement_logging();
        if self.behind_pooler {
            // Poolers support few startup parameters.
            return options.statement_cache_capacity(0).extra_float_digits(None);
        }
        options
    }

    /// Returns the current options for a new connection: passwords may have changed since the queue was opened.
    pub(crate) async fn connect_options(&self) -> Result<PgConnectOptions, QueueError> {
        let options = match &self.options_source {
            OptionsSource::Fixed => return Ok(self.options.clone()),
            OptionsSource::Pool(pool) => (*pool.connect_options()).clone(),
            OptionsSource::Made(make) => make(self.options.clone()).await.map_err(|error| {
                let text = format!("no connect options for {self}: see the cause");
                QueueError::unavailable(text).with_source(error)
            })?,
        };
        Ok(self.for_queue(options))
    }

    /// Returns the schema's name quoted for a statement.
    pub(crate) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema.replace('"', "\"\""))
    }

    /// Returns the channel on which the processes that share the schema notify one another.
    pub(crate) fn channel(&self) -> String {
        format!("queue_jobs:{}", self.schema)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        // Without a database, the server uses the user's name.
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        match options.get_socket() {
            Some(socket) => write!(f, "database `{database}` on `{}`", socket.display()),
            None => write!(f, "database `{database}` on `{}:{}`", options.get_host(), options.get_port()),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("database", &self.to_string()).field("schema", &self.schema).finish()
    }
}

//! The source of a queue's connections: a URL, a pool or the driver's options.

use std::fmt;

use queue_core::QueueError;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// How to connect to a database: the argument of [`PostgresQueue::builder`](crate::PostgresQueue::builder).
///
/// It is created from a URL, from an application's pool, or from the driver's own options, which can name certificates.
#[derive(Clone)]
pub struct Source(Kind);

#[derive(Clone)]
enum Kind {
    Url(String),
    Pool(PgPool),
    Options(Box<PgConnectOptions>),
}

impl Source {
    /// Returns the connect options, those of a pool at this time.
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL that can't be parsed. The error doesn't contain it.
    pub(crate) fn connect_options(&self) -> Result<PgConnectOptions, QueueError> {
        match &self.0 {
            Kind::Url(url) => parse(url),
            Kind::Pool(pool) => Ok((*pool.connect_options()).clone()),
            Kind::Options(options) => Ok((**options).clone()),
        }
    }

    /// Returns the application's pool, if it is one.
    pub(crate) fn pool(&self) -> Option<&PgPool> {
        match &self.0 {
            Kind::Pool(pool) => Some(pool),
            Kind::Url(_) | Kind::Options(_) => None,
        }
    }
}

fn parse(url: &str) -> Result<PgConnectOptions, QueueError> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = url.parse::<PgConnectOptions>().ok().filter(|_| is_postgres);
    options.ok_or_else(|| {
        QueueError::invalid(
            "the URL of the database can't be read: write `postgres://user:password@host:port/database`, with special \
             characters in the password escaped as in `%40`",
        )
    })
}

impl From<&str> for Source {
    fn from(url: &str) -> Self {
        Self(Kind::Url(url.to_owned()))
    }
}

impl From<&String> for Source {
    fn from(url: &String) -> Self {
        Self(Kind::Url(url.clone()))
    }
}

impl From<String> for Source {
    fn from(url: String) -> Self {
        Self(Kind::Url(url))
    }
}

impl From<PgPool> for Source {
    fn from(pool: PgPool) -> Self {
        Self(Kind::Pool(pool))
    }
}

impl From<PgConnectOptions> for Source {
    fn from(options: PgConnectOptions) -> Self {
        Self(Kind::Options(Box::new(options)))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL and the options may contain a password.
        let kind = match &self.0 {
            Kind::Url(_) => "Url",
            Kind::Pool(_) => "Pool",
            Kind::Options(_) => "Options",
        };
        f.debug_tuple("Source").field(&kind).finish()
    }
}

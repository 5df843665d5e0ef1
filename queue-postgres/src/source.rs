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
    let options = url.parse::<PgConnectOptions>().ok().filter(|_| has_scheme_of_postgres(url));
    options.ok_or_else(|| QueueError::invalid(mistake(url)))
}

fn has_scheme_of_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Returns which part of a URL is wrong and what to write instead, without any value of it.
fn mistake(url: &str) -> String {
    if url.trim().is_empty() {
        return "the URL is empty: is `DATABASE_URL` set?".to_owned();
    }
    let form = "write `postgres://user:password@host:port/database`";
    if !has_scheme_of_postgres(url) {
        return format!(
            "the URL of the database does not begin with `postgres://` or `postgresql://`: {form}"
        );
    }
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    if let Some(name) = query.split('&').find_map(bad_parameter) {
        return format!("the parameter `{name}` in the URL of the database has a value that is not allowed");
    }
    let escape = "with special characters in the password escaped as in `%40`";
    if has_bad_port(address) {
        return format!(
            "the port in the URL of the database is not a number up to {}: {form}, {escape}",
            u16::MAX
        );
    }
    format!("the URL of the database can't be read: {form}, {escape}")
}

/// Returns the name of a parameter whose value the driver refuses. It checks only values of names that it knows.
fn bad_parameter(parameter: &str) -> Option<&str> {
    let (name, _) = parameter.split_once('=')?;
    let alone = format!("postgres://host/?{parameter}").parse::<PgConnectOptions>();
    alone.is_err().then_some(name)
}

/// Returns whether the text behind the host's colon is not a port.
fn has_bad_port(address: &str) -> bool {
    let rest = address.split("://").nth(1).unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') {
        // A slash in the password has ended the host.
        return false;
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    // The colons of an IPv6 address are in brackets.
    let behind = host.rsplit(']').next().unwrap_or_default();
    let port = behind.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_url_names_the_wrong_part_and_no_value() {
        let table = [
            ("", "the URL is empty: is `DATABASE_URL` set?"),
            ("postgre://s3cret", "does not begin with `postgres://`"),
            ("mysql://user:s3cret@host/db", "does not begin with `postgres://`"),
            (
                "postgres://user:s3cret@host:99999/db",
                "the port in the URL of the database is not a number up to 65535",
            ),
            (
                "postgres://user:s3cret@[::1]:99999/db",
                "the port in the URL of the database is not a number up to 65535",
            ),
            ("postgres://user:s3cret/1@host/db", "the URL of the database can't be read"),
            ("postgres://host/db?user=s3cret&sslmode=s3cret", "the parameter `sslmode` in the URL"),
            ("postgres://[s3cret/db", "the URL of the database can't be read"),
        ];

        for (url, expected) in table {
            let text = parse(url).expect_err(url).to_string();

            assert!(text.contains(expected), "{url}: {text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

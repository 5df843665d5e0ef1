//! Errors of the driver and the server as queue errors.

use std::borrow::Cow;
use std::sync::Arc;

use queue_core::{QueueError, QueueErrorKind};
use sqlx::Error;

use crate::place::Place;

/// Additional advice in errors about TLS.
const TLS_ADVICE: &str =
    if cfg!(feature = "rustls") { "" } else { "; and turn on the feature `rustls` of `queue-postgres`" };

/// Returns the server's error code (SQLSTATE).
pub(crate) fn code(error: &Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

/// Returns whether the connection can't be used any more.
pub(crate) fn is_connection_lost(error: &Error) -> bool {
    match error {
        // The server ends the session with these: it shuts down, it crashed, an operator ended it, it is a standby now.
        Error::Database(_) => {
            let code = code(error);
            let code = code.as_deref().unwrap_or_default();
            code.starts_with("57P") || code.starts_with("08") || code == "25006"
        }
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_) | Error::RowNotFound => false,
        _ => true,
    }
}

/// Returns whether the server reported the error, rather than the driver or the network.
pub(crate) fn is_of_the_server(error: &Error) -> bool {
    matches!(error, Error::Database(_))
}

/// Returns whether the server had ended the session before it read the request: it says so, or the socket was closed when
/// the request was written. In both cases nothing was done.
pub(crate) fn was_ended_idle(error: &Error) -> bool {
    let is_closed = matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe);
    is_closed || code(error).as_deref() == Some("57P05")
}

/// Returns whether the same transaction can be retried: the server rolled it back in a conflict with another one.
pub(crate) fn is_contention(error: &Error) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01" | "55P03"))
}

/// Returns whether the statement waited for a lock longer than `lock_timeout`.
pub(crate) fn is_lock_timeout(error: &Error) -> bool {
    code(error).as_deref() == Some("55P03")
}

/// Returns whether the server cancelled the statement, because it took too long or because an operator asked for that.
pub(crate) fn is_cancelled(error: &Error) -> bool {
    code(error).as_deref() == Some("57014")
}

/// Returns whether the server may have no room for a notification. Other limits of the server have the same code.
pub(crate) fn is_notification_refused(error: &QueueError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    cause.is_some_and(|cause| code(cause).as_deref() == Some("54000"))
}

/// Returns whether the request contains a character that the database's encoding lacks.
pub(crate) fn is_untranslatable(error: &QueueError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    cause.is_some_and(|cause| code(cause).as_deref() == Some("22P05"))
}

/// Returns whether the request is at fault, rather than the server or the connection.
pub(crate) fn is_about_the_request(error: &QueueError) -> bool {
    matches!(error.kind(), QueueErrorKind::Invalid | QueueErrorKind::Corrupt)
}

/// Returns whether the TLS handshake failed. The driver reports it either as `Tls` or as an `InvalidData` I/O error.
fn is_about_tls(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Returns an error that says what is wrong, where, and what to do about it. It never contains the password.
pub(crate) fn explained(error: Error, place: &Place) -> QueueError {
    let (kind, message) = match &error {
        Error::Database(_) => of_the_server(&error, place),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => (
            QueueErrorKind::Corrupt,
            format!("schema `{}` of {place} doesn't hold what this program stored there", place.schema),
        ),
        Error::Encode(_) => (QueueErrorKind::Invalid, "a value can't be encoded for PostgreSQL".to_owned()),
        // The network may be at fault, or the settings.
        _ if is_about_tls(&error) => (
            QueueErrorKind::Unavailable,
            format!(
                "{place} can't be reached by TLS: see the cause, check the certificates and `sslmode`{TLS_ADVICE}"
            ),
        ),
        Error::Configuration(_) => {
            (QueueErrorKind::Invalid, format!("the settings for {place} don't work: see the cause"))
        }
        _ => (
            QueueErrorKind::Unavailable,
            format!(
                "{place} can't be reached: check that the server runs, the address, the port, and files that are named"
            ),
        ),
    };
    QueueError::new(kind, message).with_source(error)
}

/// Returns the error of a connection that broke after the call was sent.
pub(crate) fn broken(error: Error, place: &Place) -> QueueError {
    if is_of_the_server(&error) {
        return explained(error, place);
    }
    let text = format!(
        "a connection to {place} broke before the answer came: whether the call was done is not known"
    );
    QueueError::unavailable(text).with_source(error)
}

/// Returns a function that creates the error for each caller of a failed batch.
pub(crate) fn shared(error: QueueError) -> impl FnMut() -> QueueError {
    let error = Arc::new(error);
    move || QueueError::new(error.kind(), error.to_string()).with_source(Shared(error.clone()))
}

/// A cause shared by all callers of a failed batch. It displays the cause of the error, and its source is the
/// source of that cause.
#[derive(Debug)]
struct Shared(Arc<QueueError>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::error::Error::source(&*self.0) {
            Some(cause) => write!(f, "{cause}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0).and_then(std::error::Error::source)
    }
}

fn of_the_server(error: &Error, place: &Place) -> (QueueErrorKind, String) {
    let code = code(error).unwrap_or_default();
    let schema = &place.schema;
    let user = place.options.get_username();
    let unavailable = |message: String| (QueueErrorKind::Unavailable, message);
    match &*code {
        "28P01" | "28000" => unavailable(format!(
            "{place} refuses the user `{user}`: check the name and the password, and the server's `pg_hba.conf`"
        )),
        "3D000" => unavailable(format!("there is no {place}: create it, or check the name")),
        "42501" => unavailable(format!(
            "the user `{user}` lacks a permission in schema `{schema}` of {place}: see the cause, and grant what the \
             documentation of `queue_postgres` lists"
        )),
        "53100" => unavailable(format!(
            "the disk of {place} is full: free some space, and the queue goes on by itself"
        )),
        "53300" => unavailable(format!(
            "{place} has no connection left: raise `max_connections`, or put a pooler in front of it"
        )),
        "57014" => unavailable(format!(
            "{place} cancelled the statement: it took longer than `statement_timeout`, or an operator cancelled it"
        )),
        "25006" => unavailable(format!("{place} accepts no writes: it is a standby, or set to read-only")),
        "40001" | "40P01" | "55P03" => unavailable(format!(
            "{place} rolled the transaction back as a deadlock, a serialization failure or a lock timeout (see the \
             cause): retry"
        )),
        "3F000" | "42P01" | "42883" => (
            QueueErrorKind::Unsupported,
            format!(
                "schema `{schema}` of {place} lacks tables or functions that this program needs: run \
                 `PostgresQueue::migrate` as a user who may create them"
            ),
        ),
        "22P05" => (
            QueueErrorKind::Invalid,
            format!(
                "{place} can't store a character of this request, which its encoding lacks: use a UTF8 database, or \
                 write the payload with JSON's escapes"
            ),
        ),
        // The request contains a value that can't be stored.
        code if code.starts_with("22") || code == "54000" => {
            (QueueErrorKind::Invalid, format!("{place} can't store a value of this request: see the cause"))
        }
        code if code.starts_with("42") || code.starts_with("23") => (
            QueueErrorKind::Corrupt,
            format!("schema `{schema}` of {place} is not as this program made it: see the cause"),
        ),
        _ => unavailable(format!("{place} can't serve the call at the moment: see the cause")),
    }
}

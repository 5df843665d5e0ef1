//! Errors of the driver and the server as queue errors.

use std::borrow::Cow;
use std::time::Duration;

use queue_core::{QueueError, QueueErrorKind};
use sqlx::Error;

use crate::target::Target;

/// Additional advice in errors about TLS.
const TLS_ADVICE: &str =
    if cfg!(feature = "rustls") { "" } else { "; and turn on the feature `rustls` of `queue-postgres`" };

/// Returns the server's error code (SQLSTATE).
fn sqlstate(error: &Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

/// Returns whether the connection can't be used any more.
pub(crate) fn is_connection_lost(error: &Error) -> bool {
    match error {
        // The server ends the session with these: it shuts down, it crashed, an operator ended it, it is a standby now.
        Error::Database(_) => {
            let code = sqlstate(error);
            let code = code.as_deref().unwrap_or_default();
            code.starts_with("57P") || code.starts_with("08") || code == "25006"
        }
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_) | Error::RowNotFound => false,
        _ => true,
    }
}

/// Returns whether the server reported the error, rather than the driver or the network.
pub(crate) fn is_server_error(error: &Error) -> bool {
    matches!(error, Error::Database(_))
}

/// Returns whether the server had ended the session before it read the request: it says so, or the socket was closed when
/// the request was written. In both cases nothing was done.
pub(crate) fn was_closed_while_idle(error: &Error) -> bool {
    let is_closed = matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe);
    is_closed || sqlstate(error).as_deref() == Some("57P05")
}

/// Returns whether the same transaction can be retried: the server rolled it back in a conflict with another one.
pub(crate) fn is_contention(error: &Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("40001" | "40P01" | "55P03"))
}

/// Returns whether the statement waited for a lock longer than `lock_timeout`.
pub(crate) fn is_lock_timeout(error: &Error) -> bool {
    sqlstate(error).as_deref() == Some("55P03")
}

/// Returns whether the server cancelled the statement, because it took too long or because an operator asked for that.
pub(crate) fn is_cancelled(error: &Error) -> bool {
    sqlstate(error).as_deref() == Some("57014")
}

/// Returns whether the server may have no room for a notification. Other limits of the server have the same code.
pub(crate) fn is_notification_queue_full(error: &QueueError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    cause.is_some_and(|cause| sqlstate(cause).as_deref() == Some("54000"))
}

/// Returns whether the request contains a character that the database's encoding lacks.
pub(crate) fn is_untranslatable(error: &QueueError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    cause.is_some_and(|cause| sqlstate(cause).as_deref() == Some("22P05"))
}

/// Returns whether the request is at fault, rather than the server or the connection.
pub(crate) fn is_request_error(error: &QueueError) -> bool {
    matches!(error.kind(), QueueErrorKind::Invalid | QueueErrorKind::Corrupt)
}

/// Returns whether the TLS handshake failed. The driver reports it either as `Tls` or as an `InvalidData` I/O error.
fn is_tls_error(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// Returns an error that says what is wrong, where, and what to do about it. It never contains the password.
pub(crate) fn to_queue_error(error: Error, target: &Target) -> QueueError {
    let (kind, message) = match &error {
        Error::Database(_) => from_sqlstate(&error, target),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => (
            QueueErrorKind::Corrupt,
            format!("schema `{}` of {target} doesn't hold what this program stored there", target.schema),
        ),
        Error::Encode(_) => (QueueErrorKind::Invalid, "a value can't be encoded for PostgreSQL".to_owned()),
        // The network may be at fault, or the settings.
        _ if is_tls_error(&error) => (
            QueueErrorKind::Unavailable,
            format!(
                "{target} can't be reached by TLS: see the cause, check the certificates and `sslmode`{TLS_ADVICE}"
            ),
        ),
        Error::Configuration(_) => {
            (QueueErrorKind::Invalid, format!("the settings for {target} don't work: see the cause"))
        }
        _ => (
            QueueErrorKind::Unavailable,
            format!(
                "{target} can't be reached: check that the server runs, the address, the port, and files that are named"
            ),
        ),
    };
    QueueError::new(kind, message).with_source(error)
}

/// Returns the error of a connection that was not opened within `bound`.
pub(crate) fn connect_timed_out(target: &Target, bound: Duration) -> QueueError {
    QueueError::unavailable(format!(
        "{target} can't be reached within {bound:?}: check the address, the port and firewalls in between"
    ))
}

/// Returns the error of a call that was not answered within `bound`.
pub(crate) fn timed_out(target: &Target, bound: Duration) -> QueueError {
    QueueError::unavailable(format!("{target} did not answer within {bound:?}"))
}

/// Returns the error of a call whose connection was found dead.
pub(crate) fn connection_died(target: &Target) -> QueueError {
    QueueError::unavailable(format!(
        "a connection to {target} stopped answering without being closed: whether the call was done is not known"
    ))
}

/// Returns the error of a connection that broke after the call was sent.
pub(crate) fn answer_lost(error: Error, target: &Target) -> QueueError {
    if is_server_error(&error) {
        return to_queue_error(error, target);
    }
    let text = format!(
        "a connection to {target} broke before the answer came: whether the call was done is not known"
    );
    QueueError::unavailable(text).with_source(error)
}

/// Returns the kind and the message of an error that the server reported.
fn from_sqlstate(error: &Error, target: &Target) -> (QueueErrorKind, String) {
    let code = sqlstate(error).unwrap_or_default();
    if let Some(message) = server_trouble(&code, target) {
        return (QueueErrorKind::Unavailable, message);
    }
    let schema = &target.schema;
    match &*code {
        "3F000" | "42P01" | "42883" => (
            QueueErrorKind::Unsupported,
            format!(
                "schema `{schema}` of {target} lacks tables or functions that this program needs: run \
                 `PostgresQueueBuilder::migrate` as a user who may create them"
            ),
        ),
        "22P05" => (
            QueueErrorKind::Invalid,
            format!(
                "{target} can't store a character of this request, which its encoding lacks: use a UTF8 database, or \
                 write the payload with JSON's escapes"
            ),
        ),
        // The request contains a value that can't be stored.
        code if code.starts_with("22") || code == "54000" => {
            (QueueErrorKind::Invalid, format!("{target} can't store a value of this request: see the cause"))
        }
        code if code.starts_with("42") || code.starts_with("23") => (
            QueueErrorKind::Corrupt,
            format!("schema `{schema}` of {target} is not as this program made it: see the cause"),
        ),
        _ => (
            QueueErrorKind::Unavailable,
            format!("{target} can't serve the call at the moment: see the cause"),
        ),
    }
}

/// Returns the message of an error for which neither the request nor the schema is at fault.
fn server_trouble(code: &str, target: &Target) -> Option<String> {
    let schema = &target.schema;
    let user = target.options.get_username();
    Some(match code {
        "28P01" | "28000" => format!(
            "{target} refuses the user `{user}`: check the name and the password, and the server's `pg_hba.conf`"
        ),
        "3D000" => format!("there is no {target}: create it, or check the name"),
        "42501" => format!(
            "the user `{user}` lacks a permission in schema `{schema}` of {target}: see the cause, and grant what the \
             documentation of `queue_postgres` lists"
        ),
        "53100" => {
            format!("the disk of {target} is full: free some space, and the queue goes on by itself")
        }
        "53300" => format!(
            "{target} has no connection left: raise `max_connections`, or put a pooler in front of it"
        ),
        "57014" => format!(
            "{target} cancelled the statement: it took longer than `statement_timeout`, or an operator cancelled it"
        ),
        "25006" => format!("{target} accepts no writes: it is a standby, or set to read-only"),
        "40001" | "40P01" | "55P03" => format!(
            "{target} rolled the transaction back as a deadlock, a serialization failure or a lock timeout (see the \
             cause): retry"
        ),
        _ => return None,
    })
}

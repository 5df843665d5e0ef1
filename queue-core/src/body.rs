//! What a job carries: a typed value, its JSON text, or a call.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::QueueError;
use crate::outcome::Outcome;
use crate::services::CallScope;

/// The body of a job, opaque to queues.
///
/// In memory it stays the typed value that was enqueued, shared and immutable, so that nothing is serialized on the way.
/// A backend that stores jobs asks for its JSON text with [`encode`](Body::encode) and makes it anew with [`stored`](Body::stored).
/// A [closure](crate::NewJob::call) can't be stored at all.
///
/// Neither `Debug` nor any error shows what is in it.
#[derive(Clone)]
pub struct Body(Repr);

#[derive(Clone)]
enum Repr {
    Typed(Arc<dyn Typed>),
    Encoded(Arc<str>),
    Literal(&'static str),
    Call(Arc<Call>),
}

/// Why a body could not be decoded, with the path to the spot: `user.id: invalid type: string "x", expected u64`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl Body {
    /// Carries nothing.
    pub(crate) const NULL: Self = Self(Repr::Literal("null"));

    /// Wraps a value that can be encoded when a backend asks for it.
    pub fn typed<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        Self(Repr::Typed(Arc::new(value)))
    }

    /// Wraps JSON text as it is, byte for byte.
    ///
    /// # Errors
    ///
    /// `Invalid` if the text is not one JSON value.
    pub fn json(text: impl Into<Arc<str>>) -> Result<Self, QueueError> {
        let text = text.into();
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self(Repr::Encoded(text))),
            Err(error) => {
                Err(QueueError::invalid(format!("the payload of {} bytes is not JSON", text.len()))
                    .with_source(error))
            }
        }
    }

    /// Wraps JSON text that a backend stored before, without looking at it again.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Self(Repr::Encoded(text.into()))
    }

    pub(crate) fn call(call: CallFn) -> Self {
        Self(Repr::Call(Arc::new(Call(Mutex::new(Some(call))))))
    }

    /// Gives the JSON text.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure; `Invalid` for a value that serde can't write as JSON.
    pub fn encode(&self) -> Result<Arc<str>, QueueError> {
        match &self.0 {
            Repr::Encoded(text) => Ok(text.clone()),
            Repr::Literal(text) => Ok((*text).into()),
            Repr::Typed(value) => match value.encode() {
                Ok(text) => Ok(text.into()),
                Err(error) => {
                    Err(QueueError::invalid("the payload can't be written as JSON").with_source(error))
                }
            },
            Repr::Call(_) => Err(QueueError::unsupported(
                "a closure can't be stored: annotate a function with `#[background_job]` and enqueue that, \
                 or use an in-memory queue",
            )),
        }
    }

    /// Tells the size of the JSON text in bytes, if it is encoded already.
    #[must_use]
    pub fn encoded_len(&self) -> Option<usize> {
        match &self.0 {
            Repr::Encoded(text) => Some(text.len()),
            Repr::Literal(text) => Some(text.len()),
            Repr::Typed(_) | Repr::Call(_) => None,
        }
    }

    /// Tells whether this is a closure.
    #[must_use]
    pub fn is_call(&self) -> bool {
        matches!(self.0, Repr::Call(_))
    }

    /// Gives the value where this body carries it as that very type.
    #[must_use]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        match &self.0 {
            Repr::Typed(value) => value.as_any().downcast_ref(),
            Repr::Encoded(_) | Repr::Literal(_) | Repr::Call(_) => None,
        }
    }

    /// Makes the value from the JSON text.
    ///
    /// # Errors
    ///
    /// What serde says, with the path to the spot.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let text = self.encode().map_err(|error| DecodeError(error.to_string()))?;
        let mut json = serde_json::Deserializer::from_str(&text);
        let value =
            serde_path_to_error::deserialize(&mut json).map_err(|error| DecodeError(error.to_string()))?;
        json.end().map_err(|error| DecodeError(error.to_string()))?;
        Ok(value)
    }

    /// Takes the closure out, if it's one that has not been run.
    pub(crate) fn take_call(&self) -> Option<CallFn> {
        match &self.0 {
            Repr::Call(call) => call.0.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Repr::Typed(_) | Repr::Encoded(_) | Repr::Literal(_) => None,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Typed(value) => write!(f, "Body(typed {})", value.type_name()),
            Repr::Encoded(text) => write!(f, "Body({} bytes)", text.len()),
            Repr::Literal(text) => write!(f, "Body({text})"),
            Repr::Call(_) => f.write_str("Body(closure)"),
        }
    }
}

trait Typed: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn type_name(&self) -> &'static str;
    fn encode(&self) -> Result<String, serde_json::Error>;
}

impl<T: Serialize + Send + Sync + 'static> Typed for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

pub(crate) type CallFn = Box<dyn FnOnce(CallScope) -> BoxFuture<'static, Outcome> + Send>;

struct Call(Mutex<Option<CallFn>>);

//! What a job carries: a typed value, its JSON text, or a call.

mod finite;
pub(crate) mod mismatch;

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::contract::error::QueueError;

/// The body of a job, opaque to queues.
///
/// In memory it stays the typed value that was enqueued, shared and immutable, so that nothing is serialized on the way.
/// A backend that stores jobs asks for its JSON text with [`encode`](Body::encode) and makes it anew with [`stored`](Body::stored).
/// A [closure](crate::NewJob::call) can't be stored at all.
///
/// Neither `Debug` nor any error shows what is in it.
#[derive(Clone)]
pub struct Body(Option<Arc<dyn Content>>);

/// Why a body could not be decoded, with the path to the spot: `user.id: invalid type: string, expected u64 at line 1 column 12`.
///
/// It has the kind of what was found, and nothing of the value itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl Body {
    /// Carries nothing, which is `null` in JSON.
    pub(crate) const NULL: Self = Self(None);

    /// Wraps a value that can be encoded when a backend asks for it.
    ///
    /// A value with a number in it that is NaN or infinite, which JSON has no text for, is refused by every queue at the push.
    pub fn typed<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        match finite::not_finite(&value) {
            None => Self::of(Typed(value)),
            Some(path) => Self::of(NotFinite { value, path }),
        }
    }

    /// Returns why no queue can take this, if that is known before it is encoded.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.0.as_ref()?.refusal()
    }

    /// Reads from where it's counted who holds it.
    pub(crate) fn touch(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::strong_count)
    }

    fn of(content: impl Content + 'static) -> Self {
        Self(Some(Arc::new(content)))
    }

    /// Wraps JSON text as it is, byte for byte.
    ///
    /// # Errors
    ///
    /// `Invalid` if the text is not one JSON value.
    pub fn json(text: impl Into<Arc<str>>) -> Result<Self, QueueError> {
        let text = text.into();
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self::stored(text)),
            Err(error) => {
                Err(QueueError::invalid(format!("the payload of {} bytes is not JSON", text.len()))
                    .with_source(mismatch::flaw(&error)))
            }
        }
    }

    /// Wraps JSON text that a backend stored before, without looking at it again.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Self::of(Text(text.into()))
    }

    /// Wraps what a closure is run from, which can be taken out once.
    pub(crate) fn once(call: Box<dyn Any + Send>) -> Self {
        Self::of(Call(Mutex::new(Some(call))))
    }

    /// Gives the JSON text.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure; `Invalid` for a value that serde can't write as JSON.
    pub fn encode(&self) -> Result<Arc<str>, QueueError> {
        self.0.as_ref().map_or_else(|| Ok("null".into()), |content| content.encode())
    }

    /// Tells the size of the JSON text in bytes, if it is encoded already.
    #[must_use]
    pub fn encoded_len(&self) -> Option<usize> {
        self.0.as_ref()?.encoded_len()
    }

    /// Tells whether this is a closure.
    #[must_use]
    pub fn is_call(&self) -> bool {
        self.0.as_ref().is_some_and(|content| content.call().is_some())
    }

    /// Gives the value where this body carries it as that very type.
    #[must_use]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.value()?.downcast_ref()
    }

    /// Makes the value from the JSON text.
    ///
    /// # Errors
    ///
    /// What kind of value was found and what was expected, with the path to the spot.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let text = self.encode().map_err(|error| DecodeError(error.to_string()))?;
        mismatch::read(&text).map_err(DecodeError)
    }

    /// Takes the closure out, if it's one that has not been run.
    pub(crate) fn take_once(&self) -> Option<Box<dyn Any + Send>> {
        self.0.as_ref()?.call()?.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Letting go of a value runs foreign code, wherever that happens: under a lock, among others that are let go of. If that
/// panics, the panic hook tells of it and nobody else is harmed.
impl Drop for Body {
    fn drop(&mut self) {
        if let Some(content) = self.0.take() {
            drop(panic::catch_unwind(AssertUnwindSafe(|| drop(content))));
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(content) => write!(f, "Body({})", content.kind()),
            None => f.write_str("Body(null)"),
        }
    }
}

/// What a body carries. It's one pointer to whatever it is, since a queue may hold millions.
trait Content: Send + Sync {
    fn encode(&self) -> Result<Arc<str>, QueueError>;

    /// Says what it is, and nothing that is in it.
    fn kind(&self) -> String;

    fn encoded_len(&self) -> Option<usize> {
        None
    }

    /// Why it is refused at the push, whatever the queue.
    fn refusal(&self) -> Option<String> {
        None
    }

    fn value(&self) -> Option<&dyn Any> {
        None
    }

    fn call(&self) -> Option<&Call> {
        None
    }
}

struct Typed<T>(T);

impl<T: Serialize + Send + Sync + 'static> Content for Typed<T> {
    fn encode(&self) -> Result<Arc<str>, QueueError> {
        serde_json::to_string(&self.0).map(Into::into).map_err(|error| {
            QueueError::invalid("the payload can't be written as JSON").with_source(mismatch::flaw(&error))
        })
    }

    fn kind(&self) -> String {
        format!("typed {}", std::any::type_name::<T>())
    }

    fn value(&self) -> Option<&dyn Any> {
        Some(&self.0)
    }
}

/// A value with a number that JSON has no text for. It is kept apart, so that others carry no path.
struct NotFinite<T> {
    value: T,
    path: String,
}

impl<T: Serialize + Send + Sync + 'static> Content for NotFinite<T> {
    fn encode(&self) -> Result<Arc<str>, QueueError> {
        Err(QueueError::invalid(self.refused()))
    }

    fn kind(&self) -> String {
        format!("typed {}", std::any::type_name::<T>())
    }

    fn refusal(&self) -> Option<String> {
        Some(self.refused())
    }

    fn value(&self) -> Option<&dyn Any> {
        Some(&self.value)
    }
}

impl<T> NotFinite<T> {
    fn refused(&self) -> String {
        format!("the number at `{}` of the payload is NaN or infinite, which JSON has no text for", self.path)
    }
}

/// JSON text.
struct Text(Arc<str>);

impl Content for Text {
    fn encode(&self) -> Result<Arc<str>, QueueError> {
        Ok(self.0.clone())
    }

    fn kind(&self) -> String {
        format!("{} bytes", self.0.len())
    }

    fn encoded_len(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Call(Mutex<Option<Box<dyn Any + Send>>>);

impl Content for Call {
    fn encode(&self) -> Result<Arc<str>, QueueError> {
        Err(QueueError::unsupported(
            "a closure can't be stored: annotate a function with `#[background_job]` and enqueue that, \
             or use an in-memory queue",
        ))
    }

    fn kind(&self) -> String {
        "closure".to_owned()
    }

    fn call(&self) -> Option<&Call> {
        Some(self)
    }
}

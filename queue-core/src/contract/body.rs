//! The body of a job: a typed value, its JSON text, or a closure.

pub(crate) mod finite;
pub(crate) mod mismatch;

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::contract::error::QueueError;

/// The body of a job, opaque to queues.
///
/// In memory, a body is the typed value that was enqueued, shared and immutable, so nothing is serialized.
/// A backend that stores jobs gets its JSON text with [`encode`](Body::encode), and recreates it with [`stored`](Body::stored).
/// A [closure](crate::NewJob::call) cannot be stored.
///
/// Neither `Debug` nor any error shows the content.
///
/// ```
/// use queue_core::Body;
///
/// let body = Body::typed(("hello", 42));
/// assert_eq!(&*body.encode()?, r#"["hello",42]"#);
///
/// let stored = Body::stored(r#"["hello",42]"#);
/// assert_eq!(stored.decode::<(String, u64)>()?, ("hello".to_owned(), 42));
/// # Ok::<(), queue_core::BoxError>(())
/// ```
#[derive(Clone)]
pub struct Body(Option<Arc<dyn Content>>);

/// Why a body could not be decoded, with the path: `user.id: invalid type: string, expected u64 at line 1 column 12`.
///
/// It names the kind of the value that was found, and nothing of the value itself. Its `Debug` text is the same.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn new(mismatch: String) -> Self {
        Self(mismatch)
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Body {
    /// The empty body, which is `null` in JSON.
    pub(crate) const NULL: Self = Self(None);

    /// Wraps a value, which is encoded when a backend needs its JSON text.
    ///
    /// If the value has a number that is NaN or infinite, which JSON cannot represent, every queue refuses it at the push.
    pub fn typed<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        match finite::not_finite(&value) {
            None => Self::of(TypedValue(value)),
            Some(path) => Self::of(NotFinite { value, path }),
        }
    }

    /// Returns why every queue refuses this body, if that is known before it is encoded.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.0.as_ref()?.refusal()
    }

    /// Reads the reference count, to prefetch its cache line.
    pub(crate) fn touch(&self) -> usize {
        self.0.as_ref().map_or(0, Arc::strong_count)
    }

    fn of(content: impl Content + 'static) -> Self {
        Self(Some(Arc::new(content)))
    }

    /// Wraps JSON text, unchanged byte for byte.
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

    /// Wraps JSON text that a backend has stored, without checking it again.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Self::of(Text(text.into()))
    }

    /// Wraps JSON text that is written each time it is needed.
    pub(crate) fn deferred(write: impl Fn() -> Result<Arc<str>, QueueError> + Send + Sync + 'static) -> Self {
        Self::of(Deferred(write))
    }

    /// Wraps the call of a closure, which can be taken out once.
    pub(crate) fn once(call: Box<dyn Any + Send>) -> Self {
        Self::of(Call(Mutex::new(Some(call))))
    }

    /// Returns the JSON text.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a closure; `Invalid` for a value that serde cannot write as JSON.
    pub fn encode(&self) -> Result<Arc<str>, QueueError> {
        self.0.as_ref().map_or_else(|| Ok("null".into()), |content| content.encode())
    }

    /// Returns the size of the JSON text in bytes, if the body is encoded already.
    #[must_use]
    pub fn encoded_len(&self) -> Option<usize> {
        self.0.as_ref()?.encoded_len()
    }

    /// Returns whether this is a closure.
    #[must_use]
    pub fn is_closure(&self) -> bool {
        self.0.as_ref().is_some_and(|content| content.call().is_some())
    }

    /// Returns the value, if this body carries a typed value of type `T`.
    #[must_use]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.value()?.downcast_ref()
    }

    /// Decodes a value from the JSON text.
    ///
    /// # Errors
    ///
    /// The kind of the value that was found, the expected kind, and the path.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        let text = self.encode().map_err(|error| DecodeError(error.to_string()))?;
        mismatch::read(&text).map_err(DecodeError)
    }

    /// Takes the closure out, if this is a closure that has not run.
    pub(crate) fn take_once(&self) -> Option<Box<dyn Any + Send>> {
        self.0.as_ref()?.call()?.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Dropping a payload runs user code, possibly under a lock or between the drops of other payloads. A panic in it is caught here;
/// the panic hook reports it.
impl Drop for Body {
    fn drop(&mut self) {
        if let Some(content) = self.0.take() {
            drop(panic::catch_unwind(AssertUnwindSafe(|| drop(content))));
        }
    }
}

/// Serializes the JSON text unchanged, a closure as null, and text that is not JSON as a string.
///
/// A serializer other than serde_json's may write the text in another form.
impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ok(text) = self.encode() else { return serializer.serialize_unit() };
        match RawValue::from_string(text.to_string()) {
            Ok(json) => json.serialize(serializer),
            Err(_) => serializer.serialize_str(&text),
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

/// The content of a body. A body is a single pointer, since a queue may hold millions.
trait Content: Send + Sync {
    fn encode(&self) -> Result<Arc<str>, QueueError>;

    /// Returns the kind of the content, and nothing of its values.
    fn kind(&self) -> String;

    fn encoded_len(&self) -> Option<usize> {
        None
    }

    /// Returns why every queue refuses the content at the push.
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

struct TypedValue<T>(T);

impl<T: Serialize + Send + Sync + 'static> Content for TypedValue<T> {
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

/// A value with a number that JSON cannot represent. A separate type, so that other values store no path.
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

/// JSON text that is written each time it is needed.
struct Deferred<F>(F);

impl<F: Fn() -> Result<Arc<str>, QueueError> + Send + Sync> Content for Deferred<F> {
    fn encode(&self) -> Result<Arc<str>, QueueError> {
        (self.0)()
    }

    fn kind(&self) -> String {
        "deferred".to_owned()
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

//! The result of a completed job.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::contract::body::DecodeError;
use crate::contract::body::finite::not_finite;
use crate::contract::body::mismatch::{flaw, read};
use crate::contract::error::QueueError;

/// The result of a completed job, as JSON text. A queue stores it with the completion and shows it in the job's record.
///
/// Cheap to clone. `Debug` shows its size and none of its content.
///
/// ```
/// use queue_core::StoredResult;
///
/// let result = StoredResult::of(&("https://example.com/7", 42))?;
///
/// assert_eq!(result.as_str(), r#"["https://example.com/7",42]"#);
/// assert_eq!(result.decode::<(String, u64)>()?.1, 42);
/// # Ok::<(), queue_core::BoxError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResult(Arc<str>);

impl StoredResult {
    /// Writes a value as JSON.
    ///
    /// # Errors
    ///
    /// `Invalid` for a value that serde cannot write as JSON, and for a number that is NaN or infinite. The error has no value.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, QueueError> {
        if let Some(path) = not_finite(value) {
            let text = format!(
                "the number at `{path}` of the result is NaN or infinite, which JSON has no text for"
            );
            return Err(QueueError::invalid(text));
        }
        serde_json::to_string(value).map(Self::stored).map_err(|error| {
            QueueError::invalid("the result can't be written as JSON").with_source(flaw(&error))
        })
    }

    /// Wraps JSON text, unchanged byte for byte.
    ///
    /// # Errors
    ///
    /// `Invalid` if the text is not one JSON value.
    pub fn json(text: impl Into<Arc<str>>) -> Result<Self, QueueError> {
        let text = text.into();
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(QueueError::invalid(format!("the result of {} bytes is not JSON", text.len()))
                .with_source(flaw(&error))),
        }
    }

    /// Wraps JSON text that a backend has stored, without checking it again.
    pub fn stored(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Decodes the value.
    ///
    /// # Errors
    ///
    /// The kind of the value that was found, the expected kind, and the path.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        read(&self.0).map_err(DecodeError::new)
    }
}

impl fmt::Debug for StoredResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredResult({} bytes)", self.0.len())
    }
}

/// Writes the JSON text as a string.
impl Serialize for StoredResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Serializes a result as JSON instead of as text, for records.
pub(crate) fn as_json<S: Serializer>(
    result: &Option<StoredResult>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Some(result) = result else { return serializer.serialize_none() };
    match RawValue::from_string(result.as_str().to_owned()) {
        Ok(json) => json.serialize(serializer),
        Err(_) => result.serialize(serializer),
    }
}

impl<'de> Deserialize<'de> for StoredResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_json_and_shows_no_content() {
        let result = StoredResult::of(&[1, 2, 3]).unwrap();
        assert_eq!((result.as_str(), format!("{result:?}")), ("[1,2,3]", "StoredResult(7 bytes)".to_owned()));

        let read: StoredResult = serde_json::from_str(&serde_json::to_string(&result).unwrap()).unwrap();
        assert_eq!(read, result);
        assert!(StoredResult::json("{} {}").is_err());
    }

    #[test]
    fn the_error_of_a_number_that_json_lacks_names_its_place() {
        let error = StoredResult::of(&[1.0, f64::NAN]).unwrap_err();

        assert!(error.to_string().contains("`[1]`"), "{error}");
    }

    #[test]
    fn the_error_of_another_type_names_the_place_and_no_value() {
        let result = StoredResult::of(&["secret"]).unwrap();

        let error = result.decode::<Vec<u64>>().unwrap_err().to_string();

        assert!(error.starts_with("[0]: invalid type: string, expected u64"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

//! The fields of a submitted form.

/// The fields, each with its value, in the order of the form.
pub(crate) type FormFields = Vec<(String, String)>;

/// Returns the value of a field, or an empty text.
pub(crate) fn field<'a>(fields: &'a FormFields, name: &str) -> &'a str {
    fields.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

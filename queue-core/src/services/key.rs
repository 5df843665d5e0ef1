//! The key by which a service is found.

use std::any::TypeId;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A type, and an optional key that distinguishes several services of one type.
#[derive(Clone, Copy)]
pub struct ServiceKey {
    type_id: TypeId,
    type_name: &'static str,
    key: Option<&'static str>,
}

impl ServiceKey {
    /// Creates the key of a type, which may be a `dyn Trait`.
    #[must_use]
    pub fn of<T: ?Sized + 'static>(key: Option<&'static str>) -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: std::any::type_name::<T>(), key }
    }

    /// Returns the type's name without module paths, and the key if there is one: `Pool("replica")`.
    #[must_use]
    pub fn name(self) -> String {
        let name = self.type_name();
        match self.key {
            Some(key) => format!("{name}({key:?})"),
            None => name,
        }
    }

    /// Returns the type's name without module paths.
    pub(super) fn type_name(self) -> String {
        without_paths(self.type_name)
    }

    /// Returns the call that sets the key for a registration, or nothing without a key: `.keyed("replica")`.
    pub(super) fn keyed(self) -> String {
        self.key.map(|key| format!(".keyed({key:?})")).unwrap_or_default()
    }

    pub(super) fn is_of<T: ?Sized + 'static>(self) -> bool {
        self.key.is_none() && self.type_id == TypeId::of::<T>()
    }
}

/// Compares the type and the key only, since the name follows from the type.
impl PartialEq for ServiceKey {
    fn eq(&self, other: &Self) -> bool {
        self.type_id == other.type_id && self.key == other.key
    }
}

impl Eq for ServiceKey {}

impl Hash for ServiceKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.type_id.hash(state);
        self.key.hash(state);
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// Removes each `module::` from a name: `alloc::sync::Arc<dyn app::Mailer>` becomes `Arc<dyn Mailer>`.
fn without_paths(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut segment_start = 0;
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("::") {
            short.truncate(segment_start);
            rest = after;
            continue;
        }
        short.push(c);
        if !(c.is_alphanumeric() || c == '_') {
            segment_start = short.len();
        }
        rest = &rest[c.len_utf8()..];
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_displayed_without_module_paths() {
        assert_eq!(without_paths("alloc::sync::Arc<dyn app::mail::Mailer>"), "Arc<dyn Mailer>");
        assert_eq!(without_paths("app::Cache<u64, std::string::String>"), "Cache<u64, String>");
        assert_eq!(ServiceKey::of::<std::path::PathBuf>(Some("out")).name(), "PathBuf(\"out\")");
    }
}

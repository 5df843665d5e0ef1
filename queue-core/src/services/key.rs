//! What a service is asked for by.

use std::any::TypeId;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A type, and a word to tell several services of one type apart.
#[derive(Clone, Copy)]
pub struct ServiceKey {
    type_id: TypeId,
    type_name: &'static str,
    key: Option<&'static str>,
}

impl ServiceKey {
    /// Names the service of a type, which may be a `dyn Trait`.
    #[must_use]
    pub fn of<T: ?Sized + 'static>(key: Option<&'static str>) -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: std::any::type_name::<T>(), key }
    }

    /// Gives the type's name without module paths, and the word if there is one: `Pool("replica")`.
    #[must_use]
    pub fn name(self) -> String {
        let name = without_paths(self.type_name);
        match self.key {
            Some(key) => format!("{name}({key:?})"),
            None => name,
        }
    }

    pub(super) fn is_of<T: ?Sized + 'static>(self) -> bool {
        self.key.is_none() && self.type_id == TypeId::of::<T>()
    }
}

/// The name follows from the type, so neither it nor its length costs anything here.
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

/// Drops each `module::` in front of a name: `alloc::sync::Arc<dyn app::Mailer>` is `Arc<dyn Mailer>`.
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
    fn a_name_is_shown_without_its_module_paths() {
        assert_eq!(without_paths("alloc::sync::Arc<dyn app::mail::Mailer>"), "Arc<dyn Mailer>");
        assert_eq!(without_paths("app::Cache<u64, std::string::String>"), "Cache<u64, String>");
        assert_eq!(ServiceKey::of::<std::path::PathBuf>(Some("out")).name(), "PathBuf(\"out\")");
    }
}

//! The annotated function.

use proc_macro2::TokenStream;
use syn::{Attribute, Signature, Visibility};

/// The tokens of a function.
///
/// **Invariant:** the body is never parsed, so that an editor can complete inside a half-typed one.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Function {
    /// Returns the `#[cfg(…)]` attributes, which every generated item must carry too.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> + Clone {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }

    /// Returns whether the function is a method, next to which a type cannot stand.
    pub(crate) fn is_method(&self) -> bool {
        self.signature.receiver().is_some()
    }
}

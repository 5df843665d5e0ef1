//! The annotated function.

use proc_macro2::TokenStream;
use syn::{Attribute, Signature, Visibility};

/// A function as it was written.
///
/// **Invariant:** the body is never parsed, so that an editor can complete inside a half-typed one.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Function {
    /// Gives the `#[cfg(…)]` that everything made of the function must carry too.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> + Clone {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }

    /// Tells whether the function is a method, beside which no type can stand.
    pub(crate) fn is_method(&self) -> bool {
        self.signature.receiver().is_some()
    }
}

//! Parses the value of a key.

use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Ident, Lit, LitStr, Token};

/// Parses `=`, which must be followed by a value as in the example.
pub(super) fn equals(key: &Ident, example: &str, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) {
        return input.parse::<Token![=]>().map(drop);
    }
    let message = format!("`{}` needs a value: write `{example}`", key.unraw());
    Err(syn::Error::new(key.span(), message))
}

/// Parses a string literal; the error for other tokens says what to write instead.
pub(super) fn string(instead: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let message = format!("expected a string literal: write `{instead}`");
    match input.parse::<Lit>() {
        Ok(Lit::Str(text)) => Ok(text),
        Ok(other) => Err(syn::Error::new(other.span(), message)),
        Err(error) => Err(syn::Error::new(error.span(), message)),
    }
}

/// Refuses a value for a key that takes none.
pub(super) fn none(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    let message = format!("`{0}` takes no value: write just `{0}`", key.unraw());
    Err(syn::Error::new(key.span(), message))
}

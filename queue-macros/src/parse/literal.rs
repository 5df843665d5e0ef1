//! The value behind a key.

use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Ident, Lit, LitStr, Token};

/// Reads `=`, which must be followed by a value as in the example.
pub(super) fn equals(key: &Ident, example: &str, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) {
        return input.parse::<Token![=]>().map(drop);
    }
    let message = format!("`{}` needs a value: write `{example}`", key.unraw());
    Err(syn::Error::new(key.span(), message))
}

/// Reads a string literal; anything else is told what to write instead.
pub(super) fn string(instead: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let message = format!("expected a string literal: write `{instead}`");
    match input.parse::<Lit>() {
        Ok(Lit::Str(text)) => Ok(text),
        Ok(other) => Err(syn::Error::new(other.span(), message)),
        Err(error) => Err(syn::Error::new(error.span(), message)),
    }
}

/// Refuses a value behind a key that has none.
pub(super) fn none(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    let message = format!("`{0}` takes no value: write just `{0}`", key.unraw());
    Err(syn::Error::new(key.span(), message))
}

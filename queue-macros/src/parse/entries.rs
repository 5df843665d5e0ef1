//! A list of `key`, `key = value` and `key(…)`, separated by commas.

use proc_macro2::TokenTree;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Ident, Token};

use crate::diagnostics::Diagnostics;
use crate::text::{list, nearest};

/// Parses every entry and continues after a mistake, so that all mistakes are found.
///
/// `read` is called after the key, only for keys in `known`, and once for each of them.
pub(crate) fn entries(
    input: ParseStream<'_>,
    known: &[&str],
    diagnostics: &mut Diagnostics,
    mut read: impl FnMut(&Ident, ParseStream<'_>, &mut Diagnostics) -> syn::Result<()>,
) {
    let mut seen = Vec::new();
    while !input.is_empty() {
        let entry = key(input, known, &mut seen).and_then(|key| {
            read(&key, input, diagnostics)?;
            end(input)
        });
        if diagnostics.keep(entry).is_none() {
            skip(input);
        }
        // `end` or `skip` has stopped at a comma or at the end.
        let _comma: Option<Token![,]> = input.parse().ok();
    }
}

fn key(input: ParseStream<'_>, known: &[&str], seen: &mut Vec<String>) -> syn::Result<Ident> {
    let accepted = || list(known.iter().copied());
    let key = input
        .call(Ident::parse_any)
        .map_err(|error| syn::Error::new(error.span(), format!("expected one of {}", accepted())))?;
    let word = key.to_string();
    if !known.contains(&word.as_str()) {
        let meant = meant(&word, known).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        let message = format!("unknown attribute `{word}`{meant} (known attributes: {})", accepted());
        return Err(syn::Error::new(key.span(), message));
    }
    if seen.contains(&word) {
        let message = format!("`{word}` is specified twice: remove one of them");
        return Err(syn::Error::new(key.span(), message));
    }
    seen.push(word);
    Ok(key)
}

/// Returns the known key that was probably meant, for a message.
fn meant(word: &str, known: &[&str]) -> Option<String> {
    if matches!(word, "retries" | "attempts" | "max_retries") && known.contains(&"max_attempts") {
        return Some("`max_attempts`, which counts the first attempt too".to_owned());
    }
    nearest(word, known.iter().copied()).map(|near| format!("`{near}`"))
}

fn end(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    Err(input.error("expected `,` before this"))
}

fn skip(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

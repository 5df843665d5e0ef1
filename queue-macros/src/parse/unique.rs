//! `unique`, `unique = "…"` and `unique(…)`.

use syn::parse::ParseStream;
use syn::{Ident, LitStr, Token, parenthesized, token};

use super::duration::duration;
use super::entries::entries;
use super::literal::{equals, none, string};
use super::template::captures;
use crate::diagnostics::Diagnostics;
use crate::model::{Unique, UniqueKey};

const EXAMPLE: &str = r#"unique = "user:{user_id}""#;

pub(super) fn unique(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Unique> {
    let mut unique = Unique { key: UniqueKey::Payload, within: None, replace: false };
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        unique.key = key(&string(EXAMPLE, input)?)?;
    } else if input.peek(token::Paren) {
        let inside;
        parenthesized!(inside in input);
        entries(&inside, &["key", "within", "replace"], diagnostics, |key, input, _| {
            entry(key, input, &mut unique)
        });
    }
    Ok(unique)
}

fn entry(name: &Ident, input: ParseStream<'_>, unique: &mut Unique) -> syn::Result<()> {
    match name.to_string().as_str() {
        "key" => {
            let example = r#"key = "user:{user_id}""#;
            equals(name, example, input)?;
            unique.key = key(&string(example, input)?)?;
        }
        "within" => {
            equals(name, r#"within = "1h""#, input)?;
            unique.within = Some(duration(&string(r#"within = "1h""#, input)?)?);
        }
        // `entries` passes only known keys, and this is the last one.
        _ => {
            none(name, input)?;
            unique.replace = true;
        }
    }
    Ok(())
}

fn key(text: &LitStr) -> syn::Result<UniqueKey> {
    let names = captures(&text.value()).map_err(|why| syn::Error::new(text.span(), why))?;
    Ok(UniqueKey::Format { text: text.clone(), names })
}

//! `unique`, `unique = "…"` and `unique(…)`.

use syn::parse::ParseStream;
use syn::{Ident, Token, parenthesized, token};

use super::duration::duration;
use super::entries::entries;
use super::literal::{equals, none, string};
use super::template::template;
use crate::diagnostics::Diagnostics;
use crate::model::{Unique, UniqueKey};

const EXAMPLE: &str = r#"unique = "user:{user_id}""#;

pub(super) fn unique(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Unique> {
    let mut unique = Unique { key: UniqueKey::Payload, within: None, replace: false };
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        unique.key = UniqueKey::Template(template(EXAMPLE, input)?);
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
            unique.key = UniqueKey::Template(template(example, input)?);
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

//! `#[inject]`, `#[inject("replica")]`, `#[inject(key = "replica")]`.

use syn::parse::ParseStream;
use syn::{Attribute, Ident, LitStr, Meta, Token};

use super::literal::string;

/// Parses the key of an `#[inject]`, if it has one.
pub(crate) fn inject(attribute: &Attribute) -> syn::Result<Option<LitStr>> {
    match &attribute.meta {
        Meta::Path(_) => Ok(None),
        Meta::List(list) => list.parse_args_with(key).map(Some),
        Meta::NameValue(_) => Err(syn::Error::new_spanned(
            &attribute.meta,
            r#"a key goes in parentheses: write `#[inject("replica")]`"#,
        )),
    }
}

fn key(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let example = r#"#[inject("replica")]"#;
    if input.peek(Ident) {
        let word: Ident = input.parse()?;
        if word != "key" || !input.peek(Token![=]) {
            let message = format!("expected the key of a service: write `{example}`");
            return Err(syn::Error::new(word.span(), message));
        }
        input.parse::<Token![=]>()?;
    }
    let key = string(example, input)?;
    if key.value().is_empty() {
        return Err(syn::Error::new(
            key.span(),
            "the key is empty: write `#[inject]` for the service without a key",
        ));
    }
    if input.is_empty() { Ok(key) } else { Err(input.error(format!("one key is enough: write `{example}`"))) }
}

//! How a payload field is read and written.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Meta, Type};

use super::types::{is_option, peeled};
use crate::model::Coding;

/// What, said to serde, makes the reading or writing of a field another than its type's.
const CUSTOM: &[&str] = &[
    "with",
    "serialize_with",
    "deserialize_with",
    "flatten",
    "skip",
    "skip_serializing",
    "skip_deserializing",
    "bound",
    "borrow",
];

/// Decides by the parameter's type and its attributes of serde.
pub(super) fn coding(ty: &Type, attributes: &[Attribute]) -> Coding {
    let said = |words: &[&str]| attributes.iter().any(|attribute| says(attribute, words));
    // Serde reads the type's path from a text, in which there's no `$crate`.
    if said(CUSTOM) || contains(ty.to_token_stream(), &["$crate"]) {
        Coding::Custom
    } else if is_option(peeled(ty)) && !said(&["default"]) {
        Coding::PlainOption
    } else {
        Coding::Plain
    }
}

fn says(attribute: &Attribute, words: &[&str]) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("serde") => contains(list.tokens.clone(), words),
        _ => false,
    }
}

fn contains(tokens: TokenStream, words: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => words.iter().any(|other| word == other),
        TokenTree::Group(group) => contains(group.stream(), words),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn what_is_said_to_serde_decides_before_the_type() {
        let option: Type = parse_quote!(Option<u8>);
        let number: Type = parse_quote!(u8);

        assert!(matches!(coding(&number, &[]), Coding::Plain));
        assert!(matches!(coding(&option, &[]), Coding::PlainOption));
        assert!(matches!(coding(&option, &[parse_quote!(#[serde(default)])]), Coding::Plain));
        assert!(matches!(coding(&option, &[parse_quote!(#[serde(with = "hex")])]), Coding::Custom));
        assert!(matches!(coding(&number, &[parse_quote!(#[serde(rename = "with")])]), Coding::Plain));
    }
}

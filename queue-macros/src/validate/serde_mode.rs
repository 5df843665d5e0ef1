//! Determines how serde writes and reads a payload field.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Meta, Type};

use super::types::{is_option, peeled};
use crate::model::SerdeMode;

/// The serde attributes that replace a field's default serialization or deserialization.
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

/// Determines the mode from the parameter's type and its serde attributes.
pub(super) fn serde_mode(ty: &Type, attributes: &[Attribute]) -> SerdeMode {
    let said = |words: &[&str]| attributes.iter().any(|attribute| says(attribute, words));
    // serde parses the type's path from a string, which cannot contain `$crate`.
    if said(CUSTOM) || contains(ty.to_token_stream(), &["$crate"]) {
        SerdeMode::Custom
    } else if is_option(peeled(ty)) && !said(&["default"]) {
        SerdeMode::PlainOption
    } else {
        SerdeMode::Plain
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
    fn a_serde_attribute_takes_precedence_over_the_type() {
        let option: Type = parse_quote!(Option<u8>);
        let number: Type = parse_quote!(u8);

        assert!(matches!(serde_mode(&number, &[]), SerdeMode::Plain));
        assert!(matches!(serde_mode(&option, &[]), SerdeMode::PlainOption));
        assert!(matches!(serde_mode(&option, &[parse_quote!(#[serde(default)])]), SerdeMode::Plain));
        assert!(matches!(serde_mode(&option, &[parse_quote!(#[serde(with = "hex")])]), SerdeMode::Custom));
        assert!(matches!(serde_mode(&number, &[parse_quote!(#[serde(rename = "with")])]), SerdeMode::Plain));
    }
}

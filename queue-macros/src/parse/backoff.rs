//! `backoff = …`.

use std::time::Duration;

use syn::parse::ParseStream;
use syn::{Path, Token, parenthesized, token};

use super::duration::duration;
use super::literal::string;
use crate::model::Backoff;
use crate::text::type_text;
use quote::ToTokens as _;

const FORMS: &str = r#"write `fixed("5s")`, `exponential("1s", "1h")`, or the path of a function from `&RetryContext` to `Duration`"#;

pub(super) fn backoff(input: ParseStream<'_>) -> syn::Result<Backoff> {
    let path: Path = input
        .call(Path::parse_mod_style)
        .map_err(|error| syn::Error::new(error.span(), format!("expected a backoff: {FORMS}")))?;
    if !input.peek(token::Paren) {
        return if path.is_ident("fixed") || path.is_ident("exponential") {
            let message = format!("`{}` needs its durations: {FORMS}", type_text(path.to_token_stream()));
            Err(syn::Error::new_spanned(path, message))
        } else {
            Ok(Backoff::Custom(path))
        };
    }
    let arguments;
    parenthesized!(arguments in input);
    if path.is_ident("fixed") {
        let [wait] = durations(&arguments, r#"fixed("5s")"#)?;
        Ok(Backoff::Fixed(wait))
    } else if path.is_ident("exponential") {
        let [first, max] = durations(&arguments, r#"exponential("1s", "1h")"#)?;
        if first > max {
            let message = r#"the first wait is longer than the longest wait: write the shorter one first, as in `exponential("1s", "1h")`"#;
            return Err(syn::Error::new_spanned(path, message));
        }
        Ok(Backoff::Exponential { first, max })
    } else {
        let message = format!("unknown backoff `{}`: {FORMS}", type_text(path.to_token_stream()));
        Err(syn::Error::new_spanned(path, message))
    }
}

fn durations<const N: usize>(input: ParseStream<'_>, example: &str) -> syn::Result<[Duration; N]> {
    let mut durations = [Duration::ZERO; N];
    for (index, slot) in durations.iter_mut().enumerate() {
        if index > 0 {
            comma(input, example)?;
        }
        *slot = duration(&string(example, input)?)?;
    }
    let _trailing: Option<Token![,]> = input.parse()?;
    if input.is_empty() {
        Ok(durations)
    } else {
        Err(input.error(format!("one duration too many: write `{example}`")))
    }
}

fn comma(input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    let comma: syn::Result<Token![,]> = input.parse();
    comma
        .map(drop)
        .map_err(|error| syn::Error::new(error.span(), format!("a duration is missing: write `{example}`")))
}

//! Parses the arguments of `#[background_job(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, LitInt, LitStr, Path, Token, bracketed, token};

use super::backoff::backoff;
use super::duration::duration;
use super::entries::entries;
use super::literal::{equals, none, string};
use super::name::check;
use super::recurrence::{self, recurrence};
use super::template::template;
use super::unique::unique;
use crate::diagnostics::Diagnostics;
use crate::model::Attribute;

const KNOWN: &[&str] = &[
    "name",
    "alias",
    "queue",
    "max_attempts",
    "timeout",
    "backoff",
    "priority",
    "unique",
    "partition",
    "cron",
    "every",
    "zone",
    "overlap",
    "catch_up",
    "on_discard",
    "blocking",
    "crate",
];

/// Parses the arguments; an argument that could not be parsed counts as missing.
pub(crate) fn attribute(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Attribute {
    let mut attribute = Attribute::default();
    let parser = |input: ParseStream<'_>| {
        entries(input, KNOWN, diagnostics, |key, input, diagnostics| {
            entry(key, input, &mut attribute, diagnostics)
        });
        Ok(())
    };
    let read = parser.parse2(tokens);
    // After a mistake inside parentheses, syn would also report the unread rest.
    if diagnostics.is_empty() {
        diagnostics.keep(read);
    }
    attribute
}

fn entry(
    key: &Ident,
    input: ParseStream<'_>,
    attribute: &mut Attribute,
    diagnostics: &mut Diagnostics,
) -> syn::Result<()> {
    match key.to_string().as_str() {
        "name" => {
            equals(key, r#"name = "mail.welcome""#, input)?;
            attribute.name = Some(name("a job's name", r#"name = "mail.welcome""#, input)?);
        }
        "alias" => {
            equals(key, r#"alias = "old_name""#, input)?;
            attribute.aliases = aliases(input, diagnostics)?;
        }
        "queue" => {
            equals(key, r#"queue = "mail""#, input)?;
            attribute.queue = Some(name("a queue's name", r#"queue = "mail""#, input)?);
        }
        "max_attempts" => {
            equals(key, "max_attempts = 5", input)?;
            attribute.max_attempts = Some(max_attempts(input)?);
        }
        "timeout" => {
            equals(key, r#"timeout = "30s""#, input)?;
            attribute.timeout = Some(duration(&string(r#"timeout = "30s""#, input)?)?);
        }
        "backoff" => {
            equals(key, r#"backoff = fixed("5s")"#, input)?;
            attribute.backoff = Some(backoff(input)?);
        }
        "priority" => {
            equals(key, "priority = -1", input)?;
            attribute.priority = Some(priority(input)?);
        }
        "on_discard" => {
            equals(key, "on_discard = alert", input)?;
            attribute.on_discard = Some(on_discard(input)?);
        }
        "partition" => {
            equals(key, r#"partition = "{tenant}""#, input)?;
            attribute.partition = Some(template(r#"partition = "{tenant}""#, input)?);
        }
        "unique" => attribute.unique = Some(unique(input, diagnostics)?),
        name if recurrence::KEYS.contains(&name) => recurrence(key, input, &mut attribute.recurrence)?,
        "blocking" => {
            attribute.blocking = Some(key.span());
            none(key, input)?;
        }
        // `entries` passes only known keys, and this is the last one.
        _ => {
            equals(key, "crate = path::to::queue_core", input)?;
            attribute.krate = Some(krate(input)?);
        }
    }
    Ok(())
}

fn name(what: &str, instead: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let name = string(instead, input)?;
    check(what, &name.value(), name.span())?;
    Ok(name)
}

fn aliases(input: ParseStream<'_>, diagnostics: &mut Diagnostics) -> syn::Result<Vec<LitStr>> {
    let one = |input: ParseStream<'_>| name("an alias", r#"alias = "old_name""#, input);
    if !input.peek(token::Bracket) {
        return one(input).map(|alias| vec![alias]);
    }
    let list;
    bracketed!(list in input);
    let mut aliases: Vec<LitStr> = Vec::new();
    for alias in list.parse_terminated(one, Token![,])? {
        if aliases.iter().any(|other| other.value() == alias.value()) {
            diagnostics.error(&alias, format!("the alias `{}` is listed twice: remove one", alias.value()));
        } else {
            aliases.push(alias);
        }
    }
    Ok(aliases)
}

fn max_attempts(input: ParseStream<'_>) -> syn::Result<u32> {
    let (number, span) = integer("max_attempts = 5", input)?;
    match u32::try_from(number) {
        Ok(0) => Err(syn::Error::new(
            span,
            "`max_attempts` must be at least 1: the first attempt counts too, so `max_attempts = 1` never retries",
        )),
        Ok(attempts) => Ok(attempts),
        Err(_) => Err(syn::Error::new(span, format!("`max_attempts` must be between 1 and {}", u32::MAX))),
    }
}

fn priority(input: ParseStream<'_>) -> syn::Result<i32> {
    let (number, span) = integer("priority = -1", input)?;
    i32::try_from(number).map_err(|_| {
        let message = format!("`priority` must be between {} and {}", i32::MIN, i32::MAX);
        syn::Error::new(span, message)
    })
}

/// Parses a whole number, which may be negative. Returns its span too.
fn integer(instead: &str, input: ParseStream<'_>) -> syn::Result<(i128, Span)> {
    let minus: Option<Token![-]> = input.parse()?;
    let digits: LitInt = input.parse().map_err(|error| {
        syn::Error::new(error.span(), format!("expected a whole number: write `{instead}`"))
    })?;
    let number: i128 = digits.base10_parse()?;
    let mut tokens = minus.to_token_stream();
    tokens.extend(digits.to_token_stream());
    let span = syn::Error::new_spanned(tokens, "").span();
    Ok((if minus.is_some() { -number } else { number }, span))
}

fn on_discard(input: ParseStream<'_>) -> syn::Result<Path> {
    input.call(Path::parse_mod_style).map_err(|error| {
        let message = "expected the path of a job: write `on_discard = path::to::job`, without quotes";
        syn::Error::new(error.span(), message)
    })
}

fn krate(input: ParseStream<'_>) -> syn::Result<Path> {
    input.call(Path::parse_mod_style).map_err(|error| {
        let message =
            "expected the path of `queue_core`: write `crate = path::to::queue_core`, without quotes";
        syn::Error::new(error.span(), message)
    })
}

//! `cron = "…"`, `every = "…"`, `zone = "…"`, `overlap = "…"` and `catch_up = "…"`.

use queue_cron::Expression;
use syn::parse::ParseStream;
use syn::{Ident, LitStr};

use super::duration::duration;
use super::literal::{equals, string};
use crate::model::{CatchUpWord, OverlapWord, RecurrenceArguments};

/// The keys that are parsed here.
pub(super) const KEYS: [&str; 5] = ["cron", "every", "zone", "overlap", "catch_up"];

/// Parses the value of one of the keys.
pub(super) fn recurrence(
    key: &Ident,
    input: ParseStream<'_>,
    arguments: &mut RecurrenceArguments,
) -> syn::Result<()> {
    match key.to_string().as_str() {
        "cron" => arguments.cron = Some(cron(&value(key, r#"cron = "0 2 * * *""#, input)?)?),
        "every" => {
            let text = value(key, r#"every = "15m""#, input)?;
            let interval = duration(&text)?;
            arguments.every = Some((text, interval));
        }
        "zone" => arguments.zone = Some(value(key, r#"zone = "Europe/Berlin""#, input)?),
        "overlap" => {
            let text = value(key, r#"overlap = "skip""#, input)?;
            let words =
                [("skip", OverlapWord::Skip), ("follow", OverlapWord::Follow), ("allow", OverlapWord::Allow)];
            let word = word(&text, "overlap", &words)?;
            arguments.overlap = Some((text, word));
        }
        // The caller passes only the keys above, and this is the last one.
        _ => {
            let text = value(key, r#"catch_up = "latest""#, input)?;
            let words =
                [("latest", CatchUpWord::Latest), ("all", CatchUpWord::All), ("skip", CatchUpWord::Skip)];
            let word = word(&text, "catch_up", &words)?;
            arguments.catch_up = Some((text, word));
        }
    }
    Ok(())
}

fn value(key: &Ident, example: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    equals(key, example, input)?;
    string(example, input)
}

/// Checks a cron expression. A part of a literal has no span, so the message has the expression with the mistake underlined.
fn cron(text: &LitStr) -> syn::Result<LitStr> {
    match text.value().parse::<Expression>() {
        Ok(_) => Ok(text.clone()),
        Err(error) => {
            let marked = error.marked().replace('\n', "\n    ");
            Err(syn::Error::new(text.span(), format!("{error}\n\n    {marked}")))
        }
    }
}

fn word<T: Copy>(text: &LitStr, key: &str, words: &[(&str, T)]) -> syn::Result<T> {
    let value = text.value();
    let found = words.iter().find(|(word, _)| *word == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("`{key} = \"{word}\"`")).collect();
        syn::Error::new(text.span(), format!("`{value}` is no `{key}`: write {}", known.join(", ")))
    })
}

//! Parses format strings that name fields.

use syn::parse::ParseStream;

use super::literal::string;
use crate::model::Template;

/// Parses the format string of an argument that is written as `example`.
pub(super) fn template(example: &str, input: ParseStream<'_>) -> syn::Result<Template> {
    let text = string(example, input)?;
    let names = captures(&text.value(), example).map_err(|why| syn::Error::new(text.span(), why))?;
    Ok(Template { text, names })
}

/// Returns the names in `{name}` and `{name:?}`, in order, without duplicates.
///
/// The error says what is wrong and what to write instead.
fn captures(text: &str, example: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Err(format!("the text is empty: write text and parameters, as in `{example}`"));
    }
    let mut names: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(['{', '}']) {
        let brace = &rest[rest.len() - after.len() - 1..rest.len() - after.len()];
        if let Some(escaped) = after.strip_prefix(brace) {
            rest = escaped;
            continue;
        }
        if brace == "}" {
            return Err("a `}` without its `{`: write `}}` for the character itself".to_owned());
        }
        let Some((inside, behind)) = after.split_once('}') else {
            return Err("a `{` without its `}`: write `{{` for the character itself".to_owned());
        };
        let name = inside.split_once(':').map_or(inside, |(name, _)| name).trim();
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(format!("`{{{inside}}}` names no parameter: write its name, as in `{{user_id}}`"));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        rest = behind;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"unique = "user:{user_id}""#;

    #[test]
    fn names_are_found_once_each_in_order_with_or_without_a_format() {
        for (text, names) in [
            ("all", &[][..]),
            ("user:{user_id}", &["user_id"]),
            ("{b}/{a:?}/{b:>8}", &["b", "a"]),
            ("{{literally}} {x}", &["x"]),
        ] {
            assert_eq!(captures(text, EXAMPLE).unwrap(), names, "{text}");
        }
    }

    #[test]
    fn a_placeholder_without_a_name_is_refused_with_what_to_write() {
        for (text, reason) in [
            ("", "empty"),
            ("user:{}", "`{}` names no parameter"),
            ("{0}", "`{0}` names no parameter"),
            ("{user_id", "without its `}`"),
            ("user}", "without its `{`"),
        ] {
            let message = captures(text, EXAMPLE).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}

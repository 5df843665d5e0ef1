//! Checks the names of jobs and queues.

use proc_macro2::Span;

/// The longest name, in characters; queues refuse longer names.
const LONGEST: usize = 128;

/// Checks a name as queues do: 1–128 characters of `[A-Za-z0-9_.:-]`.
pub(crate) fn check(what: &str, name: &str, span: Span) -> syn::Result<()> {
    let refuse = |why: String| Err(syn::Error::new(span, why));
    if name.is_empty() {
        return refuse(format!("{what} is empty: it needs 1 to {LONGEST} characters"));
    }
    let length = name.chars().count();
    if length > LONGEST {
        return refuse(format!("{what} has {length} characters: at most {LONGEST} are allowed"));
    }
    let invalid_char =
        name.chars().find(|char| !(char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | ':' | '-')));
    match invalid_char {
        Some(invalid_char) => refuse(format!(
            "{what} contains {invalid_char:?}: allowed are letters `A-Z a-z`, digits and `_ . : -`"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> Option<String> {
        check("a queue", name, Span::call_site()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_name_has_letters_digits_and_four_signs() {
        for name in ["mail", "Mail.v2:eu-west_1", "0", &"a".repeat(128)] {
            assert_eq!(refusal(name), None);
        }
    }

    #[test]
    fn an_empty_a_long_and_an_invalid_name_are_refused_each_with_its_reason() {
        for (name, reason) in
            [("", "empty"), (&*"a".repeat(129), "129 characters"), ("my queue", "' '"), ("größe", "'ö'")]
        {
            assert!(refusal(name).unwrap().contains(reason), "{name}");
        }
    }
}

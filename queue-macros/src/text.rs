//! The text of tokens and words in messages.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Returns the candidate that a misspelt word probably means.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = word.chars().count().div_ceil(3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Lists words for a message: `` `a`, `b` ``.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// Returns the text of a type as a user would type it: `Option<Vec<u8>>`, not `Option < Vec < u8 > >`.
pub(crate) fn type_text(tokens: TokenStream) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                text.push_str(&type_text(group.stream()));
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match (punct.as_char(), punct.spacing()) {
                ('+', _) => text.push_str(" + "),
                (',', _) => text.push_str(", "),
                (';', _) => text.push_str("; "),
                ('=', Spacing::Alone) => text.push_str(" = "),
                ('-', Spacing::Joint) => text.push_str(" -"),
                ('>', _) if text.ends_with(" -") => text.push_str("> "),
                (char, _) => text.push(char),
            },
            word @ (TokenTree::Ident(_) | TokenTree::Literal(_)) => {
                // Two words in a row need a space: `dyn Trait`, `&'a mut T`.
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_the_nearest_and_a_different_one_finds_none() {
        let known = ["queue", "timeout", "priority"];

        assert_eq!(nearest("quue", known), Some("queue"));
        assert_eq!(nearest("timout", known), Some("timeout"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn types_are_written_as_people_type_them() {
        for text in [
            "Option<Vec<u8>>",
            "HashMap<String, (u8, [u16; 4])>",
            "Box<dyn Fn(&str) -> u8 + Send>",
            "a::b::C<'static>",
            "&mut Tx",
        ] {
            assert_eq!(type_text(text.parse().unwrap()), text);
        }
    }
}

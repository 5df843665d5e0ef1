//! JSON as text: indented and masked without a change to any number or string.

/// Returns JSON with one value on each line, indented by two spaces. A text that is not JSON keeps its characters outside of blanks.
pub(crate) fn indent(json: &str) -> String {
    let (mut out, mut depth) = (String::with_capacity(json.len() * 2), 0_usize);
    let mut tokens = Tokens(json).peekable();
    while let Some(token) = tokens.next() {
        match token {
            "{" | "[" => {
                out.push_str(token);
                if !matches!(tokens.peek(), Some(&("}" | "]"))) {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            "}" | "]" => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    new_line(&mut out, depth);
                }
                out.push_str(token);
            }
            "," => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ":" => out.push_str(": "),
            _ => out.push_str(token),
        }
    }
    out
}

/// An indentation of more levels is hard to read, and would let a short text grow without bound.
const DEEPEST: usize = 32;

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

/// Returns JSON in which the values of some keys are `"•••"`, at any depth.
pub(crate) fn mask(json: &str, keys: &[String]) -> String {
    let mut out = String::with_capacity(json.len());
    let mut tokens = Tokens(json).peekable();
    while let Some(token) = tokens.next() {
        out.push_str(token);
        let is_hidden = token.starts_with('"') && tokens.peek() == Some(&":") && is_one_of(token, keys);
        if is_hidden {
            tokens.next();
            skip_value(&mut tokens);
            out.push_str(":\"•••\"");
        }
    }
    out
}

/// Compares the key itself, since a key can be written with escapes.
fn is_one_of(token: &str, keys: &[String]) -> bool {
    serde_json::from_str::<String>(token).is_ok_and(|key| keys.contains(&key))
}

fn skip_value<'a>(tokens: &mut impl Iterator<Item = &'a str>) {
    let mut depth = 0_usize;
    for token in tokens {
        match token {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// The tokens of a JSON text: punctuation, strings with their quotes, and other values. Blanks between them are left out.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start_matches([' ', '\n', '\r', '\t']);
        let end = match text.chars().next()? {
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            '"' => end_of_string(text),
            first => {
                let rest = text.get(first.len_utf8()..).unwrap_or_default();
                let end =
                    |c: char| matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '"') || c.is_ascii_whitespace();
                rest.find(end).map_or(text.len(), |end| first.len_utf8() + end)
            }
        };
        let (token, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(token)
    }
}

fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_keeps_each_value() {
        let json = r#"{"n": 1.50,"big":123456789012345678901234567890,"s":"a, \"{b}\" \\","l":[],"o":{"x":[1,null]}}"#;

        let text = indent(json);

        assert_eq!(
            text,
            "{\n  \"n\": 1.50,\n  \"big\": 123456789012345678901234567890,\n  \"s\": \"a, \\\"{b}\\\" \\\\\",\n  \
             \"l\": [],\n  \"o\": {\n    \"x\": [\n      1,\n      null\n    ]\n  }\n}"
        );
        assert_eq!(indent("not json"), "notjson");
        assert_eq!(indent(""), "");
    }

    #[test]
    fn the_values_of_hidden_keys_are_masked_at_any_depth() {
        let json = r#"{"a":[{"pin":{"x":[1,2]},"n":1.50}],"p\u0069n":"1234","pins":1,"s":"pin"}"#;

        let masked = mask(json, &["pin".to_owned()]);

        assert_eq!(masked, r#"{"a":[{"pin":"•••","n":1.50}],"p\u0069n":"•••","pins":1,"s":"pin"}"#);
    }
}

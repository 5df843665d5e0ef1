//! Splits Rust text to lines of code and comment.

use super::{Line, is_word};

/// What the scanner stands in.
#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// Splits `text` to lines; strings keep their quotes and lose their contents.
pub(super) fn split(text: &str) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    let mut state = State::Code;
    let mut rest = text;
    let mut before = ' ';
    while let Some(character) = rest.chars().next() {
        let (taken, next) = step(state, rest, character, before);
        let (piece, left) = rest.split_at(taken);
        for character in piece.chars() {
            record(&mut lines, state, next, character);
        }
        let ends_line_comment = matches!(state, State::LineComment) && character == '\n';
        state = if ends_line_comment { State::Code } else { next };
        before = character;
        rest = left;
    }
    lines
}

/// How many bytes the next piece takes, and the state after it.
fn step(state: State, rest: &str, character: char, before: char) -> (usize, State) {
    let one = character.len_utf8();
    match state {
        State::Code => code_step(rest, character, before),
        State::LineComment => (one, state),
        State::BlockComment { depth } if rest.starts_with("*/") && depth == 1 => (2, State::Code),
        State::BlockComment { depth } if rest.starts_with("*/") => {
            (2, State::BlockComment { depth: depth - 1 })
        }
        State::BlockComment { depth } if rest.starts_with("/*") => {
            (2, State::BlockComment { depth: depth + 1 })
        }
        State::BlockComment { .. } => (one, state),
        State::Text if character == '\\' => (one + rest.chars().nth(1).map_or(0, char::len_utf8), state),
        State::Text if character == '"' => (1, State::Code),
        State::Text => (one, state),
        State::RawText { hashes } => {
            let end = format!("\"{}", "#".repeat(hashes));
            if rest.starts_with(&end) { (end.len(), State::Code) } else { (one, state) }
        }
    }
}

fn code_step(rest: &str, character: char, before: char) -> (usize, State) {
    if rest.starts_with("//") {
        return (2, State::LineComment);
    }
    if rest.starts_with("/*") {
        return (2, State::BlockComment { depth: 1 });
    }
    match character {
        '"' => (1, State::Text),
        '\'' => (character_literal(rest).unwrap_or(1), State::Code),
        // `r"…"` and `br#"…"#`; but not `r#type`, nor the end of an identifier such as `for`.
        'r' if !is_word(before) || before == 'b' || before == 'c' => {
            let hashes = rest.chars().skip(1).take_while(|&character| character == '#').count();
            let opens = rest.chars().nth(1 + hashes) == Some('"');
            if opens { (2 + hashes, State::RawText { hashes }) } else { (1, State::Code) }
        }
        _ => (character.len_utf8(), State::Code),
    }
}

/// The length of the character literal that `rest` begins with; none if it begins with a lifetime.
fn character_literal(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        // The escaped character itself may be a quote.
        characters.next();
        return characters.find(|&(_, character)| character == '\'').map(|(at, _)| at + 1);
    }
    characters.next().filter(|&(_, character)| character == '\'').map(|(at, _)| at + 1)
}

/// Puts a character where it belongs, by the states before and after the piece that it is part of.
fn record(lines: &mut Vec<Line>, state: State, next: State, character: char) {
    if character == '\n' {
        lines.push(Line::default());
        return;
    }
    let Some(line) = lines.last_mut() else { return };
    match (state, next) {
        (State::LineComment | State::BlockComment { .. }, _)
        | (State::Code, State::LineComment | State::BlockComment { .. }) => line.comment.push(character),
        (State::Text | State::RawText { .. }, State::Text | State::RawText { .. }) => line.code.push(' '),
        (State::Code | State::Text | State::RawText { .. }, _) => line.code.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<String> {
        split(text).into_iter().map(|line| line.code).collect()
    }

    #[test]
    fn comments_are_apart_from_code() {
        let lines = split("let a = 1; // one /* two\nlet b; /* x /* y */ z\nw */ let c;");

        assert_eq!(lines[0].code, "let a = 1; ");
        assert_eq!(lines[0].comment, "// one /* two");
        assert_eq!(lines[1].comment, "/* x /* y */ z");
        assert_eq!(lines[2].code, " let c;");
    }

    #[test]
    fn strings_keep_their_quotes_and_lose_their_contents() {
        assert_eq!(codes(r#"f("a // \" b", 1)"#), [r#"f("         ", 1)"#]);
        assert_eq!(codes("g(r#\"a \" b\"#, 2)"), ["g(r#\"     \"#, 2)"]);
        assert_eq!(codes("h(\"one\ntwo\")"), ["h(\"   ", "   \")"]);
    }

    #[test]
    fn quotes_in_character_literals_open_no_string() {
        assert_eq!(codes("['\"', '\\'', 'a'] // c"), ["['\"', '\\'', 'a'] "]);
        assert_eq!(codes("fn f<'a>(x: &'a str) // c"), ["fn f<'a>(x: &'a str) "]);
    }

    #[test]
    fn a_raw_identifier_opens_no_string() {
        assert_eq!(codes("r#type.for\"x\""), ["r#type.for\" \""]);
    }
}

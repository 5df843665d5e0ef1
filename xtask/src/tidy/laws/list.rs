//! Reads the list of laws.

use std::fmt;

/// A line of the list: `- **Q23** Past its expiry …`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Law {
    pub(super) letter: char,
    pub(super) number: u32,
    pub(super) line: usize,
    /// The line of the heading that it stands under; 0 if there is none.
    pub(super) section: usize,
    /// Whether it binds what is not built yet.
    pub(super) is_later: bool,
}

impl fmt::Display for Law {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.letter, self.number)
    }
}

impl Law {
    /// Whether it belongs after `other`: both stand in one section, and its number is greater.
    pub(super) fn is_after(&self, other: &Self) -> bool {
        (self.letter, self.section) == (other.letter, other.section) && self.number > other.number
    }
}

/// The laws of the list, in its order.
pub(super) fn parse(text: &str) -> Vec<Law> {
    let mut laws = Vec::new();
    let mut section = 0;
    for (line, text) in (1..).zip(text.lines()) {
        if text.starts_with('#') {
            section = line;
        }
        laws.extend(law(section, line, text));
    }
    laws
}

fn law(section: usize, line: usize, text: &str) -> Option<Law> {
    let (name, rest) = text.strip_prefix("- **")?.split_once("**")?;
    let (letter, number) = parse_name(name)?;
    Some(Law { letter, number, line, section, is_later: rest.trim_start().starts_with("(later)") })
}

/// Takes `Q23` to its letter and number.
pub(super) fn parse_name(name: &str) -> Option<(char, u32)> {
    let letter = name.chars().next().filter(char::is_ascii_uppercase)?;
    let digits = name.get(1..)?;
    let is_plain = digits.chars().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    Some((letter, digits.parse().ok().filter(|_| is_plain)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_is_a_bullet_with_its_number_in_bold() {
        let laws = parse(
            "# Laws\n- **Q1** One.\n  **Q2** not a bullet\n## D\n- **D12** (later) Two.\n- **Note** this",
        );

        let q1 = Law { letter: 'Q', number: 1, line: 2, section: 1, is_later: false };
        let d12 = Law { letter: 'D', number: 12, line: 5, section: 4, is_later: true };
        assert_eq!(laws, [q1, d12]);
    }

    #[test]
    fn a_name_is_one_capital_and_a_plain_number() {
        assert_eq!(parse_name("H28"), Some(('H', 28)));
        for name in ["", "Q", "q1", "Q01", "QQ1", "Q1a", "Q+1"] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }
}

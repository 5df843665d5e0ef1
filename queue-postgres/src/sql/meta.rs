//! A key and value of the metadata, as the texts that the column `meta` contains.
//!
//! The column is the text of a JSON object of strings. A search for text fails neither for characters that the database lacks, nor
//! for NUL, which `jsonb` refuses.

use queue_core::Meta;

/// Returns the texts one of which is in the metadata of a job that has this key with this value: as programs write them, and as
/// the function `enqueue` does.
pub(crate) fn texts(key: &str, value: &str) -> Vec<String> {
    let (key, value) = (json(key), json(value));
    [("{", ":"), (",", ":"), ("{", ": "), (", ", ": ")]
        .map(|(before, between)| format!("{before}{key}{between}{value}"))
        .into()
}

/// Returns the text as a JSON string.
fn json(text: &str) -> String {
    let object = Meta::from_iter([(text, "")]).to_json().ok().flatten().unwrap_or_default();
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix(":\"\"}")).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_of_a_job_contains_one_of_the_texts() {
        let pairs = [("tenant", "acme"), ("a\"b", "\\\n"), ("", ""), ("{", ":\"\"}"), ("ß", "\0")];
        for (key, value) in pairs {
            let others = [("0", "first"), ("zz", "last"), (key, value)];
            let stored = Meta::from_iter(others).to_json().unwrap().unwrap();

            assert!(
                texts(key, value).iter().any(|text| stored.contains(text)),
                "{key:?}, {value:?} in {stored}"
            );
        }
    }

    #[test]
    fn other_metadata_contains_none_of_the_texts() {
        let stored =
            Meta::from_iter([("x\"tenant", "acme"), ("tenant", "acme2"), ("note", "{\"tenant\":\"acme\"}")]);
        let stored = stored.to_json().unwrap().unwrap();

        assert!(!texts("tenant", "acme").iter().any(|text| stored.contains(text)), "{stored}");
    }
}

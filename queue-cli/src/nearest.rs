//! The known name that is nearest to an unknown one.

/// Returns the name that differs least from `wanted`, or `None` if no name is similar.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &&'a str| strsim::damerau_levenshtein(wanted, name);
    let nearest = names.into_iter().min_by_key(distance)?;
    // A third of the letters may differ.
    (distance(&nearest) <= wanted.chars().count().div_ceil(3)).then_some(nearest)
}

/// Returns the question that names the nearest name, for the help of an error.
pub(crate) fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wanted, names).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_if_few_letters_differ() {
        let names = ["mail", "reports", "thumbnails"];

        assert_eq!(nearest("mial", names), Some("mail"));
        assert_eq!(nearest("report", names), Some("reports"));
        assert_eq!(nearest("orders", names), None);
        assert_eq!(nearest("mail", []), None);
    }
}

//! Durations with their unit: `"30s"`, `"1h 30m"`.

use std::time::Duration;

use syn::LitStr;

/// Parses a duration that is not zero.
pub(super) fn duration(text: &LitStr) -> syn::Result<Duration> {
    let value = text.value();
    let error = |why: String| {
        let message =
            format!("{why}; write a number and its unit, as in `\"500ms\"`, `\"30s\"`, `\"1h 30m\"`");
        syn::Error::new(text.span(), message)
    };
    match humantime::parse_duration(&value) {
        Ok(duration) if duration.is_zero() => Err(error(format!("`{value}` is zero"))),
        Ok(duration) => Ok(duration),
        Err(_) => Err(error(format!("`{value}` is not a duration"))),
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn read(text: &str) -> Result<Duration, String> {
        duration(&LitStr::new(text, Span::call_site())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_duration_has_numbers_with_units() {
        assert_eq!(read("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("1h 30m"), Ok(Duration::from_secs(5400)));
    }

    #[test]
    fn an_invalid_duration_is_refused_with_what_to_write() {
        for text in ["30", "soon", "", "-1s", "30 parsecs", "0s"] {
            let message = read(text).unwrap_err();
            assert!(message.contains("`\"30s\"`"), "{text}: {message}");
        }
    }
}

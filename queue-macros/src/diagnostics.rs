//! Collects the mistakes in a job.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects mistakes, so that all of them are reported together.
///
/// **Invariant:** it is always finished: dropping it with unreported mistakes would let an invalid job pass.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    errors: Vec<syn::Error>,
    is_finished: bool,
}

impl Diagnostics {
    pub(crate) const fn new() -> Self {
        Self { errors: Vec::new(), is_finished: false }
    }

    /// Returns whether no mistake was found so far.
    pub(crate) const fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds a mistake at the tokens to change.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds a mistake at a span.
    pub(crate) fn error_at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Adds a mistake that is a `syn::Error` already.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    /// Returns the value, or adds the mistake.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Ends the collection. Returns the errors as tokens, if there are any.
    #[must_use]
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        self.is_finished = true;
        let errors = std::mem::take(&mut self.errors);
        (!errors.is_empty()).then(|| errors.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        assert!(
            self.is_finished || std::thread::panicking(),
            "diagnostics were dropped and not finished: {:?}",
            self.errors
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_reported_in_the_order_in_which_they_were_found() {
        let mut diagnostics = Diagnostics::new();
        diagnostics.error_at(Span::call_site(), "first");
        diagnostics.error_at(Span::call_site(), "second");

        let errors = diagnostics.finish().unwrap().to_string();

        assert!(errors.find("first").unwrap() < errors.find("second").unwrap());
    }

    #[test]
    fn no_mistake_is_no_tokens() {
        assert!(Diagnostics::new().finish().is_none());
    }

    #[test]
    #[should_panic(expected = "not finished")]
    fn forgetting_to_finish_is_noticed() {
        let mut diagnostics = Diagnostics::new();
        diagnostics.error_at(Span::call_site(), "unreported");
        drop(diagnostics);
    }
}

//! Writes the code of a model.

mod constructor;
mod derived;
mod function;
mod implementation;
mod options;
mod partition;
mod payload;
mod perform;
mod recurrence;
mod service;
mod span;
mod template;
mod unique;

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::model::Job;

pub(crate) use constructor::constructor_parameter;
pub(crate) use function::user_function;
pub(crate) use payload::{documentation, stored};

/// Writes the function, the payload type beside it, and the payload's implementations.
pub(crate) fn expand(job: &Job) -> TokenStream {
    let function = function::of_job(job);
    let payload = payload::payload(job);
    let derived = derived::derived(job);
    let constructor = constructor::constructor(job);
    let implementation = implementation::implementation(job);
    quote! {
        #function
        #payload
        #derived
        #constructor
        #implementation
    }
}

/// Returns a span that points to the user's tokens, but whose names cannot collide with the user's names.
pub(crate) fn hygienic_span(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// Returns the lint attributes of every generated item: lints do not apply to code that a macro wrote.
pub(crate) fn allow_lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            deprecated,
            missing_copy_implementations,
            non_camel_case_types,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::nursery,
            clippy::pedantic
        )]
    }
}

//! Writes the function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, FnArg};

use crate::model::{Function, Job};
use crate::validate::intended_attribute;

/// Writes the function of a job, with the await points of its body marked if the testkit needs them.
pub(super) fn of_job(job: &Job) -> TokenStream {
    #[cfg(feature = "explore")]
    let body = &crate::await_points::marked(&job.function.body, job.attribute.private());
    #[cfg(not(feature = "explore"))]
    let body = &job.function.body;
    with_body(&job.function, body)
}

/// Writes the function without the attributes that its parameters have for this macro.
pub(crate) fn user_function(function: &Function) -> TokenStream {
    with_body(function, &function.body)
}

fn with_body(function: &Function, body: &TokenStream) -> TokenStream {
    let Function { attributes, visibility, signature, .. } = function;
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attribute| !is_ours(attribute));
        }
    }
    // A job is `async` even if it awaits nothing.
    let allow_lints = signature.asyncness.map(|_| quote!(#[allow(clippy::unused_async)]));
    quote!(#(#attributes)* #allow_lints #visibility #signature #body)
}

/// Checks whether an attribute of a parameter belongs to this macro; lints and attributes of other macros stay.
fn is_ours(attribute: &Attribute) -> bool {
    let path = attribute.path();
    path.is_ident("doc") || path.get_ident().is_some_and(|word| intended_attribute(word).is_some())
}

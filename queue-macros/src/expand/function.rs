//! Writes the function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Attribute, FnArg, Pat, parse_quote};

use crate::model::{Function, Job, Template};
use crate::validate::intended_attribute;

/// Writes the function of a job, with the await points of its body marked if the testkit needs them. A parameter that the attribute
/// names, as in `partition = "{tenant}"`, counts as used.
pub(super) fn of_job(job: &Job) -> TokenStream {
    #[cfg(feature = "explore")]
    let body = &crate::await_points::marked(&job.function.body, job.attribute.private());
    #[cfg(not(feature = "explore"))]
    let body = &job.function.body;
    with_body(&job.function, body, &job.attribute.templates().collect::<Vec<_>>())
}

/// Writes the function without the attributes that its parameters have for this macro.
pub(crate) fn user_function(function: &Function) -> TokenStream {
    with_body(function, &function.body, &[])
}

fn with_body(function: &Function, body: &TokenStream, templates: &[&Template]) -> TokenStream {
    let Function { attributes, visibility, signature, .. } = function;
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        if let FnArg::Typed(input) = input {
            input.attrs.retain(|attribute| !is_ours(attribute));
            if is_named(&input.pat, templates) {
                input.attrs.push(parse_quote!(#[allow(unused_variables)]));
            }
        }
    }
    // A job is `async` even if it awaits nothing.
    let allow_lints = signature.asyncness.map(|_| quote!(#[allow(clippy::unused_async)]));
    quote!(#(#attributes)* #allow_lints #visibility #signature #body)
}

/// Returns whether a format string names a parameter.
fn is_named(parameter: &Pat, templates: &[&Template]) -> bool {
    let Pat::Ident(parameter) = parameter else { return false };
    let name = parameter.ident.unraw().to_string();
    templates.iter().any(|template| template.names.contains(&name))
}

/// Checks whether an attribute of a parameter belongs to this macro; lints and attributes of other macros stay.
fn is_ours(attribute: &Attribute) -> bool {
    let path = attribute.path();
    path.is_ident("doc") || path.get_ident().is_some_and(|word| intended_attribute(word).is_some())
}

//! Writes `new`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::payload::stored;
use super::{allow_lints, hygienic_span};
use crate::model::{Field, Job};

/// Writes `new`, which takes each field by its own type, and a `String` or a borrowed parameter as `impl Into<…>`.
pub(super) fn constructor(job: &Job) -> TokenStream {
    let conditions = job.function.conditions();
    let visibility = &job.function.visibility;
    let payload = &job.function.signature.ident;
    let documentation = format!("Creates the job `{payload}`, to be enqueued.");
    let allow_lints = allow_lints();
    let parameters = job.fields().map(constructor_parameter);
    let values = job.fields().map(|field| {
        let name = &field.name;
        if field.is_converted() {
            let span = hygienic_span(name.span());
            quote_spanned!(span=> #name: ::core::convert::Into::into(#name))
        } else {
            quote!(#name)
        }
    });
    quote! {
        #(#conditions)*
        #[automatically_derived]
        #allow_lints
        impl #payload {
            #[doc = #documentation]
            #[must_use]
            #visibility fn new(#(#parameters),*) -> Self {
                Self { #(#values),* }
            }
        }
    }
}

/// Writes the parameter by which `new` takes a field.
pub(crate) fn constructor_parameter(field: &Field) -> TokenStream {
    let name = &field.name;
    let ty = stored(field);
    if field.is_converted() { quote!(#name: impl ::core::convert::Into<#ty>) } else { quote!(#name: #ty) }
}

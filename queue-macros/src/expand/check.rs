//! Checks that only the compiler can make, each reported at the user's type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::generated_at;
use super::payload::stored;
use crate::model::Job;

/// Writes the check that every field can be stored.
pub(super) fn check(job: &Job) -> TokenStream {
    let private = job.attribute.private();
    let conditions = job.function.conditions();
    let checks = job.fields().map(|field| {
        let ty = stored(field);
        let span = generated_at(field.ty.span());
        quote_spanned!(span=> can_be_stored::<#ty>();)
    });
    quote! {
        #(#conditions)*
        const _: fn() = || {
            fn can_be_stored<T: #private::Payload>() {}
            #(#checks)*
        };
    }
}

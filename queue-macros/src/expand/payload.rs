//! The payload: what is stored.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Ident, LitStr};

use super::{generated_at, unlinted};
use crate::model::{Field, Job, Storage};

/// Writes the struct, always with braces: only such a one may share its name with the function.
pub(super) fn payload(job: &Job) -> TokenStream {
    let private = job.attribute.private();
    let serde = LitStr::new(&quote!(#private::serde).to_string(), proc_macro2::Span::call_site());
    let conditions = job.function.conditions();
    let visibility = &job.function.visibility;
    let name = &job.function.signature.ident;
    let documentation = documentation(name);
    let unlinted = unlinted();
    let fields = job.fields().map(|field| {
        let attributes = &field.attributes;
        let documentation = (!is_documented(field)).then(|| {
            let text = format!("The job's `{}`.", field.name.unraw());
            quote!(#[doc = #text])
        });
        let name = &field.name;
        let ty = stored(field);
        quote!(#documentation #(#attributes)* #visibility #name: #ty)
    });
    quote! {
        #(#conditions)*
        #[doc = #documentation]
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::cmp::PartialEq,
            #private::serde::Serialize,
            #private::serde::Deserialize
        )]
        #[serde(crate = #serde)]
        #unlinted
        #visibility struct #name {
            #(#fields,)*
        }
    }
}

/// Says what the payload type is.
pub(crate) fn documentation(name: &Ident) -> String {
    let plain = name.unraw();
    if plain == *name {
        format!("The background job of the function [`{plain}`](fn@{plain}): its payload, to be enqueued.")
    } else {
        // A link can't name a raw identifier.
        format!("The background job of the function `{plain}`: its payload, to be enqueued.")
    }
}

/// Gives the type that a field has in the payload.
pub(crate) fn stored(field: &Field) -> TokenStream {
    match &field.storage {
        Storage::Value => field.ty.to_token_stream(),
        Storage::Owned(owned) => owned.to_token_stream(),
        Storage::Optional(owned) | Storage::OptionalDeref(owned) => quote!(::core::option::Option<#owned>),
    }
}

/// Passes a field of `payload` to the function.
pub(super) fn passed(field: &Field, payload: &Ident) -> TokenStream {
    let name = &field.name;
    let span = generated_at(name.span());
    match &field.storage {
        Storage::Value => quote_spanned!(span=> ::core::clone::Clone::clone(&#payload.#name)),
        Storage::Owned(_) => quote_spanned!(span=> &#payload.#name),
        Storage::Optional(_) => quote_spanned!(span=> ::core::option::Option::as_ref(&#payload.#name)),
        Storage::OptionalDeref(_) => quote_spanned!(span=> ::core::option::Option::as_deref(&#payload.#name)),
    }
}

fn is_documented(field: &Field) -> bool {
    field
        .attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("doc"))
}

/// Names a variable of generated code, which can't meet the user's names.
pub(super) fn variable(name: &Ident) -> Ident {
    let mut variable = format_ident!("__{}", name.unraw());
    variable.set_span(generated_at(name.span()));
    variable
}

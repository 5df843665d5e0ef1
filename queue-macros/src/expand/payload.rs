//! Writes the payload type.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Ident, LitStr};

use super::allow_lints;
use super::span::main_span;
use crate::model::{Attribute, Field, Job, SerdeMode, Storage};

/// Writes the struct, always with braces: only a struct with braces may share its name with the function.
pub(super) fn payload(job: &Job) -> TokenStream {
    let private = job.attribute.private();
    let serde = LitStr::new(&quote!(#private::serde).to_string(), Span::call_site());
    let conditions = job.function.conditions();
    let visibility = &job.function.visibility;
    let name = &job.function.signature.ident;
    let documentation = documentation(name);
    let allow_lints = allow_lints();
    let fields = job.fields().map(|field| {
        let attributes = &field.attributes;
        let documentation = (!field.is_documented()).then(|| {
            let text = format!("The job's `{}`.", field.name.unraw());
            quote!(#[doc = #text])
        });
        let serde_attribute = serde_attribute(field, &job.attribute);
        let name = &field.name;
        let ty = stored(field);
        quote!(#documentation #(#attributes)* #serde_attribute #visibility #name: #ty)
    });
    quote! {
        #(#conditions)*
        #[doc = #documentation]
        #[derive(#private::serde::Serialize, #private::serde::Deserialize)]
        #[serde(crate = #serde)]
        #allow_lints
        #visibility struct #name {
            #(#fields,)*
        }
    }
}

/// Returns the documentation of the payload type.
pub(crate) fn documentation(name: &Ident) -> String {
    let plain = name.unraw();
    if plain == *name {
        format!("The background job of the function [`{plain}`](fn@{plain}): its payload, to be enqueued.")
    } else {
        // A link can't name a raw identifier.
        format!("The background job of the function `{plain}`: its payload, to be enqueued.")
    }
}

/// Returns the type of a field in the payload.
pub(crate) fn stored(field: &Field) -> TokenStream {
    match &field.storage {
        Storage::Value => field.ty.to_token_stream(),
        Storage::Owned(owned) => owned.to_token_stream(),
        Storage::Optional(owned) | Storage::OptionalDeref(owned) => quote!(::core::option::Option<#owned>),
    }
}

/// Writes the attribute by which serde writes and reads the field through `Payload`, whose message explains why a type is unsuitable.
fn serde_attribute(field: &Field, attribute: &Attribute) -> Option<TokenStream> {
    if matches!(field.serde_mode, SerdeMode::Custom) {
        return None;
    }
    let storable = storable(field, attribute).to_string();
    let path = |function: &str| LitStr::new(&format!("{storable}::{function}"), main_span(&field.ty));
    let (write, read) = (path("write"), path("read"));
    // serde reads a missing `Option` as `None`, except if a function reads it.
    let default = matches!(field.serde_mode, SerdeMode::PlainOption).then(|| quote!(default,));
    Some(quote!(#[serde(#default serialize_with = #write, deserialize_with = #read)]))
}

/// Writes `<T as Payload>`.
///
/// Every token gets the same span, as do the tokens that serde makes of the text, because rustc merges two errors only if
/// their spans are equal.
pub(super) fn storable(field: &Field, attribute: &Attribute) -> TokenStream {
    let span = main_span(&field.ty);
    let private = attribute.private_at(span);
    let ty = respanned(stored(field), span);
    quote_spanned!(span=> <#ty as #private::Payload>)
}

fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    let respanned = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut respanned = Group::new(group.delimiter(), respanned(group.stream(), span));
            respanned.set_span(span);
            TokenTree::Group(respanned)
        }
        mut token => {
            token.set_span(span);
            token
        }
    });
    respanned.collect()
}

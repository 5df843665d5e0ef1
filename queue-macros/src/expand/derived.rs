//! `Debug`, `Clone` and `PartialEq` of the payload.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;

use super::hygienic_span;
use super::payload::storable;
use crate::model::{Attribute, Field, Job, SerdeMode};

/// Writes what a derive would, but through `Payload`, whose message explains why a type is unsuitable.
pub(super) fn derived(job: &Job) -> TokenStream {
    let conditions: Vec<_> = job.function.conditions().collect();
    let name = &job.function.signature.ident;
    let shown_name = name.unraw().to_string();
    let (mut shown, mut copied, mut equal) = (Vec::new(), Vec::new(), Vec::new());
    for field in job.fields() {
        let name = &field.name;
        let shown_name = name.unraw().to_string();
        let value = shown_value(field, &job.attribute);
        let copy = copy(field, &job.attribute, &quote!(self));
        let equals = equals(field, &job.attribute);
        shown.push(quote!(.field(#shown_name, #value)));
        copied.push(quote!(#name: #copy));
        equal.push(quote!(&& #equals));
    }
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                formatter.debug_struct(#shown_name) #(#shown)* .finish()
            }
        }

        #(#conditions)*
        #[automatically_derived]
        impl ::core::clone::Clone for #name {
            fn clone(&self) -> Self {
                Self { #(#copied),* }
            }
        }

        #(#conditions)*
        #[automatically_derived]
        impl ::core::cmp::PartialEq for #name {
            fn eq(&self, other: &Self) -> bool {
                true #(#equal)*
            }
        }
    }
}

/// Clones a field of `payload`.
pub(super) fn copy(field: &Field, attribute: &Attribute, payload: &TokenStream) -> TokenStream {
    let name = &field.name;
    if matches!(field.serde_mode, SerdeMode::Custom) {
        return quote_spanned!(hygienic_span(name.span())=> ::core::clone::Clone::clone(&#payload.#name));
    }
    let storable = storable(field, attribute);
    quote!(#storable::copied(&#payload.#name))
}

fn shown_value(field: &Field, attribute: &Attribute) -> TokenStream {
    let name = &field.name;
    if matches!(field.serde_mode, SerdeMode::Custom) {
        return quote!(&self.#name);
    }
    let storable = storable(field, attribute);
    quote!(#storable::shown(&self.#name))
}

fn equals(field: &Field, attribute: &Attribute) -> TokenStream {
    let name = &field.name;
    if matches!(field.serde_mode, SerdeMode::Custom) {
        return quote!(::core::cmp::PartialEq::eq(&self.#name, &other.#name));
    }
    let storable = storable(field, attribute);
    quote!(#storable::equals(&self.#name, &other.#name))
}

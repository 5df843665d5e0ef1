//! The job's unique key.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;

use super::options::duration;
use crate::model::{Job, UniqueKey};

/// Writes `Job::unique`, or nothing where any number of such jobs may be.
pub(super) fn unique(job: &Job) -> Option<TokenStream> {
    let private = job.attribute.private();
    let unique = job.attribute.unique.as_ref()?;
    let key = match &unique.key {
        UniqueKey::Payload => quote!(#private::Unique::of_payload(self)),
        UniqueKey::Format { text, names } => {
            let values = job
                .fields()
                .filter(|field| names.contains(&field.name.unraw().to_string()))
                .map(|field| {
                    let name = Ident::new(&field.name.unraw().to_string(), Span::call_site());
                    let field = &field.name;
                    quote!(#name = self.#field)
                });
            quote!(#private::Unique::new(::std::format!(#text #(, #values)*)))
        }
    };
    let within = unique.within.map(|window| {
        let window = duration(window);
        quote!(.within(#window))
    });
    let replace = unique.replace.then(|| quote!(.replace()));
    Some(quote! {
        fn unique(&self) -> ::core::option::Option<#private::Unique> {
            ::core::option::Option::Some(#key #within #replace)
        }
    })
}

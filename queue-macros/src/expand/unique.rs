//! The job's unique key.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;

use super::options::duration;
use crate::model::{Job, UniqueKey};

/// Writes `Job::unique`, or nothing if the job is not unique.
pub(super) fn unique(job: &Job) -> Option<TokenStream> {
    let private = job.attribute.private();
    let unique = job.attribute.unique.as_ref()?;
    let key = match &unique.key {
        UniqueKey::Payload => quote!(#private::Unique::of_payload(self)),
        UniqueKey::Format { text, names } => {
            // rustc reports a field that can't be formatted at the key.
            let span = text.span().resolved_at(Span::call_site());
            let fields = job.fields().filter(|field| names.contains(&field.name.unraw().to_string()));
            let values = fields.map(|field| {
                let name = Ident::new(&field.name.unraw().to_string(), span);
                let mut field = field.name.clone();
                field.set_span(span.resolved_at(field.span()));
                quote_spanned!(span=> #name = self.#field)
            });
            quote_spanned!(span=> #private::Unique::new(::std::format!(#text #(, #values)*)))
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

//! Texts that name fields of the payload.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt as _;

use crate::model::{Job, Template};

/// Writes the expression of the text for one payload, within a method of the payload.
pub(super) fn formatted(job: &Job, Template { text, names }: &Template) -> TokenStream {
    // rustc reports a field that can't be formatted at the text.
    let span = text.span().resolved_at(Span::call_site());
    let fields = job.fields().filter(|field| names.contains(&field.name.unraw().to_string()));
    let values = fields.map(|field| {
        let name = Ident::new(&field.name.unraw().to_string(), span);
        let mut field = field.name.clone();
        field.set_span(span.resolved_at(field.span()));
        quote_spanned!(span=> #name = self.#field)
    });
    quote_spanned!(span=> ::std::format!(#text #(, #values)*))
}

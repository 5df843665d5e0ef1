//! The spans of errors about a type.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{Type, TypeParamBound};

/// Returns the span of the one token that represents a type: `Mailer` in `&dyn Mailer`, `Vec` in `Vec<u8>`.
pub(super) fn main_span(ty: &Type) -> Span {
    let token = match ty {
        Type::Reference(reference) => return main_span(&reference.elem),
        Type::Paren(paren) => return main_span(&paren.elem),
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.span()),
        Type::TraitObject(object) => object.bounds.iter().find_map(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last().map(|last| last.ident.span()),
            _ => None,
        }),
        _ => None,
    };
    token.unwrap_or_else(|| ty.span())
}

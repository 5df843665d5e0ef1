//! Writes how services are taken from the scope and passed to the function.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt as _;

use super::hygienic_span;
use super::span::main_span;
use crate::model::{Attribute, InjectKind, Service};

/// Writes the dependency that the job declares.
pub(super) fn dependency(service: &Service, attribute: &Attribute) -> TokenStream {
    let injected = injected(service, attribute);
    let key = key(service);
    let private = attribute.private_at(hygienic_span(main_span(&service.ty)));
    let name = service.name.unraw().to_string();
    let span = hygienic_span(main_span(&service.ty));
    quote_spanned! {span=>
        <#injected as #private::FromScope>::dependency(#key).for_parameter(#name)
    }
}

/// Writes the statement that takes the service from the scope, or ends the attempt.
pub(super) fn resolve(service: &Service, scope: &Ident, attribute: &Attribute) -> TokenStream {
    let injected = injected(service, attribute);
    let key = key(service);
    let private = attribute.private_at(hygienic_span(main_span(&service.ty)));
    let variable = variable(&service.name);
    let mutability = matches!(service.kind, InjectKind::Exclusive(_)).then(|| quote!(mut));
    let span = hygienic_span(main_span(&service.ty));
    quote_spanned! {span=>
        let #mutability #variable = match <#injected as #private::FromScope>::from_scope(#scope, #key).await {
            ::core::result::Result::Ok(__service) => __service,
            ::core::result::Result::Err(__error) => return ::core::convert::From::from(__error),
        };
    }
}

/// Writes the statement that borrows the service from the scope if it is a shared one that exists already, and takes it
/// otherwise.
///
/// So a singleton costs an attempt neither an allocation nor an update of a shared reference count.
pub(super) fn borrow(service: &Service, scope: &Ident, attribute: &Attribute) -> TokenStream {
    let resolve = resolve(service, scope, attribute);
    if !matches!(service.kind, InjectKind::Shared(_)) {
        return resolve;
    }
    let injected = injected(service, attribute);
    let key = key(service);
    let private = attribute.private_at(hygienic_span(main_span(&service.ty)));
    let variable = variable(&service.name);
    let taken = format_ident!("{variable}__taken");
    let span = hygienic_span(main_span(&service.ty));
    quote_spanned! {span=>
        let #taken;
        let #variable = match <#injected as #private::FromScope>::made(#scope, #key) {
            ::core::option::Option::Some(__made) => &**__made,
            ::core::option::Option::None => {
                #resolve
                #taken = #variable;
                &*#taken
            }
        };
    }
}

/// Writes the argument that passes the service to the function.
pub(super) fn passed(service: &Service) -> TokenStream {
    let variable = variable(&service.name);
    let span = hygienic_span(main_span(&service.ty));
    match service.kind {
        InjectKind::Shared(_) => quote_spanned!(span=> &*#variable),
        InjectKind::Optional(_) => quote_spanned!(span=> ::core::option::Option::as_deref(&#variable)),
        InjectKind::Exclusive(_) => quote_spanned!(span=> &mut *#variable),
        InjectKind::Value => variable.to_token_stream(),
    }
}

/// Returns the type that is requested from the scope.
fn injected(service: &Service, attribute: &Attribute) -> TokenStream {
    let span = hygienic_span(main_span(&service.ty));
    let private = attribute.private_at(span);
    match &service.kind {
        InjectKind::Shared(ty) => quote_spanned!(span=> #private::Arc<#ty>),
        InjectKind::Optional(ty) => quote_spanned!(span=> ::core::option::Option<#private::Arc<#ty>>),
        InjectKind::Exclusive(ty) => quote_spanned!(span=> #private::Exclusive<#ty>),
        InjectKind::Value => service.ty.to_token_stream(),
    }
}

fn key(service: &Service) -> TokenStream {
    match &service.key {
        Some(key) => quote!(::core::option::Option::Some(#key)),
        None => quote!(::core::option::Option::None),
    }
}

/// Returns the name of the variable that holds a service; it cannot collide with the user's names.
fn variable(name: &Ident) -> Ident {
    let mut variable = format_ident!("__{}", name.unraw());
    variable.set_span(hygienic_span(name.span()));
    variable
}

//! The stub that replaces a job with mistakes, so that rustc reports nothing else.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;

use crate::expand::{
    allow_lints, constructor_parameter, documentation, hygienic_span, stored, user_function,
};
use crate::model::{Attribute, Field, Function, Invalid, Parameter};

/// Writes the function, and a job of its name that can be created and registered but not performed.
///
/// It requires nothing of the types of its fields, and accepts any argument for a parameter that could not be understood.
pub(crate) fn fallback(
    attribute: &Attribute,
    function: &Function,
    parameters: &[Result<Parameter, Invalid>],
) -> TokenStream {
    let user_function = user_function(function);
    if function.is_method() {
        // A type cannot stand inside of an `impl`.
        return user_function;
    }
    let payload = payload(function, parameters);
    let derived = derived(attribute, function);
    let job = job(attribute, function);
    quote!(#user_function #payload #derived #job)
}

fn payload(function: &Function, parameters: &[Result<Parameter, Invalid>]) -> TokenStream {
    let conditions = function.conditions();
    let visibility = &function.visibility;
    let name = &function.signature.ident;
    let documentation = documentation(name);
    let allow_lints = allow_lints();
    let fields = parameters.iter().filter_map(field).map(|field| {
        let (name, ty) = (&field.name, stored(field));
        quote!(#[doc(hidden)] #visibility #name: #ty)
    });
    let parameters = parameters.iter().filter_map(|parameter| match parameter {
        Ok(Parameter::Field(field)) => Some(constructor_parameter(field)),
        Err(Invalid::Field) => Some(quote!(_: impl ::core::marker::Sized)),
        Ok(Parameter::Service(_)) | Err(Invalid::Service) => None,
    });
    let allow_lints_impl = allow_lints.clone();
    let conditions_impl = conditions.clone();
    quote! {
        #(#conditions)*
        #[doc = #documentation]
        #allow_lints
        #visibility struct #name { #(#fields,)* }

        #(#conditions_impl)*
        #[allow(unused_variables)]
        #allow_lints_impl
        impl #name {
            #[doc(hidden)]
            #visibility fn new(#(#parameters),*) -> Self {
                ::core::unreachable!("an invalid job does not compile")
            }
        }
    }
}

fn field(parameter: &Result<Parameter, Invalid>) -> Option<&Field> {
    match parameter {
        Ok(Parameter::Field(field)) => Some(field),
        Ok(Parameter::Service(_)) | Err(_) => None,
    }
}

/// Writes the implementations that a job needs, without requiring them of the fields.
fn derived(attribute: &Attribute, function: &Function) -> TokenStream {
    let private = attribute.private();
    let serde = quote!(#private::serde);
    let conditions: Vec<_> = function.conditions().collect();
    let name = &function.signature.ident;
    quote! {
        #(#conditions)*
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::unreachable!("an invalid job does not compile")
            }
        }

        #(#conditions)*
        impl ::core::clone::Clone for #name {
            fn clone(&self) -> Self {
                ::core::unreachable!("an invalid job does not compile")
            }
        }

        #(#conditions)*
        impl ::core::cmp::PartialEq for #name {
            fn eq(&self, _: &Self) -> bool {
                ::core::unreachable!("an invalid job does not compile")
            }
        }

        #(#conditions)*
        impl #serde::Serialize for #name {
            fn serialize<S: #serde::Serializer>(&self, _: S) -> ::core::result::Result<S::Ok, S::Error> {
                ::core::unreachable!("an invalid job does not compile")
            }
        }

        #(#conditions)*
        impl<'de> #serde::Deserialize<'de> for #name {
            fn deserialize<D: #serde::Deserializer<'de>>(_: D) -> ::core::result::Result<Self, D::Error> {
                ::core::unreachable!("an invalid job does not compile")
            }
        }
    }
}

fn job(attribute: &Attribute, function: &Function) -> TokenStream {
    let private = attribute.private();
    let conditions = function.conditions();
    let ident = &function.signature.ident;
    let name = ident.unraw().to_string();
    let allow_lints = allow_lints();
    let span = hygienic_span(ident.span());
    let private_at = attribute.private_at(span);
    let implementing = quote_spanned!(span=> impl #private_at::Job for #ident);
    quote! {
        #(#conditions)*
        #allow_lints
        #implementing {
            const NAME: &'static str = #name;
            const FIELDS: &'static [&'static str] = &[];

            type Output = ();

            fn dependencies() -> ::std::vec::Vec<#private::Dependency> {
                ::std::vec::Vec::new()
            }

            fn perform<'__attempt>(
                &'__attempt self,
                _: &'__attempt #private::Scope,
            ) -> #private::BoxFuture<'__attempt, #private::Outcome> {
                ::core::unreachable!("an invalid job does not compile")
            }
        }
    }
}

//! Checks the signature except for the parameters.

use syn::spanned::Spanned as _;
use syn::{GenericParam, ReturnType, Safety, Signature};

use super::types::TypeFacts;
use crate::diagnostics::Diagnostics;
use crate::model::{Attribute, Function};

pub(super) fn check(attribute: &Attribute, function: &Function, diagnostics: &mut Diagnostics) {
    let signature = &function.signature;
    check_asyncness(attribute, signature, diagnostics);
    check_qualifiers(signature, diagnostics);
    check_generics(signature, diagnostics);
    check_receiver(signature, diagnostics);
    check_return_type(signature, diagnostics);
}

fn check_asyncness(attribute: &Attribute, signature: &Signature, diagnostics: &mut Diagnostics) {
    match (attribute.blocking, signature.asyncness) {
        (None, None) => diagnostics.error(
            signature.fn_token,
            "a background job is an `async fn`: add `async` here, or write `#[background_job(blocking)]` to run a \
             plain `fn` on a thread where it may block",
        ),
        (Some(blocking), Some(_)) => diagnostics.error_at(
            blocking,
            "`blocking` is for a plain `fn`: remove it, or remove `async` from the function",
        ),
        (None, Some(_)) | (Some(_), None) => {}
    }
}

fn check_qualifiers(signature: &Signature, diagnostics: &mut Diagnostics) {
    if let Some(constness) = signature.constness {
        diagnostics.error(constness, "a background job can't be a `const fn`: remove `const`");
    }
    if let Safety::Unsafe(token) = signature.safety {
        diagnostics.error(
            token,
            "a background job can't be an `unsafe fn`, because the worker that calls it can't uphold its contract: remove \
             `unsafe`, and use an `unsafe` block in the body",
        );
    }
    if let Some(abi) = &signature.abi {
        diagnostics.error(
            abi,
            "a background job can't be an `extern fn`, because it is called from Rust: remove `extern`",
        );
    }
    if let Some(variadic) = &signature.variadic {
        diagnostics
            .error(variadic, "a background job can't take a variable number of arguments: take a `Vec`");
    }
}

fn check_generics(signature: &Signature, diagnostics: &mut Diagnostics) {
    for parameter in &signature.generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => diagnostics.error(
                lifetime,
                format!(
                    "a background job can't have lifetime parameters, because its payload is stored: remove `{0}`, and write \
                     `&str` for `&{0} str`",
                    lifetime.lifetime
                ),
            ),
            GenericParam::Type(ty) => diagnostics.error(
                ty,
                format!(
                    "a background job can't be generic, because it is found by its name when it is run: write a type \
                     instead of `{}`, or a job for each type",
                    ty.ident
                ),
            ),
            GenericParam::Const(constant) => diagnostics.error(
                constant,
                format!(
                    "a background job can't be generic, because it is found by its name when it is run: make `{}` a \
                     parameter",
                    constant.ident
                ),
            ),
        }
    }
    if let Some(clause) = &signature.generics.where_clause {
        diagnostics.error(
            clause.where_token,
            "a background job can't be generic, so it has no `where` clause: remove it",
        );
    }
}

fn check_receiver(signature: &Signature, diagnostics: &mut Diagnostics) {
    if let Some(receiver) = signature.receiver() {
        diagnostics.error(
            receiver,
            "a background job is a function, not a method: move it out of the `impl`, and take the former `self` as \
             `#[inject] service: &Service` or as payload",
        );
    }
}

fn check_return_type(signature: &Signature, diagnostics: &mut Diagnostics) {
    let ReturnType::Type(_, ty) = &signature.output else {
        return;
    };
    if let Some(opaque) = TypeFacts::of(ty).opaque {
        diagnostics.error_at(
            opaque.span(),
            "a background job returns `()` or `Result<T, E>`: write the type's name instead of `impl`",
        );
    }
}

//! Determines how a service is passed to the function.

use quote::ToTokens as _;
use syn::{LitStr, Type, TypeReference};

use super::types::{TypeFacts, is_static, optional_reference, peeled};
use crate::diagnostics::Diagnostics;
use crate::model::{Function, InjectKind, Invalid, Parameter};
use crate::text::type_text;

/// Determines how a service of this type is passed. Reports and returns `None` if it can't be.
pub(super) fn kind(ty: &Type, function: &Function, diagnostics: &mut Diagnostics) -> Option<InjectKind> {
    let kind = diagnostics.keep(passed(ty))?;
    let service = match &kind {
        InjectKind::Shared(service) | InjectKind::Optional(service) | InjectKind::Exclusive(service) => {
            service
        }
        InjectKind::Value => ty,
    };
    let facts = TypeFacts::of(service);
    if let Some(opaque) = facts.opaque {
        diagnostics.error(
            opaque,
            "a service is found by its type, so the type needs a name: write `&dyn Trait`, or the type itself",
        );
        return None;
    }
    (!facts.is_bound_to(&function.signature.generics)).then_some(kind)
}

fn passed(ty: &Type) -> syn::Result<InjectKind> {
    let ty = peeled(ty);
    if let Type::Reference(reference) = ty {
        check_lifetime(reference)?;
        let service = peeled(&reference.elem);
        return match reference.mutability {
            None => Ok(InjectKind::Shared(service.clone())),
            Some(_) => exclusive(service),
        };
    }
    let Some(reference) = optional_reference(ty) else {
        return Ok(InjectKind::Value);
    };
    check_lifetime(reference)?;
    match reference.mutability {
        None => Ok(InjectKind::Optional(peeled(&reference.elem).clone())),
        Some(mutability) => Err(syn::Error::new_spanned(
            mutability,
            "a unit of work can't be optional: write `&mut T`, or `Option<&T>` for a service that may be missing",
        )),
    }
}

fn exclusive(unit: &Type) -> syn::Result<InjectKind> {
    match unit {
        Type::TraitObject(_) | Type::Slice(_) => Err(syn::Error::new_spanned(
            unit,
            "a unit of work is found by its own type: write that type instead of a trait, as in `&mut Transaction`",
        )),
        unit => Ok(InjectKind::Exclusive(unit.clone())),
    }
}

fn check_lifetime(reference: &TypeReference) -> syn::Result<()> {
    match &reference.lifetime {
        Some(lifetime) if is_static(reference) => Err(syn::Error::new_spanned(
            lifetime,
            "a service is borrowed for one attempt, so it can't be `'static`: remove `'static`, or take an `Arc`",
        )),
        _ => Ok(()),
    }
}

/// Refuses two parameters that inject the same unit of work exclusively.
pub(super) fn check_exclusive(parameters: &[Result<Parameter, Invalid>], diagnostics: &mut Diagnostics) {
    let mut seen: Vec<(String, Option<String>)> = Vec::new();
    for parameter in parameters {
        let Ok(Parameter::Service(service)) = parameter else {
            continue;
        };
        let InjectKind::Exclusive(unit) = &service.kind else {
            continue;
        };
        let name = type_text(unit.to_token_stream());
        let unit = (name.clone(), service.key.as_ref().map(LitStr::value));
        if seen.contains(&unit) {
            diagnostics.error(
                &service.ty,
                format!("`&mut {name}` is injected twice, and a unit of work has one user at a time: remove one of them"),
            );
        } else {
            seen.push(unit);
        }
    }
}

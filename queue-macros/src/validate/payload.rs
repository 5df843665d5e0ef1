//! Determines how a payload parameter is stored.

use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Type, TypeReference, parse_quote_spanned};

use super::types::{TypeFacts, is_static, optional_reference, peeled};
use crate::diagnostics::Diagnostics;
use crate::model::{Function, Storage};
use crate::text::type_text;

/// Determines how a parameter of this type is stored. Reports and returns `None` if it can't be.
pub(super) fn storage(ty: &Type, function: &Function, diagnostics: &mut Diagnostics) -> Option<Storage> {
    let storage = match diagnostics.keep(stored(ty))? {
        Some(storage) => storage,
        None => Storage::Value,
    };
    let owned = match &storage {
        Storage::Value => ty,
        Storage::Owned(owned) | Storage::Optional(owned) | Storage::OptionalDeref(owned) => owned,
    };
    diagnostics.keep(check_owned(owned))?;
    (!TypeFacts::of(owned).is_bound_to(&function.signature.generics)).then_some(storage)
}

fn stored(ty: &Type) -> syn::Result<Option<Storage>> {
    let ty = peeled(ty);
    if let Type::Reference(reference) = ty {
        check_reference(reference)?;
        let (owned, _) = owned(peeled(&reference.elem));
        return Ok(Some(Storage::Owned(owned)));
    }
    let Some(reference) = optional_reference(ty) else {
        return Ok(None);
    };
    check_reference(reference)?;
    Ok(Some(match owned(peeled(&reference.elem)) {
        (owned, Borrowed::Unsized) => Storage::OptionalDeref(owned),
        (owned, Borrowed::Sized) => Storage::Optional(owned),
    }))
}

/// Whether the borrowed type is unsized, so that the owned type derefs to it, or is the owned type itself.
enum Borrowed {
    Unsized,
    Sized,
}

fn owned(borrowed: &Type) -> (Type, Borrowed) {
    let span = borrowed.span();
    let unsized_name = match borrowed {
        Type::Slice(slice) => {
            let element = &slice.elem;
            return (parse_quote_spanned!(span=> ::std::vec::Vec<#element>), Borrowed::Unsized);
        }
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    let owned = match unsized_name.as_deref() {
        Some("str") => parse_quote_spanned!(span=> ::std::string::String),
        Some("Path") => parse_quote_spanned!(span=> ::std::path::PathBuf),
        Some("OsStr") => parse_quote_spanned!(span=> ::std::ffi::OsString),
        Some("CStr") => parse_quote_spanned!(span=> ::std::ffi::CString),
        _ => return (borrowed.clone(), Borrowed::Sized),
    };
    (owned, Borrowed::Unsized)
}

fn check_reference(reference: &TypeReference) -> syn::Result<()> {
    if let Some(mutability) = reference.mutability {
        return Err(syn::Error::new_spanned(
            mutability,
            "a payload can't be borrowed mutably, because every attempt gets it as it was stored: take it by value; if this is \
             a unit of work, write `#[inject]` in front of the parameter",
        ));
    }
    match &reference.lifetime {
        Some(lifetime) if is_static(reference) => Err(syn::Error::new_spanned(
            lifetime,
            "a payload is read from the queue, so it can't be `'static`: remove `'static`",
        )),
        _ => Ok(()),
    }
}

/// Checks the stored type: it has a name and a size and borrows nothing.
fn check_owned(ty: &Type) -> syn::Result<()> {
    let facts = TypeFacts::of(ty);
    if let Some(opaque) = facts.opaque {
        return Err(syn::Error::new_spanned(
            opaque,
            "a job is stored, so the types of its payload need names: write one instead of `impl`, such as `&str` for \
             `impl Into<String>`; if this is a service, write `#[inject] name: &dyn Trait`",
        ));
    }
    if let Type::TraitObject(object) = peeled(ty) {
        let name = type_text(object.to_token_stream());
        return Err(syn::Error::new_spanned(
            object,
            format!(
                "`{name}` can't be stored in a payload: if it is a service, write `#[inject]` in front of the parameter"
            ),
        ));
    }
    if let Some(reference) = facts.reference {
        let (owned, _) = owned(peeled(&reference.elem));
        let owned = type_text(owned.to_token_stream());
        let owned =
            owned.rsplit_once("::").filter(|_| owned.starts_with("::std")).map_or(&*owned, |(_, name)| name);
        return Err(syn::Error::new_spanned(
            reference,
            format!("a payload is stored, so it can't borrow here: write `{owned}`"),
        ));
    }
    if let Some(lifetime) = facts.elided {
        return Err(syn::Error::new_spanned(
            lifetime,
            "a payload is stored, so it can't borrow: write an owned type, such as `String` for `Cow<'_, str>`",
        ));
    }
    Ok(())
}

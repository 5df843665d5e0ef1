//! Classifies the parameters as payload or services.

use syn::{Attribute, FnArg, Ident, LitStr, Pat, PatType};

use super::{payload, serde_mode, service};
use crate::diagnostics::Diagnostics;
use crate::model::{Field, Function, Invalid, Parameter, Service};
use crate::parse::inject;
use crate::text::nearest;

/// Returns every parameter, or its kind if it is invalid.
pub(super) fn parameters(
    function: &Function,
    diagnostics: &mut Diagnostics,
) -> Vec<Result<Parameter, Invalid>> {
    let mut seen: Vec<&Ident> = Vec::new();
    let mut parameters = Vec::new();
    for input in &function.signature.inputs {
        let FnArg::Typed(input) = input else { continue };
        let marks = marks(input, diagnostics);
        let invalid = if marks.inject.is_some() { Invalid::Service } else { Invalid::Field };
        let name = name(input, diagnostics).filter(|name| {
            // rustc reports duplicate names.
            let first = !seen.contains(name);
            seen.push(name);
            first
        });
        let parameter = match marks.inject {
            Some(key) => service::kind(&input.ty, function, diagnostics).zip(name).map(|(kind, name)| {
                let (name, ty) = (name.clone(), (*input.ty).clone());
                Parameter::Service(Service { name, ty, kind, key })
            }),
            None => payload::storage(&input.ty, function, diagnostics).zip(name).map(|(storage, name)| {
                let (name, ty, attributes) = (name.clone(), (*input.ty).clone(), marks.field);
                let serde_mode = serde_mode::serde_mode(&ty, &attributes);
                Parameter::Field(Field { name, attributes, ty, storage, serde_mode })
            }),
        };
        parameters.push(parameter.ok_or(invalid));
    }
    parameters
}

/// The attributes of a parameter.
struct Marks {
    /// The key of `#[inject]`, if the parameter has that attribute.
    inject: Option<Option<LitStr>>,
    /// The attributes that the payload's field gets.
    field: Vec<Attribute>,
}

fn marks(input: &PatType, diagnostics: &mut Diagnostics) -> Marks {
    let mut marks = Marks { inject: None, field: Vec::new() };
    for attribute in &input.attrs {
        let path = attribute.path();
        if path.is_ident("inject") {
            let key = diagnostics.keep(inject(attribute)).flatten();
            if marks.inject.is_some() {
                diagnostics.error(attribute, "`#[inject]` is specified twice: remove one of them");
            }
            marks.inject.get_or_insert(key);
        } else if path.is_ident("serde") || path.is_ident("doc") {
            marks.field.push(attribute.clone());
        } else if path.is_ident("cfg") || path.is_ident("cfg_attr") {
            diagnostics.error(
                attribute,
                "a job's payload is the same in every build that shares its queue: write `#[cfg]` on the whole function, or \
                 make the parameter an `Option`",
            );
        } else if let Some(word) = path.get_ident()
            && let Some(near) = intended_attribute(word)
        {
            diagnostics.error(attribute, format!("unknown attribute `{word}`: did you mean `#[{near}]`?"));
        }
    }
    if marks.inject.is_some()
        && let Some(attribute) = marks.field.iter().find(|attribute| attribute.path().is_ident("serde"))
    {
        diagnostics.error(
            attribute,
            "a service is not stored, so serde's attributes do not apply to it: remove this, or remove `#[inject]`",
        );
    }
    marks
}

/// Returns the attribute that a misspelt one probably means. Other macros may have attributes of their own, so only similar
/// names count.
pub(crate) fn intended_attribute(word: &Ident) -> Option<&'static str> {
    nearest(&word.to_string(), ["inject", "serde"])
}

fn name<'a>(input: &'a PatType, diagnostics: &mut Diagnostics) -> Option<&'a Ident> {
    match &*input.pat {
        Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => Some(&pattern.ident),
        Pat::Wild(wild) => {
            diagnostics.error(
                wild,
                "a job's parameter needs a name under which it is stored and reported: write `_unused`",
            );
            None
        }
        pattern => {
            diagnostics.error(
                pattern,
                "a job's parameter needs a name under which it is stored and reported: write a name here, and destructure the value \
                 in the body",
            );
            None
        }
    }
}

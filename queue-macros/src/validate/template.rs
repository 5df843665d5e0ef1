//! Checks the fields that a unique key or a partition names.

use syn::ext::IdentExt as _;

use crate::diagnostics::Diagnostics;
use crate::model::{Attribute, Invalid, Parameter, Template};
use crate::text::{list, nearest};

pub(super) fn check(
    attribute: &Attribute,
    parameters: &[Result<Parameter, Invalid>],
    diagnostics: &mut Diagnostics,
) {
    for template in attribute.templates() {
        check_one(template, parameters, diagnostics);
    }
}

fn check_one(
    Template { text, names }: &Template,
    parameters: &[Result<Parameter, Invalid>],
    diagnostics: &mut Diagnostics,
) {
    // An invalid parameter might be the one that the text names.
    if parameters.iter().any(Result::is_err) {
        return;
    }
    let fields: Vec<_> = parameters
        .iter()
        .filter_map(|parameter| match parameter {
            Ok(Parameter::Field(field)) => Some(field.name.unraw().to_string()),
            Ok(Parameter::Service(_)) | Err(_) => None,
        })
        .collect();
    for name in names.iter().filter(|name| !fields.contains(name)) {
        let near = nearest(name, fields.iter().map(String::as_str));
        let hint = match near {
            Some(near) => format!("did you mean `{{{near}}}`?"),
            None if fields.is_empty() => "this job has no payload".to_owned(),
            None => format!("the payload has {}", list(fields.iter().map(String::as_str))),
        };
        diagnostics.error(text, format!("`{{{name}}}` is not a field of the payload: {hint}"));
    }
}

//! Whether the function can be a job.

mod coding;
mod names;
mod parameter;
mod payload;
mod service;
mod signature;
mod types;
mod unique;

use crate::diagnostics::Diagnostics;
use crate::model::{Attribute, Broken, Function, Parameter};

pub(crate) use parameter::misspelt;

/// Reports everything that keeps the function from being a job, and gives its parameters.
pub(crate) fn validate(
    attribute: &Attribute,
    function: &Function,
    diagnostics: &mut Diagnostics,
) -> Vec<Result<Parameter, Broken>> {
    names::check(attribute, function, diagnostics);
    signature::check(attribute, function, diagnostics);
    let parameters = parameter::parameters(function, diagnostics);
    service::check_exclusive(&parameters, diagnostics);
    unique::check(attribute, &parameters, diagnostics);
    parameters
}

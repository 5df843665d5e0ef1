//! Checks that the function can be a job.

mod names;
mod parameter;
mod payload;
mod recurrence;
mod serde_mode;
mod service;
mod signature;
mod template;
mod types;

use crate::diagnostics::Diagnostics;
use crate::model::{Attribute, Function, Invalid, Parameter};

pub(crate) use parameter::intended_attribute;

/// Reports everything that keeps the function from being a job. Returns its parameters.
pub(crate) fn validate(
    attribute: &Attribute,
    function: &Function,
    diagnostics: &mut Diagnostics,
) -> Vec<Result<Parameter, Invalid>> {
    names::check(attribute, function, diagnostics);
    signature::check(attribute, function, diagnostics);
    let parameters = parameter::parameters(function, diagnostics);
    service::check_exclusive(&parameters, diagnostics);
    template::check(attribute, &parameters, diagnostics);
    recurrence::check(&attribute.recurrence, diagnostics);
    parameters
}

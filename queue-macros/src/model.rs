//! The model of a parsed job: plain data, without errors.

mod attribute;
mod function;
mod parameter;
mod recurrence;

pub(crate) use attribute::{Attribute, Backoff, Template, Unique, UniqueKey};
pub(crate) use function::Function;
pub(crate) use parameter::{Field, InjectKind, Invalid, Parameter, SerdeMode, Service, Storage};
pub(crate) use recurrence::{CatchUpWord, OverlapWord, RecurrenceArguments};

/// A function that can be a job, with its attribute.
pub(crate) struct Job {
    pub(crate) attribute: Attribute,
    pub(crate) function: Function,
    pub(crate) parameters: Vec<Parameter>,
}

impl Job {
    /// Returns the parameters that are stored, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Field(field) => Some(field),
            Parameter::Service(_) => None,
        })
    }

    /// Returns the parameters that are injected, in order.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Service(service) => Some(service),
            Parameter::Field(_) => None,
        })
    }
}

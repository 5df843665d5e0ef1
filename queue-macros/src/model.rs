//! What is known of a job once it was read: plain data, without errors.

mod attribute;
mod function;
mod parameter;

pub(crate) use attribute::{Attribute, Backoff, Unique, UniqueKey};
pub(crate) use function::Function;
pub(crate) use parameter::{Field, InjectKind, Invalid, Parameter, SerdeMode, Service, Storage};

/// A function that can be a job, and what its attribute says.
pub(crate) struct Job {
    pub(crate) attribute: Attribute,
    pub(crate) function: Function,
    pub(crate) parameters: Vec<Parameter>,
}

impl Job {
    /// Gives the parameters that are stored, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Field(field) => Some(field),
            Parameter::Service(_) => None,
        })
    }

    /// Gives the parameters that are injected, in order.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Service(service) => Some(service),
            Parameter::Field(_) => None,
        })
    }
}

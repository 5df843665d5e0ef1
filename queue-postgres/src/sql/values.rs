//! The values of a statement that is built for one request.

use queue_core::JobId;
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

/// The value of a parameter.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(i64),
    Numbers(Vec<i16>),
    Text(String),
    Texts(Vec<String>),
    Id(Uuid),
    Ids(Vec<Uuid>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<JobId> for Value {
    fn from(id: JobId) -> Self {
        Self::Id(id.as_uuid())
    }
}

/// The values of a statement's parameters, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(Vec<Value>);

impl Values {
    /// Adds a value, and returns the parameter that stands for it, such as `$3`.
    pub(crate) fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// Returns the number of values.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether a text has a NUL character, which the server has in no text.
    pub(crate) fn has_nul(&self) -> bool {
        self.0.iter().any(|value| match value {
            Value::Text(text) => text.contains('\0'),
            Value::Texts(texts) => texts.iter().any(|text| text.contains('\0')),
            Value::Number(_) | Value::Numbers(_) | Value::Id(_) | Value::Ids(_) => false,
        })
    }

    /// Binds the values.
    pub(crate) fn bind<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        self.0.iter().fold(query, |query, value| match value.clone() {
            Value::Number(number) => query.bind(number),
            Value::Numbers(numbers) => query.bind(numbers),
            Value::Text(text) => query.bind(text),
            Value::Texts(texts) => query.bind(texts),
            Value::Id(id) => query.bind(id),
            Value::Ids(ids) => query.bind(ids),
        })
    }
}

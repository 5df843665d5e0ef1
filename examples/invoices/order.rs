//! An order.

/// An order of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) number: i64,
    /// The address of the customer.
    pub(crate) customer: String,
    pub(crate) cents: i64,
}

impl Order {
    /// Parses a line of an import: `7;ada@example.com;1250`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(';');
        let (number, customer, cents) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { number: number.parse().ok()?, customer: customer.to_owned(), cents: cents.parse().ok()? })
    }
}

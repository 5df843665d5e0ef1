//! Products, and the problems of invalid ones.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A checked product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Product {
    /// The stock keeping unit: 1–32 letters, digits and dashes.
    pub sku: String,
    /// The display name.
    pub name: String,
    /// The price of one item, in cents.
    pub price_cents: u32,
    /// The number of items in stock.
    pub stock: u32,
}

/// A product as a user entered it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `sku`, `name`, `price_cents` and `stock`")]
pub struct ProductForm {
    /// The input for [`Product::sku`].
    pub sku: String,
    /// The input for [`Product::name`].
    pub name: String,
    /// The input for [`Product::price_cents`].
    pub price_cents: i64,
    /// The input for [`Product::stock`].
    pub stock: i64,
}

impl ProductForm {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// All invalid fields, each with what would be valid.
    pub fn check(self) -> Result<Product, InvalidProduct> {
        let mut problems = BTreeMap::new();
        let sku = self.sku.trim();
        if let Some(problem) = sku_problem(sku) {
            problems.insert("sku", problem);
        }
        let name = self.name.trim();
        let is_one_line = !name.chars().any(char::is_control);
        if name.is_empty() || name.chars().count() > Product::LONGEST_NAME || !is_one_line {
            problems.insert("name", format!("must be a line of 1 to {} characters", Product::LONGEST_NAME));
        }
        let price_cents = amount("price_cents", self.price_cents, &mut problems);
        let stock = amount("stock", self.stock, &mut problems);
        if problems.is_empty() {
            Ok(Product { sku: sku.to_owned(), name: name.to_owned(), price_cents, stock })
        } else {
            Err(InvalidProduct(problems))
        }
    }
}

/// A product as a user entered it in an HTML form, where every field is a text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProductText {
    /// The input for [`Product::sku`].
    pub sku: String,
    /// The input for [`Product::name`].
    pub name: String,
    /// The input for [`Product::price_cents`].
    pub price_cents: String,
    /// The input for [`Product::stock`].
    pub stock: String,
}

impl ProductText {
    /// Reads the numbers and checks every field.
    ///
    /// # Errors
    ///
    /// All invalid fields, each with what would be valid.
    pub fn check(&self) -> Result<Product, InvalidProduct> {
        let mut problems = BTreeMap::new();
        let mut number = |field, text: &str| {
            text.trim().parse::<i64>().unwrap_or_else(|_| {
                problems.insert(field, format!("must be a whole number from 0 to {}", u32::MAX));
                0
            })
        };
        let (price_cents, stock) = (number("price_cents", &self.price_cents), number("stock", &self.stock));
        let form = ProductForm { sku: self.sku.clone(), name: self.name.clone(), price_cents, stock };
        match form.check() {
            Ok(product) if problems.is_empty() => Ok(product),
            Ok(_) => Err(InvalidProduct(problems)),
            Err(InvalidProduct(others)) => Err(InvalidProduct(problems.into_iter().chain(others).collect())),
        }
    }
}

impl Product {
    /// The longest name, in characters.
    pub const LONGEST_NAME: usize = 100;
    /// The longest stock keeping unit, in characters.
    pub const LONGEST_SKU: usize = 32;
}

/// The invalid fields of a product, each with what would be valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct InvalidProduct(BTreeMap<&'static str, String>);

impl InvalidProduct {
    /// Creates the problem of one field.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self(BTreeMap::from([(field, problem.into())]))
    }

    /// Returns the problem of a field.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}

impl fmt::Display for InvalidProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.0.iter().map(|(field, problem)| format!("`{field}` {problem}")).collect();
        f.write_str(&problems.join(", "))
    }
}

fn sku_problem(sku: &str) -> Option<String> {
    let longest = Product::LONGEST_SKU;
    if sku.is_empty() {
        Some("must not be empty".to_owned())
    } else if sku.len() > longest || !sku.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        Some(format!("must have 1 to {longest} letters, digits and dashes"))
    } else {
        None
    }
}

fn amount(field: &'static str, amount: i64, problems: &mut BTreeMap<&'static str, String>) -> u32 {
    u32::try_from(amount).unwrap_or_else(|_| {
        let problem = if amount < 0 { "must not be negative" } else { "must be smaller" };
        problems.insert(field, format!("{problem}, but is {amount}"));
        0
    })
}

//! The form for a new product.

use maud::{Markup, html};

use super::Refusal;
use crate::product::Product;

/// Renders the form, with the fields and problems of a product that was refused.
pub(super) fn form(Refusal { entered, problems, .. }: &Refusal) -> Markup {
    let amount = |name, label, value| {
        field(
            problems.of(name),
            label,
            &html! {
                input name=(name) value=(value) type="number" min="0" max=(u32::MAX) required;
            },
        )
    };
    html! {
        section {
            h2 { "New product" }
            form.product method="post" action="/products/new" {
                (field(problems.of("sku"), "SKU", &html! {
                    input name="sku" value=(entered.sku) maxlength=(Product::LONGEST_SKU) required;
                }))
                (field(problems.of("name"), "Name", &html! {
                    input name="name" value=(entered.name) maxlength=(Product::LONGEST_NAME) required;
                }))
                (amount("price_cents", "Price in cents", &entered.price_cents))
                (amount("stock", "Stock", &entered.stock))
                button { "Add" }
            }
        }
    }
}

fn field(problem: Option<&str>, label: &str, input: &Markup) -> Markup {
    html! {
        label {
            (label) (input)
            @if let Some(problem) = problem { span.problem role="alert" { (problem) } }
        }
    }
}

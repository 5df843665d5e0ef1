//! The page as HTML.

mod jobs;
mod new_product;
mod when;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::snapshot::Snapshot;
use crate::catalog::{Entry, Revision};
use crate::product::{InvalidProduct, ProductText};

/// The answer to a form that was refused; empty for a page that was only read.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// Why a button had no effect.
    pub(super) alert: Option<String>,
    /// The product as it was entered, to be corrected.
    pub(super) entered: ProductText,
    /// The problems of its fields.
    pub(super) problems: InvalidProduct,
}

/// Renders the page. It works without scripts; with them, its main part follows the jobs by itself.
///
/// The form is outside of the part that is replaced, so that a text which is being entered stays.
pub(super) fn page(snapshot: &Snapshot, refusal: &Refusal) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Stock" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                h1 { "Stock" }
                p.lead { "Products are saved at once; the rest is done in the background. " a href="/queue" { "Queue board" } }
                noscript { p { a href="/" { "Refresh" } " to see what was done meanwhile." } }
                @if let Some(alert) = &refusal.alert { p.alert role="alert" { (alert) } }
                (new_product::form(refusal))
                main {
                    (products(&snapshot.products))
                    @if let Some(revision) = snapshot.report { (report(revision)) }
                    (jobs::section(snapshot))
                }
                script { (PreEscaped(include_str!("page.js"))) }
            }
        }
    }
}

fn products(products: &[Entry]) -> Markup {
    html! {
        section {
            h2 { "Products" }
            @if products.is_empty() {
                p.empty { "None yet." }
            } @else {
                table {
                    tr {
                        th { "SKU" } th { "Name" } th.number { "Price" } th.number { "Stock" }
                        th { "E-mail" } th { "Supplier" }
                    }
                    @for Entry { product, mailed, supplier_reference } in products {
                        tr {
                            td { code { (product.sku) } }
                            td { (product.name) }
                            td.number { (product.price_cents / 100) "." (format!("{:02}", product.price_cents % 100)) }
                            td.number { (product.stock) }
                            td { @if *mailed { "sent" } @else { i { "not yet" } } }
                            td { @if let Some(reference) = supplier_reference { (reference) } @else { i { "not yet" } } }
                        }
                    }
                }
            }
        }
    }
}

fn report(revision: Revision) -> Markup {
    html! {
        section {
            h2 { "Report" }
            p { a href="/report.svg" { "chart" } " · " a href="/report.csv" { "table" } }
            img alt="Stock by product" src=(format!("/report.svg?{revision}"));
        }
    }
}

//! The page.

use std::fmt::{self, Write as _};

use super::snapshot::{JobView, Snapshot};
use crate::catalog::{Entry, Revision};

/// The page as HTML.
pub(super) struct Page<'a>(pub(super) &'a Snapshot);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(snapshot) = self;
        write!(
            f,
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <title>Stock</title><style>{}</style><noscript><meta http-equiv=refresh content=2></noscript>\
             <h1>Stock</h1><p class=lead>Products are saved at once; the rest is done in the background.</p><main>",
            include_str!("page.css"),
        )?;
        products(f, &snapshot.products)?;
        report(f, snapshot.report)?;
        jobs(f, snapshot)?;
        write!(f, "</main><script>{}</script></html>", include_str!("page.js"))
    }
}

/// Text that is escaped for any position in HTML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => f.write_char(other),
        })
    }
}

fn products(html: &mut fmt::Formatter<'_>, products: &[Entry]) -> fmt::Result {
    html.write_str("<section><h2>Products</h2>")?;
    if products.is_empty() {
        return html.write_str(
            "<p class=empty>None yet. Add one with a POST to <code>/products</code>.</p></section>",
        );
    }
    html.write_str(
        "<table><tr><th>SKU<th>Name<th class=number>Price<th class=number>Stock<th>E-mail<th>Supplier</tr>",
    )?;
    for Entry { product, mailed, supplier_reference } in products {
        write!(
            html,
            "<tr><td><code>{}</code><td>{}<td class=number>{}.{:02}<td class=number>{}<td>{}<td>{}</tr>",
            Escaped(&product.sku),
            Escaped(&product.name),
            product.price_cents / 100,
            product.price_cents % 100,
            product.stock,
            if *mailed { "sent" } else { "<i>not yet</i>" },
            match supplier_reference {
                Some(reference) => Escaped(reference).to_string(),
                None => "<i>not yet</i>".to_owned(),
            },
        )?;
    }
    html.write_str("</table></section>")
}

fn report(html: &mut fmt::Formatter<'_>, report: Option<Revision>) -> fmt::Result {
    let Some(revision) = report else { return Ok(()) };
    write!(
        html,
        "<section><h2>Report</h2><p><a href=/report.svg>chart</a> · <a href=/report.csv>table</a></p>\
         <img alt='Stock by product' src='/report.svg?{revision}'></section>"
    )
}

fn jobs(html: &mut fmt::Formatter<'_>, snapshot: &Snapshot) -> fmt::Result {
    html.write_str("<section><h2>Jobs</h2><p>")?;
    for (state, count) in &snapshot.counts {
        write!(html, "<span class='state {state}'>{count} {state}</span> ")?;
    }
    html.write_str("</p><table><tr><th>Job<th>Product<th>State<th class=number>Attempt<th>Last error</tr>")?;
    for JobView { name, sku, state, attempt, max_attempts, error } in &snapshot.jobs {
        write!(
            html,
            "<tr><td>{}<td><code>{}</code><td><span class='state {state}'>{state}</span>\
             <td class=number>{attempt} of {max_attempts}<td>{}</tr>",
            Escaped(name),
            Escaped(sku.as_deref().unwrap_or_default()),
            Escaped(error.as_deref().unwrap_or_default()),
        )?;
    }
    html.write_str("</table></section>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_can_neither_open_a_tag_nor_end_an_attribute() {
        let escaped = Escaped(r#"<script>'&"</script>"#).to_string();

        assert_eq!(escaped, "&lt;script&gt;&#39;&amp;&quot;&lt;/script&gt;");
    }
}

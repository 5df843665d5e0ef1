//! The chart: a bar for each product.

use plotters::prelude::*;
use queue_core::BoxError;

use crate::catalog::Entry;

const BAR: RGBColor = RGBColor(37, 99, 175);
const WIDTH: u32 = 900;
const HEADER: u32 = 80;
const ROW: u32 = 26;

/// Draws the stock of each product, the first at the top, as SVG.
pub(super) fn draw(entries: &[Entry]) -> Result<String, BoxError> {
    let rows = u32::try_from(entries.len().max(1))?;
    // Rows are counted from the bottom.
    let products: Vec<_> = entries.iter().rev().map(|entry| &entry.product).collect();
    let most = products.iter().map(|product| product.stock).max().unwrap_or_default().max(1);
    let sku = |row: &SegmentValue<u32>| match row {
        SegmentValue::CenterOf(row) => {
            products.get(*row as usize).map_or("", |product| &product.sku).to_owned()
        }
        SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
    };

    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEADER + rows * ROW)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("Stock by product", ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(130)
            .build_cartesian_2d(0.0..f64::from(most) * 1.05, (0..rows - 1).into_segmented())?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(10)
            .x_label_formatter(&|stock| format!("{stock:.0}"))
            .y_labels(products.len())
            .y_label_formatter(&sku)
            .draw()?;
        chart.draw_series((0..rows).zip(&products).map(|(row, product)| {
            let stock = f64::from(product.stock);
            let corners = [(0.0, SegmentValue::Exact(row)), (stock, SegmentValue::Exact(row + 1))];
            let mut bar = Rectangle::new(corners, BAR.filled());
            bar.set_margin(4, 4, 0, 0);
            bar
        }))?;
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::Product;

    fn entry(sku: &str, stock: u32) -> Entry {
        let product = Product { sku: sku.to_owned(), name: "Tea".to_owned(), price_cents: 1, stock };
        Entry { product, mailed: false, supplier_reference: None }
    }

    #[test]
    fn no_product_and_one_and_the_largest_stock_can_be_drawn() -> Result<(), BoxError> {
        for entries in [vec![], vec![entry("A", 0)], vec![entry("A", u32::MAX), entry("B", 1)]] {
            let svg = draw(&entries)?;

            assert!(svg.ends_with("</svg>\n"), "{svg}");
            assert!(entries.iter().all(|entry| svg.contains(&entry.product.sku)), "{svg}");
        }
        Ok(())
    }
}

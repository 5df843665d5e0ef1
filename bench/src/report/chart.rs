//! A bar chart, as an SVG without scripts or fonts of its own.

use svg::Document;
use svg::node::element::{Line, Rectangle, Text, Title};

use super::quantity::short;
use super::table::{Bar, Table};

const WIDTH: f64 = 720.0;
const ROW: f64 = 28.0;
const TOP: f64 = 36.0;
/// The left end of the bars; labels are left of it.
const LEFT: f64 = 210.0;
/// The space for the figure right of the longest bar.
const RIGHT: f64 = 80.0;
const OURS: &str = "#2f6fde";
const THEIRS: &str = "#9aa5b1";

/// Draws a bar for each median, and a line across its end from the least to the greatest round.
pub(super) fn draw(table: &Table) -> Document {
    let height = TOP + ROW * table.bars().len() as f64 + 8.0;
    let longest = table.bars().iter().map(|bar| bar.series.max()).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / longest;
    let background = Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "white");
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("font-family", "system-ui, sans-serif")
        .set("font-size", 13)
        .set("role", "img")
        .add(Title::new(table.title()))
        .add(background)
        .add(text(table.title(), 12.0, 22.0).set("font-weight", "bold"));
    for (place, bar) in table.bars().iter().enumerate() {
        document = add(document, bar, TOP + ROW * place as f64, scale);
    }
    document
}

fn add(document: Document, bar: &Bar, top: f64, scale: f64) -> Document {
    let middle = top + ROW / 2.0;
    let (median, least, most) = (bar.series.median(), bar.series.min(), bar.series.max());
    let rectangle = Rectangle::new()
        .set("x", LEFT)
        .set("y", top + 4.0)
        .set("width", median * scale)
        .set("height", ROW - 8.0)
        .set("fill", if bar.own { OURS } else { THEIRS });
    let spread = Line::new()
        .set("x1", LEFT + least * scale)
        .set("x2", LEFT + most * scale)
        .set("y1", middle)
        .set("y2", middle)
        .set("stroke", "#1c2733")
        .set("stroke-width", 1.5);
    document
        .add(text(&bar.label, LEFT - 8.0, middle + 4.5).set("text-anchor", "end"))
        .add(rectangle)
        .add(spread)
        .add(text(&short(median), LEFT + most * scale + 8.0, middle + 4.5))
}

fn text(content: &str, x: f64, y: f64) -> Text {
    Text::new(content).set("x", x).set("y", y).set("fill", "#1c2733")
}

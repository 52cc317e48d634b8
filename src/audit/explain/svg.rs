//! An explanation as a drawing: its waterfalls one below the other, with a title and a description that say the same in
//! words, for whoever cannot see it.

use svg::Document;
use svg::node::element::{Description, Group, Line, Rectangle, Text, Title};

use super::text::{extent, to_text, verdict};
use super::{Explanation, Waterfall};

const ROW: f64 = 22.0;
const LABELS: f64 = 250.0;
const BARS: f64 = 460.0;
const NUMBERS: f64 = 140.0;
const WIDTH: f64 = LABELS + BARS + NUMBERS;
/// Colour-blind safe, and told apart by the sign in the numbers as well.
const FOR: &str = "#0072b2";
const AGAINST: &str = "#d55e00";

/// Draws an explanation.
#[must_use]
pub fn to_svg(explanation: &Explanation) -> String {
    let title = match explanation {
        Explanation::Alert(alert) => format!("Why {} was told {}", alert.recipient, alert.message),
        Explanation::Person(person) => format!("Why the records of {} are one person", person.person),
        Explanation::Pair(pair) => format!("How {} and {} compare", pair.a, pair.b),
    };
    let mut height = 2.0 * ROW;
    let mut drawing = Group::new();
    for link in explanation.waterfalls() {
        let (part, part_height) = waterfall(link);
        drawing = drawing.add(part.set("transform", format!("translate(0 {height})")));
        height += part_height;
    }
    let document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .set("aria-labelledby", "title description")
        .set("font-family", "system-ui, sans-serif")
        .set("font-size", 13)
        .add(Title::new(title.clone()).set("id", "title"))
        .add(Description::new().set("id", "description").add(svg::node::Text::new(in_words(explanation))))
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "#ffffff"))
        .add(text(8.0, ROW, title).set("font-weight", "bold"))
        .add(drawing);
    document.to_string()
}

/// The text form without its bars: what a screen reader reads.
fn in_words(explanation: &Explanation) -> String {
    let bars = ['█', '░', '│', '┊'];
    let text = to_text(explanation);
    let lines = text.lines().map(|line| line.split(bars).next().unwrap_or_default().trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

/// One waterfall and how high it is.
fn waterfall(link: &Waterfall) -> (Group, f64) {
    let (low, high) = extent(link);
    let x = |bits: f64| LABELS + (bits - low) / (high - low) * BARS;
    let steps = link.steps.len() as f64;
    let mut group = Group::new().add(text(8.0, ROW, format!("{} with {}", link.a, link.b)));
    for (bits, name, dashes) in [(link.link_bits, "link", "none"), (link.review_bits, "ask", "4 3")] {
        let bar = Line::new()
            .set("x1", x(bits))
            .set("x2", x(bits))
            .set("y1", 2.0 * ROW)
            .set("y2", (steps + 2.5) * ROW)
            .set("stroke", "#555555")
            .set("stroke-dasharray", dashes);
        let anchor = if name == "link" { "start" } else { "end" };
        group = group.add(bar).add(text(x(bits), 1.9 * ROW, name).set("text-anchor", anchor).set("fill", "#555555"));
    }
    let mut before: f64 = 0.0;
    for (at, step) in link.steps.iter().enumerate() {
        let top = (at as f64 + 2.2) * ROW;
        let field = step.field.replace('_', " ");
        let label = match &step.level {
            Some(level) => format!("{field}: {}", level.replace('_', " ")),
            None => field,
        };
        let (from, to) = (before.min(step.total), before.max(step.total));
        let bar = Rectangle::new()
            .set("x", x(from))
            .set("y", top + 3.0)
            .set("width", (x(to) - x(from)).max(1.0))
            .set("height", ROW - 6.0)
            .set("fill", if step.bits < 0.0 { AGAINST } else { FOR });
        let numbers = format!("{:+.2} → {:+.2}", step.bits, step.total);
        group = group
            .add(text(8.0, top + 15.0, label))
            .add(bar)
            .add(text(WIDTH - 8.0, top + 15.0, numbers).set("text-anchor", "end"));
        before = step.total;
    }
    let end = (steps + 3.3) * ROW;
    (group.add(text(8.0, end, verdict(link))), end + ROW)
}

fn text(x: f64, y: f64, content: impl Into<String>) -> Text {
    Text::new(content).set("x", x).set("y", y).set("fill", "#111111")
}

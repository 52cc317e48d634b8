//! One value, three renderings: a chart, a table and CSV that cannot say different things.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use svg::node::element::{Description, Title};

use super::disclosure_control::number;
use super::xmr::{Expected, Month, Signal, XmrChart};

const SIZE: (u32, u32) = (900, 360);
/// Colour-blind safe; shapes and dashes say the same.
const COMMON: RGBColor = RGBColor(0, 114, 178);
const SPECIAL: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(80, 90, 95);

/// A chart in all its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// A drawing with a title and a description in words.
    pub svg: String,
    /// Headings of the table.
    pub columns: [&'static str; 6],
    /// The table, a month a row.
    pub rows: Vec<[String; 6]>,
    /// The same as CSV, with the headings.
    pub csv: String,
}

/// Draws a chart and writes it down.
#[must_use]
pub fn render(chart: &XmrChart) -> Rendered {
    let columns = ["month", "count", "mean", "lower limit", "upper limit", "signal"];
    let rows: Vec<[String; 6]> = chart.months.iter().map(row).collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut written = csv.write_record(columns);
    for row in &rows {
        written = written.and_then(|()| csv.write_record(row));
    }
    written.expect("memory takes every record, and all are as long");
    let csv = String::from_utf8(csv.into_inner().expect("memory is never full")).expect("texts are UTF-8");
    Rendered { svg: draw(chart).expect("a drawing in memory cannot fail"), columns, rows, csv }
}

fn row(month: &Month) -> [String; 6] {
    let expected =
        |of: fn(&Expected) -> f64| month.expected.as_ref().map_or_else(String::new, |it| format!("{:.1}", of(it)));
    let signals: Vec<&str> = month.signals.iter().map(|signal| signal.text()).collect();
    [
        month.month.strftime("%Y-%m").to_string(),
        number(month.count),
        expected(|it| it.mean),
        expected(|it| it.lower),
        expected(|it| it.upper),
        signals.join("; "),
    ]
}

/// What the drawing says, for whoever cannot see it.
fn in_words(chart: &XmrChart) -> String {
    let Some((first, last)) = chart.months.first().zip(chart.months.last()) else { return "No months.".to_owned() };
    let name = |month: &Month| month.month.strftime("%B %Y").to_string();
    let mut words = format!("{} Each month from {} to {}.", chart.definition, name(first), name(last));
    match last.expected {
        Some(Expected { lower, mean, upper }) => {
            words += &format!(" The mean at the end is {mean:.1}, the natural limits are {lower:.1} and {upper:.1}.");
        }
        None => words += " There are too few months for limits.",
    }
    let signalled: Vec<String> = chart.months.iter().filter(|month| !month.signals.is_empty()).map(name).collect();
    match signalled.len() {
        0 => words += " No month is out of the ordinary.",
        _ => words += &format!(" Out of the ordinary: {}.", signalled.join(", ")),
    }
    for (month, why) in &chart.breaks {
        words += &format!(" A break in {}: {why}.", month.strftime("%B %Y"));
    }
    words
}

type Drawn = Result<String, Box<dyn std::error::Error>>;

fn draw(chart: &XmrChart) -> Drawn {
    let mut drawing = String::new();
    {
        let area = SVGBackend::with_string(&mut drawing, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let highest = chart.months.iter().map(|month| {
            (month.count.unwrap_or_default() as f64).max(month.expected.map_or(0.0, |expected| expected.upper))
        });
        let top = highest.fold(10.0, f64::max) * 1.12;
        let months = chart.months.len();
        let mut plot = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(34)
            .y_label_area_size(52)
            .build_cartesian_2d(-0.5..months as f64 - 0.5, 0.0..top)?;
        let name = |at: &f64| {
            let place = at.round();
            let is_month = (at - place).abs() < 1e-6 && place >= 0.0;
            let month = is_month.then(|| chart.months.get(place as usize)).flatten();
            month.map_or_else(String::new, |month| month.month.strftime("%b %y").to_string())
        };
        plot.configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GREY.mix(0.2))
            .light_line_style(TRANSPARENT)
            .axis_style(GREY)
            .x_labels(14)
            .y_labels(6)
            .label_style(("sans-serif", 15))
            .x_label_formatter(&name)
            .y_label_formatter(&|count| format!("{count:.0}"))
            .draw()?;
        for (at, (month, _)) in chart.breaks.iter().enumerate() {
            let place = chart.months.iter().position(|one| one.month >= *month).unwrap_or(months) as f64 - 0.5;
            plot.draw_series(DashedLineSeries::new([(place, 0.0), (place, top)], 2, 4, GREY.stroke_width(1)))?;
            let style = ("sans-serif", 15).into_font().color(&GREY).pos(Pos::new(HPos::Left, VPos::Top));
            let label = format!(" {}", at + 1);
            plot.draw_series([Text::new(label, (place, top), style)])?;
        }
        let places: Vec<usize> = (0..months).collect();
        let same_phase = |one: &usize, other: &usize| {
            let phase = |at: usize| {
                let month = &chart.months[at];
                (month.expected.is_some(), chart.breaks.iter().filter(|(begins, _)| *begins <= month.month).count())
            };
            phase(*one) == phase(*other)
        };
        for phase in places.chunk_by(same_phase) {
            let line = |of: fn(&Expected) -> f64| -> Vec<(f64, f64)> {
                let known = phase.iter().filter_map(|at| Some((*at as f64, of(chart.months[*at].expected.as_ref()?))));
                let ends = |(at, value): (f64, f64)| [(at - 0.5, value), (at + 0.5, value)];
                if chart.is_seasonal { known.collect() } else { known.flat_map(ends).collect() }
            };
            plot.draw_series(LineSeries::new(line(|it| it.mean), GREY.stroke_width(2)))?;
            for limit in [line(|it| it.lower), line(|it| it.upper)].into_iter().filter(|limit| !limit.is_empty()) {
                plot.draw_series(DashedLineSeries::new(limit, 8, 6, GREY.stroke_width(2)))?;
            }
        }
        let count = |at: usize| Some((at as f64, chart.months[at].count? as f64));
        for known in places.chunk_by(|one, other| count(*one).is_some() && count(*other).is_some()) {
            let points: Vec<(f64, f64)> = known.iter().filter_map(|at| count(*at)).collect();
            plot.draw_series(LineSeries::new(points, COMMON.stroke_width(2)))?;
        }
        let ordinary = |at: &usize| chart.months[*at].signals.is_empty();
        let (common, special): (Vec<usize>, Vec<usize>) = places.into_iter().partition(ordinary);
        plot.draw_series(common.into_iter().filter_map(count).map(|at| Circle::new(at, 4, COMMON.filled())))?;
        plot.draw_series(special.into_iter().filter_map(count).map(|at| TriangleMarker::new(at, 9, SPECIAL.filled())))?;
        area.present()?;
    }
    Ok(accessible(chart, &drawing))
}

/// With a title and a description, by which a screen reader knows the drawing.
fn accessible(chart: &XmrChart, drawing: &str) -> String {
    let (title, description) = (format!("{}-title", chart.id), format!("{}-description", chart.id));
    let opening = format!("<svg role=\"img\" aria-labelledby=\"{title} {description}\" ");
    let words = format!(
        ">\n{}\n{}",
        Title::new(chart.title).set("id", title),
        Description::new().set("id", description).add(svg::node::Text::new(in_words(chart)))
    );
    drawing.replacen("<svg ", &opening, 1).replacen('>', &words, 1)
}

/// What the rules are, for a reader of all charts.
#[must_use]
pub fn legend() -> String {
    let rules = [Signal::BeyondLimit, Signal::SevenOnOneSide, Signal::SevenInARow, Signal::TwoOfThree];
    let rules: Vec<&str> = rules.into_iter().map(Signal::text).collect();
    format!(
        "A triangle marks a month that is out of the ordinary: {}. Circles are ordinary variation. The solid line is the \
         mean, the dashed lines are the natural process limits.",
        rules.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;

    use super::*;
    use crate::report::Break;
    use crate::report::disclosure_control::{PublishedPoint, PublishedSeries};
    use crate::report::xmr;

    fn rendered() -> Rendered {
        let month = |at: i32| date(2024, 1, 1).saturating_add(at.months());
        let count =
            |at: i32| Some([50, 60, 55, 90][usize::try_from(at % 4).expect("few") / if at < 15 { 2 } else { 1 }]);
        let points = (0..16).map(|at| PublishedPoint { month: month(at), count: count(at).filter(|_| at != 3) });
        let breaks = vec![Break { month: month(20), why: "<another> agency".to_owned() }];
        let series = PublishedSeries {
            id: "incidents",
            title: "Incidents",
            definition: "What was recorded.",
            points: points.collect(),
            breaks,
        };
        render(&xmr::chart(&series))
    }

    #[test]
    fn table_csv_and_drawing_say_the_same() {
        let rendered = rendered();
        let mut reader = csv::Reader::from_reader(rendered.csv.as_bytes());
        assert_eq!(reader.headers().expect("headings"), rendered.columns.as_slice());
        let read: Vec<Vec<String>> =
            reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect();
        assert_eq!(read, rendered.rows);
        assert_eq!(rendered.rows.len(), 16);
        assert_eq!(rendered.rows[3][1], "[c]");
        assert_eq!(rendered.rows[15][5], "beyond a limit");
        let marked = rendered.rows.iter().filter(|row| !row[5].is_empty()).count();
        let ordinary = rendered.rows.iter().filter(|row| row[5].is_empty() && row[1] != "[c]").count();
        assert_eq!(rendered.svg.matches("<circle ").count(), ordinary);
        assert_eq!(rendered.svg.matches("<polygon ").count(), marked);
    }

    #[test]
    fn the_drawing_is_said_in_words_that_are_escaped() {
        let svg = rendered().svg;
        assert!(svg.starts_with("<svg role=\"img\" aria-labelledby=\"incidents-title incidents-description\""));
        assert!(svg.contains("Out of the ordinary: April 2025."), "{svg}");
        assert!(svg.contains("&lt;another&gt; agency") && !svg.contains("<another>"));
    }
}

//! An explanation as text: aligned tables with bars.

use std::fmt::Write as _;

use super::{Alert, Band, Decided, Explanation, Pair, Person, Waterfall};

/// How wide the bars are, in characters.
const BARS: usize = 40;

/// Draws an explanation for a terminal.
#[must_use]
pub fn to_text(explanation: &Explanation) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    match explanation {
        Explanation::Alert(alert) => alert_text(alert, &mut out),
        Explanation::Person(person) => person_text(person, &mut out),
        Explanation::Pair(pair) => pair_text(pair, &mut out),
    }
    .expect("writing to a string succeeds");
    out
}

fn alert_text(alert: &Alert, out: &mut String) -> std::fmt::Result {
    writeln!(out, "message     {}", alert.message)?;
    writeln!(out, "type        {}", alert.kind)?;
    writeln!(out, "recipient   {}", alert.recipient)?;
    writeln!(out, "clause      {} (agreement {})", alert.clause, alert.agreement_version)?;
    if let Some(finding) = &alert.finding {
        writeln!(out, "finding     {finding} (rules {})", alert.rules_version)?;
    }
    writeln!(out, "told        {}, audit record {}", alert.at, alert.seq)?;
    for (at, event) in alert.evidence.iter().enumerate() {
        let title = if at == 0 { "evidence" } else { "" };
        let agency = event.agency.as_deref().unwrap_or("an agency before these records");
        write!(out, "{title:12}event {} of {agency}", event.event)?;
        match &event.taken_in {
            Some(at) => writeln!(out, ", taken in {at}")?,
            None => writeln!(out)?,
        }
    }
    for later in &alert.later {
        writeln!(out, "later       {} {} at {}", later.kind, later.message, later.at)?;
    }
    writeln!(out)?;
    person_text(&alert.person, out)
}

fn person_text(person: &Person, out: &mut String) -> std::fmt::Result {
    writeln!(out, "person      {}", person.person)?;
    for other in &person.now_in {
        writeln!(out, "is now      {other}")?;
    }
    for (at, record) in person.records.iter().enumerate() {
        writeln!(out, "{:12}{record}", if at == 0 { "records" } else { "" })?;
    }
    for (at, change) in person.history.iter().enumerate() {
        let title = if at == 0 { "history" } else { "" };
        let records = if change.records == 1 { "1 record".to_owned() } else { format!("{} records", change.records) };
        writeln!(out, "{title:12}{} {} {} ({records})", change.at, change.change, change.person)?;
    }
    decisions_text(&person.decisions, out)?;
    match (person.records.len(), person.links.len()) {
        (0 | 1, _) => {}
        (_, 1) => writeln!(out, "links       1, which makes the records one person")?,
        (_, links) => writeln!(out, "links       {links}, the strongest that make the records one person")?,
    }
    if person.unexplained > 0 {
        writeln!(out, "note        {} records were linked before these audit records begin", person.unexplained)?;
    }
    person.links.iter().try_for_each(|link| waterfall_text(link, out))
}

fn pair_text(pair: &Pair, out: &mut String) -> std::fmt::Result {
    match pair.person {
        Some(person) => writeln!(out, "together    in person {person}")?,
        None => writeln!(out, "apart       no person has both records")?,
    }
    decisions_text(&pair.decisions, out)?;
    if pair.links.len() > 1 {
        writeln!(out, "links       {}: the two are linked through other records", pair.links.len())?;
    }
    pair.links.iter().try_for_each(|link| waterfall_text(link, out))
}

fn decisions_text(decisions: &[Decided], out: &mut String) -> std::fmt::Result {
    for (at, decided) in decisions.iter().enumerate() {
        let title = if at == 0 { "decisions" } else { "" };
        let Decided { at, decision, reason, decided_by, event, .. } = decided;
        let undone = if decided.undone { ", replaced or taken back since" } else { "" };
        writeln!(out, "{title:12}{at} {decision} ({reason}) by {decided_by}, event {event}{undone}")?;
    }
    Ok(())
}

fn waterfall_text(link: &Waterfall, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n{} with {}", link.a, link.b)?;
    let scale = Scale::of(link);
    writeln!(out, "  {:15}{:18}{:>8}{:>8}  {}", "field", "level", "bits", "total", scale.legend())?;
    let mut before = 0.0;
    for step in &link.steps {
        let (field, level) = (step.field.replace('_', " "), step.level.as_deref().unwrap_or("").replace('_', " "));
        let bar = scale.bar(before, step.total);
        let row = format!("  {field:15}{level:18}{:>+8.2}{:>+8.2}  {bar}", step.bits, step.total);
        writeln!(out, "{}", row.trim_end())?;
        before = step.total;
    }
    writeln!(out, "  {}", verdict(link))
}

/// What the total means, in a sentence.
pub(super) fn verdict(link: &Waterfall) -> String {
    let Waterfall { total, link_bits, review_bits, model_version, .. } = link;
    let band = match link.band {
        Band::Link => "high enough to link",
        Band::Review => "high enough to ask a person",
        Band::None => "not enough by itself",
    };
    let mut text = format!(
        "total {total:+.2} bits: {band} (link from {link_bits:+.2}, ask from {review_bits:+.2}; model {model_version})"
    );
    if let Some(decided) = &link.decided {
        text += &format!("; a person decided: {decided}");
    }
    if !link.vetoes.is_empty() {
        text += &format!("; never one person: {}", link.vetoes.join(", ").replace('_', " "));
    }
    text
}

/// Bits to columns.
struct Scale {
    low: f64,
    per_column: f64,
    link: usize,
    review: usize,
}

impl Scale {
    fn of(link: &Waterfall) -> Self {
        let (low, high) = extent(link);
        let per_column = (high - low) / BARS as f64;
        let mut scale = Self { low, per_column, link: 0, review: 0 };
        (scale.link, scale.review) = (scale.column(link.link_bits), scale.column(link.review_bits));
        scale
    }

    /// The nearest column.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn column(&self, bits: f64) -> usize {
        // Between 0 and the width, since the extent holds every total and both bars.
        (((bits - self.low) / self.per_column).round().max(0.0) as usize).min(BARS)
    }

    fn bar(&self, from: f64, to: f64) -> String {
        let (start, end) = (self.column(from.min(to)), self.column(from.max(to)).max(self.column(from.min(to)) + 1));
        let fill = if to < from { '░' } else { '█' };
        let cell = |column: usize| match column {
            _ if (start..end).contains(&column) => fill,
            _ if column == self.link => '│',
            _ if column == self.review => '┊',
            _ => ' ',
        };
        (0..=BARS).map(cell).collect()
    }

    /// The bars' places, above them.
    fn legend(&self) -> &'static str {
        "█ for  ░ against  │ link  ┊ ask"
    }
}

/// The lowest and highest that a drawing must hold.
pub(super) fn extent(link: &Waterfall) -> (f64, f64) {
    let totals = link.steps.iter().map(|step| step.total).chain([0.0, link.link_bits, link.review_bits]);
    totals.fold((0.0, 0.0), |(low, high): (f64, f64), total| (low.min(total), high.max(total + 0.01)))
}

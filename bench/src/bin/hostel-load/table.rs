//! Reports of several servers side by side.

use std::{fs, path::Path};

use anyhow::Context;

use crate::report::{Report, shown};

/// The server the others are compared with.
const OURS: &str = "hostel";

/// The table of a file of reports, as Markdown. Of several reports of one scenario and server, each figure's median counts.
pub(crate) fn of_file(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let reports: Result<Vec<Report>, _> = text.lines().map(serde_json::from_str).collect();
    Ok(of(&reports.context("a line is no report")?))
}

fn of(reports: &[Report]) -> String {
    let labels = distinct(reports.iter().map(|report| report.label.as_str()));
    let others = labels.iter().filter(|label| **label != OURS);
    let mut header = vec!["what".to_owned()];
    header.extend(labels.iter().map(|label| (*label).to_owned()));
    header.extend(others.map(|label| format!("{OURS} / {label}")));
    let mut lines = vec![cells(&header), format!("|---|{}", "--:|".repeat(header.len() - 1))];
    for scenario in distinct(reports.iter().map(|report| report.scenario.as_str())) {
        let of_one: Vec<_> = reports.iter().filter(|report| report.scenario == scenario).collect();
        let names = distinct(of_one.iter().flat_map(|report| &report.values).map(|value| value.name.as_str()));
        lines.extend(names.iter().map(|name| row(scenario, name, &of_one, &labels)));
    }
    lines.join("\n")
}

fn row(scenario: &str, name: &str, reports: &[&Report], labels: &[&str]) -> String {
    let figures: Vec<_> = labels.iter().map(|label| figure(reports, label, name)).collect();
    let ours = figure(reports, OURS, name);
    let mut row = vec![format!("{scenario}: {name}")];
    row.extend(figures.iter().map(|figure| figure.map_or_else(String::new, shown)));
    let others = labels.iter().zip(&figures).filter(|(label, _)| **label != OURS);
    let ratios = others.map(|(_, theirs)| ours.zip(*theirs).map(|(ours, theirs)| ours / theirs));
    row.extend(ratios.map(|ratio| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))));
    cells(&row)
}

fn cells(row: &[String]) -> String {
    format!("| {} |", row.join(" | "))
}

/// The median of a figure over all reports of one server.
fn figure(reports: &[&Report], label: &str, name: &str) -> Option<f64> {
    let of_label = reports.iter().filter(|report| report.label == label).flat_map(|report| &report.values);
    let mut values: Vec<_> = of_label.filter(|value| value.name == name).map(|value| value.value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.fold(Vec::new(), |mut seen, name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_compared_with_each_of_the_others_by_medians() {
        let report = |label: &str, value| Report::new(label, "calls").with("calls/s", value);
        let table = of(&[report("floor", 100.0), report(OURS, 70.0), report(OURS, 80.0), report(OURS, 5.0)]);
        assert!(table.ends_with("| calls: calls/s | 100 | 70.0 | 0.70 |"), "{table}");
    }
}

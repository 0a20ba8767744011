//! Bars, as SVG.
use std::fmt::Write as _;

/// Pixels.
const WIDTH: f64 = 760.0;
const LABELS: f64 = 220.0;
const VALUES: f64 = 70.0;
const BAR: f64 = 18.0;
const HEAD: f64 = 26.0;
const MARGIN: f64 = 14.0;

/// A picture: groups of bars, each group to a scale of its own.
pub struct Bars {
    /// What it shows.
    pub title: String,
    groups: Vec<Group>,
}

/// Bars that are compared with each other.
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// Names and lengths.
    pub bars: Vec<(String, f64)>,
}

impl Bars {
    /// A picture of these groups.
    pub fn new(title: &str, groups: Vec<Group>) -> Self {
        Self { title: title.to_owned(), groups }
    }

    /// The picture.
    pub fn svg(&self) -> String {
        let mut body = String::new();
        let mut y = MARGIN + HEAD;
        text(&mut body, MARGIN, y - 8.0, 16, "start", &self.title);
        for group in &self.groups {
            y += HEAD;
            text(&mut body, MARGIN, y - 8.0, 13, "start", &group.name);
            let longest = group.bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
            for (name, value) in &group.bars {
                let length = (WIDTH - LABELS - VALUES - MARGIN) * value / longest;
                let colour = if name.contains("Underpass") { "#1769aa" } else { "#9aa5b1" };
                text(&mut body, LABELS - 8.0, y + BAR - 6.0, 12, "end", name);
                let height = BAR - 4.0;
                let _ = writeln!(
                    body,
                    r#"<rect x="{LABELS}" y="{y:.1}" width="{length:.1}" height="{height}" fill="{colour}"/>"#
                );
                text(&mut body, LABELS + length + 6.0, y + BAR - 6.0, 12, "start", &figure(*value));
                y += BAR;
            }
        }
        let height = y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
        )
    }
}

fn text(body: &mut String, x: f64, y: f64, size: u32, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(body, r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}">{words}</text>"#);
}

/// Three significant digits.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width() {
        let bars = vec![("Underpass".to_owned(), 2.0), ("a & b".to_owned(), 1.0)];
        let svg = Bars::new("t", vec![Group { name: "g".into(), bars }]).svg();
        assert!(svg.contains(r#"width="456.0""#) && svg.contains(r#"width="228.0""#), "{svg}");
        assert!(svg.contains("a &amp; b"));
    }
}

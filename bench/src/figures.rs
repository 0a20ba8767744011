//! What was measured, as tables.
use serde::{Deserialize, Serialize};

/// One subject.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Table {
    /// What was measured.
    pub title: String,
    /// How, in a few sentences.
    pub note: String,
    /// What the columns say.
    pub columns: Vec<String>,
    /// Who was measured.
    pub rows: Vec<Row>,
}

/// One contestant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its figures, one for each column; `None` where it has none.
    pub cells: Vec<Option<Cell>>,
}

/// One figure.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Cell {
    /// The median.
    pub value: f64,
    /// The width of the middle half of the samples, as a part of the median.
    pub spread: Option<f64>,
    /// Its ratio to the reference of its table.
    pub ratio: Option<f64>,
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self { value, spread: None, ratio: None }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, note: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.into(), note: note.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, name: impl Into<String>, cells: Vec<Option<Cell>>) {
        self.rows.push(Row { name: name.into(), cells });
    }

    /// A figure by the names of its row and column.
    pub fn at(&self, row: &str, column: &str) -> Option<Cell> {
        let column = self.columns.iter().position(|name| name == column)?;
        *self.rows.iter().find(|found| found.name == row)?.cells.get(column)?
    }

    /// The table as aligned text, which is Markdown as well.
    pub fn render(&self) -> String {
        let header = std::iter::once(String::new()).chain(self.columns.iter().cloned()).collect();
        let rows = self.rows.iter().map(|row| {
            let cells = row.cells.iter().map(|cell| cell.map_or("–".to_owned(), show));
            std::iter::once(row.name.clone()).chain(cells).collect()
        });
        let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
        let widths: Vec<usize> = (0..=self.columns.len())
            .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|text| text.chars().count()).max())
            .map(|width| width.unwrap_or(0).max(3))
            .collect();
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                text += &if column == 0 { format!("| {cell}{pad} ") } else { format!("| {pad}{cell} ") };
            }
            text += "|\n";
            if number == 0 {
                let rules = widths.iter().enumerate().map(|(column, width)| {
                    let rule = "-".repeat(width - 1);
                    if column == 0 { format!("| {rule}- ") } else { format!("| {rule}: ") }
                });
                text += &rules.collect::<String>();
                text += "|\n";
            }
        }
        text
    }
}

/// `741 (0.982 ±1 %)`: the value, its ratio, its spread.
fn show(cell: Cell) -> String {
    let value = number(cell.value);
    let spread = cell.spread.map(|spread| format!("±{:.0} %", spread * 50.0));
    let ratio = cell.ratio.map(|ratio| format!("{ratio:.3}"));
    match (ratio, spread) {
        (None, None) => value,
        (ratio, spread) => {
            let words: Vec<String> = ratio.into_iter().chain(spread).collect();
            format!("{value} ({})", words.join(" "))
        }
    }
}

/// Three significant digits at least, groups of three apart.
fn number(value: f64) -> String {
    let size = value.abs();
    if size < 10.0 && size != size.trunc() {
        return format!("{value:.2}");
    }
    if size < 100.0 && size != size.trunc() {
        return format!("{value:.1}");
    }
    let digits = format!("{size:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    if value < 0.0 { format!("-{grouped}") } else { grouped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [(0.9812, "0.98"), (12.34, "12.3"), (740.6, "741"), (1_234_567.0, "1 234 567"), (0.0, "0")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_table_is_aligned_and_found_in() {
        let mut table = Table::new("t", "n", &["seal", "open"]);
        table.row("we", vec![Some(Cell { value: 741.0, spread: Some(0.02), ratio: Some(0.98) }), None]);
        assert_eq!(table.at("we", "seal").map(|cell| cell.value), Some(741.0));
        assert!(table.at("we", "open").is_none() && table.at("they", "seal").is_none());
        let text = table.render();
        assert!(text.contains("741 (0.980 ±1 %)"), "{text}");
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }
}

//! Tables as the original's tools print them: no frame, one space between columns, a line below
//! the titles.

/// One value in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Left aligned.
    Text(String),
    /// Right aligned.
    Number(i64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl Cell {
    fn width(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Number(number) => number.to_string().len(),
        }
    }

    fn padded(&self, width: usize) -> String {
        match self {
            Self::Text(text) => format!("{text:<width$}"),
            Self::Number(number) => format!("{number:>width$}"),
        }
    }
}

/// Titles and rows.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    titles: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new<const N: usize>(titles: [&'static str; N]) -> Self {
        Self { titles: titles.into(), rows: Vec::new() }
    }

    /// Adds a row, one cell a title.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(cells.len(), self.titles.len());
        self.rows.push(cells.into());
    }

    /// The lines, without spaces at their ends.
    pub(crate) fn render(&self) -> String {
        let titles: Vec<Cell> = self.titles.iter().map(|title| Cell::from(*title)).collect();
        let widths: Vec<usize> = (0..titles.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| &row[column]);
                cells.chain([&titles[column]]).map(Cell::width).max().unwrap_or_default()
            })
            .collect();
        let line = |cells: &[Cell]| {
            let padded: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| cell.padded(*width)).collect();
            padded.join(" ").trim_end().to_owned()
        };
        let rule = "-".repeat(widths.iter().sum::<usize>() + widths.len().saturating_sub(1));
        let rows = self.rows.iter().map(|row| line(row));
        [line(&titles), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_looks_as_the_original_prints_it() {
        let mut table = Table::new(["aid", "name", "manager", "cloud", "status"]);
        table.row([
            1.into(),
            "New Application".into(),
            "127.0.0.1".into(),
            "default".into(),
            "RUNNING".into(),
        ]);
        assert_eq!(
            table.render(),
            "aid name            manager   cloud   status\n\
             ---------------------------------------------\n  \
               1 New Application 127.0.0.1 default RUNNING"
        );
    }

    #[test]
    fn widths_are_counted_in_characters() {
        let mut table = Table::new(["name", "n"]);
        table.row(["Zürich".into(), 12.into()]);
        table.row(["Ulm".into(), 3.into()]);
        assert_eq!(table.render(), "name   n\n---------\nZürich 12\nUlm     3");
    }
}

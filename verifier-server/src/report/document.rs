//! Text with its structure, whatever it is written down as. What strangers chose is a type of its own.

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Our words.
    Words(String),
    /// What a stranger sent: a path, a user agent, the name of a provider. Or a name of the operator's.
    Name(String),
}

/// Pieces in a row.
pub(super) type Line = Vec<Span>;

/// A part of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Sentences.
    Paragraph(Line),
    /// Things one below the other.
    List(Vec<Line>),
    /// Rows under a head; the first cell names its row.
    Table {
        /// What it is a table of.
        caption: String,
        /// The names of the columns.
        head: Vec<&'static str>,
        /// The rows, each as long as the head.
        rows: Vec<Vec<Line>>,
    },
    /// The attack over time, where pictures can be shown.
    Curve,
}

/// A heading, and what stands under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) heading: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) title: Line,
    pub(super) sections: Vec<Section>,
}

/// Our words.
pub(super) fn words(text: impl Into<String>) -> Span {
    Span::Words(text.into())
}

/// A stranger's, or a name.
pub(super) fn name(text: impl Into<String>) -> Span {
    Span::Name(text.into())
}

/// A paragraph of our words alone.
pub(super) fn paragraph(text: impl Into<String>) -> Block {
    Block::Paragraph(vec![words(text)])
}

//! `portcullis bots refresh`: a downloaded list of ranges, checked and put in its place.

use crate::bot_ranges::{Ranges, RangesError};
use crate::clock;
use std::io;
use std::path::Path;

/// Takes the list from standard input; returns what to tell whoever asked.
///
/// # Errors
/// See [`RangesError`]; then the old file stays.
pub fn run(file: &Path, source: Option<String>) -> Result<String, RangesError> {
    let ranges = Ranges::refresh(file, io::stdin().lock(), source, clock::now())?;
    let (count, Ranges { source, date, .. }) = (ranges.nets.len(), ranges);
    Ok(format!("{}: {count} networks of {source}, {date}; a reload puts them in force", file.display()))
}

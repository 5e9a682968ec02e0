//! `[[bot]]`: crawlers, known by the address ranges that their operators publish.

use super::document::{Lined, Section};
use crate::bot_ranges::{Ranges, RangesError};
use crate::gate::policy::Networks;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Crawlers at the most.
const BOTS_MAX: usize = 64;

/// Their networks, by name.
pub(super) type Bots = HashMap<String, Arc<Networks>>;

/// Reads all crawlers.
pub(super) fn read_all(root: &mut Section<'_, '_>, folder: &Path) -> Bots {
    let mut bots = Bots::new();
    let sections = root.sections("bot");
    if sections.len() > BOTS_MAX {
        let message = format!("{} crawlers are more than {BOTS_MAX}", sections.len());
        root.problem(1, message, "put the files of several into one: `ranges` takes a list");
    }
    for mut section in sections.into_iter().take(BOTS_MAX) {
        let line = section.line;
        let name = section.string("name", "googlebot").map(|name| name.value);
        let name = name.filter(|name| (1..=64).contains(&name.len()) && !name.chars().any(char::is_control));
        if name.is_none() {
            section.problem(
                line,
                "a crawler without a usable `name`",
                "write 1 to 64 characters: name = \"googlebot\"",
            );
        }
        let files = section.strings("ranges", "googlebot.json").unwrap_or_default();
        if files.is_empty() {
            section.problem(
                line,
                "a crawler without `ranges`",
                "name the file with its ranges: ranges = \"googlebot.json\"",
            );
        }
        let ranges: Vec<Ranges> = files.iter().filter_map(|file| of_file(&section, file, folder)).collect();
        section.finish();
        let Some(name) = name else { continue };
        let told: Vec<String> = ranges.iter().map(|ranges| format!("{} of {}", ranges.source, ranges.date)).collect();
        let nets: Vec<_> = ranges.into_iter().flat_map(|ranges| ranges.nets).collect();
        let told = format!("the {} networks of the crawler `{name}` ({})", nets.len(), told.join(", "));
        if bots.insert(name.clone(), Arc::new(Networks::new(told, nets))).is_some() {
            root.problem(line, format!("two crawlers are called `{name}`"), "give each its own `name`");
        }
    }
    bots
}

fn of_file(section: &Section<'_, '_>, file: &Lined<String>, folder: &Path) -> Option<Ranges> {
    let path = folder.join(&file.value);
    section.names_file(&path);
    let why = match Ranges::read(&path) {
        Ok(ranges) => return Some(ranges),
        Err(why) => why,
    };
    let message = format!("the ranges in {} cannot be used: {why}", path.display());
    let download = format!("curl -fsSL URL | portcullis bots refresh {} --source URL", path.display());
    let remedy = match why {
        RangesError::NoSource | RangesError::NoDate => {
            format!("a list names where it comes from, and when; let it be written by: {download}")
        }
        _ => format!("have it written by: {download}"),
    };
    section.problem(file.line, message, remedy);
    None
}

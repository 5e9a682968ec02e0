//! Files with the address ranges of crawlers, as their operators publish them: read, and written by `portcullis bots`.
//!
//! A file names its source and its date, or it is not used: whoever reads a configuration in a year has to see whose word it is
//! and how old.

use crate::{calendar, network_lists};
use ipnet::IpNet;
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Networks of a file.
const NETWORKS_MAX: usize = 100_000;
/// The widest networks that are a crawler's: a list with a wider one is somebody's mistake, and would let everybody in.
const V4_LENGTH_MIN: u8 = 12;
const V6_LENGTH_MIN: u8 = 24;
/// A new list with fewer networks than this part of the old one is taken for a broken download.
const SHRINKS_TO_AT_LEAST: usize = 2;

/// Why a list is not used.
#[derive(Debug, thiserror::Error)]
pub enum RangesError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is too large.
    #[error("it has more than {} MiB or {NETWORKS_MAX} networks", FILE_BYTES_MAX / 1024 / 1024)]
    TooLarge,
    /// It is neither the published JSON nor a list of networks.
    #[error("it is neither a published JSON of ranges nor one network a line: {0}")]
    Unreadable(String),
    /// It names no network.
    #[error("it names no network")]
    Empty,
    /// It names a network that cannot be a crawler's.
    #[error("`{0}` is too wide to be a crawler's network")]
    TooWide(IpNet),
    /// It does not say where it comes from.
    #[error("it does not name its source")]
    NoSource,
    /// It does not say of when it is.
    #[error("it does not name its date")]
    NoDate,
    /// It is much shorter than the one it would replace.
    #[error("it names {new} networks where there were {old}; if that is right, delete the old file first")]
    Shrunk {
        /// Networks of the new list.
        new: usize,
        /// Networks of the old one.
        old: usize,
    },
}

/// The ranges of a crawler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// Where they come from.
    pub source: String,
    /// Of when they are: it begins with year, month and day, as in `2026-11-25`.
    pub date: String,
    /// The networks.
    pub nets: Vec<IpNet>,
}

/// What a list says, which may be less than all.
struct Listed {
    source: Option<String>,
    date: Option<String>,
    nets: Vec<IpNet>,
}

impl Ranges {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`RangesError`].
    pub fn read(file: &Path) -> Result<Self, RangesError> {
        let listed = Listed::parse(&bounded(File::open(file)?)?)?;
        Ok(Self {
            source: listed.source.ok_or(RangesError::NoSource)?,
            date: listed.date.ok_or(RangesError::NoDate)?,
            nets: listed.nets,
        })
    }

    /// Takes a list as it was downloaded and puts it in the place of `file`, in one step, with its source and date. A list
    /// without a source has that of the file it replaces; one without a date is of today.
    ///
    /// # Errors
    /// See [`RangesError`]; then the old file stays.
    pub fn refresh(
        file: &Path,
        download: impl Read,
        source: Option<String>,
        now: UnixSeconds,
    ) -> Result<Self, RangesError> {
        let listed = Listed::parse(&bounded(download)?)?;
        let old = match File::open(file) {
            Ok(open) => Some(Listed::parse(&bounded(open)?)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let (new_count, old_count) = (listed.nets.len(), old.as_ref().map_or(0, |old| old.nets.len()));
        if new_count * SHRINKS_TO_AT_LEAST < old_count {
            return Err(RangesError::Shrunk { new: new_count, old: old_count });
        }
        let ranges = Self {
            source: source.or(listed.source).or(old.and_then(|old| old.source)).ok_or(RangesError::NoSource)?,
            date: listed.date.unwrap_or_else(|| calendar::date(now)),
            nets: listed.nets,
        };
        ranges.write(file)?;
        Ok(ranges)
    }

    fn write(&self, file: &Path) -> Result<(), RangesError> {
        let prefix = |net: &IpNet| match net {
            IpNet::V4(_) => Prefix { v4: Some(net.to_string()), v6: None },
            IpNet::V6(_) => Prefix { v4: None, v6: Some(net.to_string()) },
        };
        let published = Published {
            source: Some(self.source.clone()),
            date: Some(self.date.clone()),
            prefixes: self.nets.iter().map(prefix).collect(),
        };
        let mut name = file.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut open = File::create(&new)?;
        serde_json::to_writer_pretty(&mut open, &published).map_err(io::Error::from)?;
        open.write_all(b"\n")?;
        open.sync_all()?;
        fs::rename(&new, file)?;
        Ok(())
    }
}

/// The JSON that Google, Bing and others publish; `source` is ours.
#[derive(Deserialize, Serialize)]
struct Published {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(rename = "creationTime", skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    prefixes: Vec<Prefix>,
}

#[derive(Deserialize, Serialize)]
struct Prefix {
    #[serde(rename = "ipv4Prefix", skip_serializing_if = "Option::is_none")]
    v4: Option<String>,
    #[serde(rename = "ipv6Prefix", skip_serializing_if = "Option::is_none")]
    v6: Option<String>,
}

impl Listed {
    fn parse(text: &str) -> Result<Self, RangesError> {
        let listed = if text.trim_start().starts_with('{') { Self::published(text)? } else { Self::plain(text)? };
        if listed.nets.is_empty() {
            return Err(RangesError::Empty);
        }
        if listed.nets.len() > NETWORKS_MAX {
            return Err(RangesError::TooLarge);
        }
        let too_wide = |net: &&IpNet| match net {
            IpNet::V4(net) => net.prefix_len() < V4_LENGTH_MIN,
            IpNet::V6(net) => net.prefix_len() < V6_LENGTH_MIN,
        };
        match listed.nets.iter().find(too_wide) {
            Some(net) => Err(RangesError::TooWide(*net)),
            None => Ok(listed),
        }
    }

    fn published(text: &str) -> Result<Self, RangesError> {
        let published: Published =
            serde_json::from_str(text).map_err(|error| RangesError::Unreadable(error.to_string()))?;
        let mut nets = Vec::new();
        for Prefix { v4, v6 } in published.prefixes {
            for prefix in [v4, v6].into_iter().flatten() {
                nets.push(network(&prefix)?);
            }
        }
        Ok(Self { source: published.source.filter(|source| !source.is_empty()), date: date(published.date), nets })
    }

    /// One network a line; comments `# source: …` and `# date: …` say what the JSON says.
    fn plain(text: &str) -> Result<Self, RangesError> {
        let mut listed = Self { source: None, date: None, nets: Vec::new() };
        for line in text.lines() {
            let (entry, comment) = line.split_once('#').unwrap_or((line, ""));
            let (entry, comment) = (entry.trim(), comment.trim());
            if let Some(source) = comment.strip_prefix("source:") {
                listed.source = Some(source.trim().to_owned()).filter(|source| !source.is_empty());
            }
            if let Some(text) = comment.strip_prefix("date:") {
                listed.date = date(Some(text.trim().to_owned()));
            }
            if !entry.is_empty() {
                listed.nets.push(network(entry)?);
            }
        }
        Ok(listed)
    }
}

fn network(text: &str) -> Result<IpNet, RangesError> {
    network_lists::parse(text).ok_or_else(|| RangesError::Unreadable(format!("`{text}` is not a network")))
}

/// A text that begins with a day.
fn date(text: Option<String>) -> Option<String> {
    text.filter(|text| {
        let day = text.as_bytes().get(..10).unwrap_or_default();
        day.len() == 10
            && day.iter().enumerate().all(
                |(at, byte)| {
                    if matches!(at, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() }
                },
            )
    })
}

fn bounded(from: impl Read) -> Result<String, RangesError> {
    network_lists::bounded(from, FILE_BYTES_MAX)?.ok_or(RangesError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_795_572_000);
    /// The form in which Google and Bing publish; the networks are those for documentation.
    const PUBLISHED: &str = r#"{"creationTime": "2026-11-20T15:46:11.000000", "prefixes": [
        {"ipv6Prefix": "2001:db8:4860::/64"}, {"ipv4Prefix": "203.0.113.0/27"}, {"ipv4Prefix": "198.51.100.64/27"}]}"#;

    fn refreshed(file: &Path, text: &str, source: Option<&str>) -> Result<Ranges, String> {
        Ranges::refresh(file, text.as_bytes(), source.map(str::to_owned), NOW).map_err(|error| error.to_string())
    }

    #[test]
    fn a_download_is_used_once_it_names_its_source_and_date() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bot.json");
        fs::write(&file, PUBLISHED).expect("written");
        assert!(matches!(Ranges::read(&file), Err(RangesError::NoSource)));
        let source = "https://search.example/bot.json";
        let ranges = refreshed(&file, PUBLISHED, Some(source)).expect("ranges");
        assert_eq!((ranges.source.as_str(), &ranges.date[..10], ranges.nets.len()), (source, "2026-11-20", 3));
        assert_eq!(Ranges::read(&file).expect("read back"), ranges);
        let again = refreshed(&file, "203.0.113.0/27\n198.51.100.64/27 # two\n", None).expect("a plain list");
        assert_eq!(
            (again.source.as_str(), again.date.as_str()),
            (source, "2026-11-25"),
            "its source stays, and it is of today"
        );
    }

    #[test]
    fn a_plain_list_names_them_in_comments() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bot.txt");
        fs::write(&file, "# source: https://bot.example\n# date: 2026-11-01\n203.0.113.7\n").expect("written");
        let ranges = Ranges::read(&file).expect("a list");
        assert_eq!(ranges.nets, ["203.0.113.7/32".parse::<IpNet>().expect("one")]);
        fs::write(&file, "# source: https://bot.example\n# date: yesterday\n203.0.113.7\n").expect("written");
        assert!(matches!(Ranges::read(&file), Err(RangesError::NoDate)));
    }

    #[test]
    fn a_broken_download_leaves_the_old_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("bot.json");
        let good = refreshed(&file, PUBLISHED, Some("https://bot.example")).expect("ranges");
        for (text, why) in [
            ("", "names no network"),
            ("<!doctype html>", "neither"),
            ("{\"prefixes\": []}", "names no network"),
            ("{\"prefixes\": [{\"ipv4Prefix\": \"x\"}]}", "`x` is not a network"),
            (&PUBLISHED[..60], "neither"),
            ("203.0.113.0/27\n0.0.0.0/0\n2001:db8::/32\n", "too wide"),
            ("203.0.113.0/27\n2001::/16\n2001:db8::/32\n", "too wide"),
            ("203.0.113.0/27\n", "1 networks where there were 3"),
        ] {
            let told = refreshed(&file, text, None).expect_err("it is broken");
            assert!(told.contains(why), "{text}: {told}");
            assert_eq!(Ranges::read(&file).expect("the old one"), good);
        }
    }
}

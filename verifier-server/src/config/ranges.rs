//! A file of address ranges, as `deploy/cdn/refresh-ranges.sh` writes it: one network a line, and comments that say where they
//! come from and when they were fetched.

use crate::network_lists;
use ipnet::IpNet;
use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes of such a file.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Shortest prefixes that a list of proxies may hold: shorter ones are a mistake or an attack on the list.
const IPV4_PREFIX_MIN: u8 = 8;
const IPV6_PREFIX_MIN: u8 = 16;

/// Why a file of ranges is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RangesError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is longer than {} KiB", FILE_BYTES_MAX / 1024)]
    TooLong,
    #[error("its line {0}, `{1}`, is not a network")]
    NoNetwork(usize, String),
    #[error("its line {0}, `{1}`, is wider than any proxy's network")]
    TooWide(usize, String),
    #[error("it does not say where its ranges come from")]
    NoSource,
    #[error("it does not say when they were fetched")]
    NoDate,
    #[error("it names no network")]
    Empty,
}

impl RangesError {
    pub(super) const fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => {
                "check the path and its permissions; relative paths start at the configuration's folder"
            }
            Self::TooLong | Self::TooWide(..) | Self::Empty => "fetch it again with deploy/cdn/refresh-ranges.sh",
            Self::NoNetwork(..) => "write one network a line, like 192.0.2.0/24; comments begin with #",
            Self::NoSource => "write a line `# source: https://…`",
            Self::NoDate => "write a line `# date: 2026-01-31`",
        }
    }
}

/// Reads a file of ranges.
pub(super) fn read(file: &Path) -> Result<Vec<IpNet>, RangesError> {
    let text = network_lists::bounded(File::open(file)?, FILE_BYTES_MAX)?;
    parse(&text.ok_or(RangesError::TooLong)?)
}

fn parse(text: &str) -> Result<Vec<IpNet>, RangesError> {
    let comment = |key: &str| {
        text.lines().any(|line| {
            let value = line.trim_start().strip_prefix('#').and_then(|line| line.trim_start().strip_prefix(key));
            value.is_some_and(|value| !value.trim().is_empty())
        })
    };
    let mut nets = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let written = line.split('#').next().unwrap_or_default().trim();
        if written.is_empty() {
            continue;
        }
        let shown = || written.chars().take(64).collect::<String>();
        let net: IpNet = written.parse().map_err(|_| RangesError::NoNetwork(index + 1, shown()))?;
        let least = if net.addr().is_ipv4() { IPV4_PREFIX_MIN } else { IPV6_PREFIX_MIN };
        if net.prefix_len() < least {
            return Err(RangesError::TooWide(index + 1, shown()));
        }
        nets.push(net);
    }
    match nets.as_slice() {
        [] => Err(RangesError::Empty),
        _ if !comment("source:") => Err(RangesError::NoSource),
        _ if !comment("date:") => Err(RangesError::NoDate),
        _ => Ok(nets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# source: https://cdn.example/ranges\n# date: 2026-01-31\n";

    #[test]
    fn a_file_names_its_source_its_date_and_its_networks() {
        let nets = parse(&format!("{HEAD}\n192.0.2.0/24\n2001:db8::/32  # Europe\n")).expect("ranges");
        assert_eq!(nets.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.0/24", "2001:db8::/32"]);
    }

    #[test]
    fn what_is_odd_is_told_and_nothing_of_the_file_is_believed() {
        for (text, told) in [
            ("192.0.2.0/24\n".to_owned(), "where its ranges come from"),
            ("# source: x\n192.0.2.0/24\n".to_owned(), "when they were fetched"),
            ("# source:\n# date: 2026-01-31\n192.0.2.0/24\n".to_owned(), "where its ranges come from"),
            (HEAD.to_owned(), "names no network"),
            (format!("{HEAD}<html>\n"), "line 3, `<html>`, is not a network"),
            (format!("{HEAD}192.0.2.0/24\n0.0.0.0/0\n"), "line 4, `0.0.0.0/0`, is wider"),
            (format!("{HEAD}::/0\n"), "line 3, `::/0`, is wider"),
        ] {
            let error = parse(&text).expect_err("no ranges").to_string();
            assert!(error.contains(told), "{told} in {error}");
        }
    }
}

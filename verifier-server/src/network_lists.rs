//! Networks in files: a network as people write it, a file of bounded size, and the plain list of them: one a line, with
//! comments behind `#` or `;`.

use ipnet::IpNet;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

/// Networks of all rules together, at the most.
pub(crate) const NETWORKS_MAX: usize = 500_000;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A network, or an address on its own. Bits beyond its length count as none.
pub(crate) fn parse(text: &str) -> Option<IpNet> {
    let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(IpNet::trunc(&net))
}

/// All of a text that has at most so many bytes; `None` of a longer one.
///
/// # Errors
/// If it cannot be read, or is no UTF-8.
pub(crate) fn bounded(from: impl Read, bytes_max: u64) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = from.take(bytes_max + 1).read_to_string(&mut text)?;
    Ok((read as u64 <= bytes_max).then_some(text))
}

/// The text of a list.
///
/// # Errors
/// In words, if it cannot be read or is too large.
pub(crate) fn text(file: &Path) -> Result<String, String> {
    let text = File::open(file).and_then(|open| bounded(open, FILE_BYTES_MAX)).map_err(|error| error.to_string())?;
    text.ok_or_else(|| format!("it has more than {} MiB", FILE_BYTES_MAX / 1024 / 1024))
}

/// The networks of a list.
///
/// # Errors
/// In words: the first line that is none.
pub(crate) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let mut nets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let entry = line.split(['#', ';']).next().unwrap_or_default().trim();
        if !entry.is_empty() {
            nets.push(parse(entry).ok_or_else(|| format!("its line {} is not a network: `{entry}`", number + 1))?);
        }
    }
    Ok(nets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_networks_addresses_and_comments() {
        let nets = networks("# bad ones\n203.0.113.0/24 ; office\n\n 2001:db8::1\n10.1.2.3/8\r\n").expect("a list");
        let told: Vec<String> = nets.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["203.0.113.0/24", "2001:db8::1/128", "10.0.0.0/8"]);
        assert_eq!(networks("10.0.0.0/8\nx"), Err("its line 2 is not a network: `x`".to_owned()));
    }
}

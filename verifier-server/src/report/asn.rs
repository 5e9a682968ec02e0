//! Whose a network is, from a file of the operator's: `network,asn,name`, by commas or tabs, one a line.

use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of a line; longer ones are no lines of such a file.
const LINE_BYTES_MAX: u64 = 4_096;
/// Lines of a file: five times the networks that the whole internet announces.
const LINES_MAX: usize = 5_000_000;

/// An autonomous system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asn {
    /// Its number.
    pub number: u32,
    /// What the file calls it; may be empty.
    pub name: String,
}

/// Those of some networks.
pub type Asns = BTreeMap<IpNet, Asn>;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AsnError {
    /// Reading failed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A line is none.
    #[error("line {0} is not `network,asn,name`, for example 203.0.113.0/24,64500,Example Networks")]
    Line(usize),
    /// There are too many.
    #[error("it has more than {LINES_MAX} lines")]
    TooLong,
}

/// The systems of these networks: that of the narrowest network in the file around each. A first line that names the columns,
/// empty lines, and lines that begin with `#` are passed over.
///
/// # Errors
/// See [`AsnError`].
pub fn read(file: &Path, networks: &[IpNet]) -> Result<Asns, AsnError> {
    of(BufReader::new(File::open(file)?), networks)
}

fn of(mut lines: impl BufRead, networks: &[IpNet]) -> Result<Asns, AsnError> {
    let mut found: BTreeMap<IpNet, (u8, Asn)> = BTreeMap::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if number > LINES_MAX {
            return Err(AsnError::TooLong);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let Some((around, asn)) = parse(text) else {
            if number == 1 {
                continue;
            }
            return Err(AsnError::Line(number));
        };
        for network in networks.iter().filter(|network| around.contains(*network)) {
            let narrower = found.get(network).is_none_or(|(length, _)| around.prefix_len() >= *length);
            if narrower {
                found.insert(*network, (around.prefix_len(), asn.clone()));
            }
        }
    }
    Ok(found.into_iter().map(|(network, (_, asn))| (network, asn)).collect())
}

fn parse(line: &str) -> Option<(IpNet, Asn)> {
    let separator = if line.contains('\t') { '\t' } else { ',' };
    let mut parts = line.splitn(3, separator).map(|part| part.trim().trim_matches('"'));
    let network = parts.next()?.parse::<IpNet>().ok()?;
    let number = parts.next()?;
    let number = number.strip_prefix("AS").unwrap_or(number).parse().ok()?;
    Some((network, Asn { number, name: parts.next().unwrap_or_default().replace("\"\"", "\"") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a network")
    }

    #[test]
    fn the_narrowest_network_around_names_the_system() {
        let file = "network,asn,name\n# of today\n203.0.0.0/16,64500,Wide\n203.0.113.0/24\t64501\tNarrow, \"Inc\"\n\
                    203.0.0.0/8,64502,Wider\n2001:db8::/32,AS64503,\"Six, Ltd\"\n";
        let networks = ["203.0.113.0/24", "203.0.7.0/24", "2001:db8:0:100::/56", "198.51.100.0/24"].map(net);
        let asns = of(file.as_bytes(), &networks).expect("a file");
        let told = |network: &str| asns.get(&net(network)).map(|asn| (asn.number, asn.name.as_str()));
        assert_eq!(told("203.0.113.0/24"), Some((64501, "Narrow, \"Inc")));
        assert_eq!(told("203.0.7.0/24"), Some((64500, "Wide")));
        assert_eq!(told("2001:db8:0:100::/56"), Some((64503, "Six, Ltd")));
        assert_eq!(told("198.51.100.0/24"), None);
    }

    #[test]
    fn a_line_that_is_none_is_said_so() {
        assert!(matches!(of(&b"203.0.113.0/24,1,a\nwhat\n"[..], &[]), Err(AsnError::Line(2))));
        let endless = vec![b'a'; 10_000];
        assert!(matches!(of(endless.as_slice(), &[]), Err(AsnError::Line(2))));
    }
}

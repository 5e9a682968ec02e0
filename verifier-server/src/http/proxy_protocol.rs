//! The PROXY protocol, versions 1 and 2: how a load balancer announces, before the first byte of a connection, whose it is.
//!
//! Source: "The PROXY protocol, Versions 1 & 2", Willy Tarreau, HAProxy Technologies, 2020. Only a trusted peer may announce, and
//! the caller bounds the time.

use super::original::Scheme;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a header of version 1, its line break included (§2.1).
const V1_BYTES_MAX: usize = 107;
/// Bytes behind the fixed part of a header of version 2: addresses and fields.
const V2_BYTES_MAX: usize = 2_048;
/// What version 2 begins with (§2.2).
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V1_BEGINNING: &[u8] = b"PROXY ";
/// The field that tells about TLS (§2.2.6), and its bit for "the client came over TLS".
const FIELD_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// The connection is this client's, who came this way.
    Client(IpAddr, Scheme),
    /// It is the load balancer's own: a health check.
    Local,
}

/// Why a connection is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("it broke off: {0}")]
    Io(#[from] io::Error),
    #[error("it does not begin with a header of the PROXY protocol")]
    NoHeader,
    #[error("its header of version 1 cannot be read")]
    V1,
    #[error("its header of version 2 cannot be read")]
    V2,
}

/// Reads a header and not one byte more.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Announced, Refused> {
    let mut head = [0; V2_SIGNATURE.len()];
    stream.read_exact(&mut head).await?;
    if head == *V2_SIGNATURE {
        return read_v2(stream).await;
    }
    if !head.starts_with(V1_BEGINNING) {
        return Err(Refused::NoHeader);
    }
    let mut line = head.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_BYTES_MAX {
            return Err(Refused::V1);
        }
        line.push(stream.read_u8().await?);
    }
    parse_v1(&line).ok_or(Refused::V1)
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin)) -> Result<Announced, Refused> {
    let (kind, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if length > V2_BYTES_MAX {
        return Err(Refused::V2);
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    parse_v2(kind, family, &rest).ok_or(Refused::V2)
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n`.
fn parse_v1(line: &[u8]) -> Option<Announced> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let kind = words.next()?;
    if kind == "UNKNOWN" {
        return Some(Announced::Local);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let address: IpAddr = match kind {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            source.parse::<Ipv4Addr>().ok()?.into()
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            source.parse::<Ipv6Addr>().ok()?.into()
        }
        _ => return None,
    };
    let ports = [words.next()?, words.next()?];
    let plain =
        |port: &&str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (words.next().is_none() && ports.iter().all(plain))
        .then_some(Announced::Client(address.to_canonical(), Scheme::Http))
}

fn parse_v2(kind: u8, family: u8, rest: &[u8]) -> Option<Announced> {
    match kind {
        0x20 => return Some(Announced::Local),
        0x21 => {}
        _ => return None,
    }
    let (address, fields): (IpAddr, &[u8]) = match family {
        // Not known to the load balancer itself.
        0x00 => return Some(Announced::Local),
        0x11 => {
            let (addresses, fields) = rest.split_at_checked(12)?;
            (<[u8; 4]>::try_from(addresses.get(..4)?).ok()?.into(), fields)
        }
        0x21 => {
            let (addresses, fields) = rest.split_at_checked(36)?;
            (<[u8; 16]>::try_from(addresses.get(..16)?).ok()?.into(), fields)
        }
        _ => return None,
    };
    Some(Announced::Client(address.to_canonical(), scheme(fields)?))
}

/// What the fields tell of TLS; `None` where they are not well-formed, or tell it twice.
fn scheme(mut fields: &[u8]) -> Option<Scheme> {
    let mut told = None;
    while let [kind, high, low, rest @ ..] = fields {
        let (value, next) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        if *kind == FIELD_SSL {
            let tls = value.first()? & CLIENT_SSL != 0;
            if told.replace(if tls { Scheme::Https } else { Scheme::Http }).is_some() {
                return None;
            }
        }
        fields = next;
    }
    fields.is_empty().then_some(told.unwrap_or(Scheme::Http))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(mut bytes: &[u8]) -> (Result<Announced, Refused>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let told = runtime.block_on(read(&mut bytes));
        (told, bytes.len())
    }

    fn client(address: &str, scheme: Scheme) -> Announced {
        Announced::Client(address.parse().expect("an address"), scheme)
    }

    fn v2(kind: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([kind, family]);
        bytes.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn both_versions_tell_the_client_and_leave_the_rest_of_the_connection_alone() {
        let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xC8, 0x00, 0, 80];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[15] = 1;
        let mut mapped = [0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 203, 0, 113, 9]);
        let tls = [&v4[..], &[0x01, 0, 1, b'x', FIELD_SSL, 0, 5, CLIENT_SSL, 0, 0, 0, 0]].concat();
        for (header, told) in [
            (b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 80\r\n".to_vec(), client("203.0.113.9", Scheme::Http)),
            (b"PROXY TCP6 2001:db8::1 ::1 51234 80\r\n".to_vec(), client("2001:db8::1", Scheme::Http)),
            (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n".to_vec(), client("203.0.113.9", Scheme::Http)),
            (b"PROXY UNKNOWN\r\n".to_vec(), Announced::Local),
            (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".to_vec(), Announced::Local),
            (v2(0x21, 0x11, &v4), client("203.0.113.9", Scheme::Http)),
            (v2(0x21, 0x11, &tls), client("203.0.113.9", Scheme::Https)),
            (v2(0x21, 0x21, &v6), client("2001:db8::1", Scheme::Http)),
            (v2(0x21, 0x21, &mapped), client("203.0.113.9", Scheme::Http)),
            (v2(0x20, 0x00, b""), Announced::Local),
            (v2(0x20, 0x11, &v4), Announced::Local),
            (v2(0x21, 0x00, b""), Announced::Local),
        ] {
            let mut bytes = header.clone();
            bytes.extend(b"GET / HTTP/1.1\r\n");
            let (read, left) = read_all(&bytes);
            assert_eq!((read.expect("a header"), left), (told, 16), "{}", header.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0xC8, 0x00, 0, 80];
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(200));
        for header in [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"PROXY\tTCP4 203.0.113.9 10.0.0.1 51234 80\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 51234\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 80 1\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 65536\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 51234 +80\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 ::1 51234 80\r\n".to_vec(),
            b"PROXY TCP6 203.0.113.9 ::1 51234 80\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9\n 10.0.0.1 51234 80\r\n".to_vec(),
            b"PROXY UDP4 203.0.113.9 10.0.0.1 51234 80\r\n".to_vec(),
            b"PROXY TCP4".to_vec(),
            long.into_bytes(),
            v2(0x22, 0x11, &v4),
            v2(0x11, 0x11, &v4),
            v2(0x21, 0x12, &v4),
            v2(0x21, 0x31, &v4),
            v2(0x21, 0x11, &v4[..11]),
            v2(0x21, 0x21, &v4),
            v2(0x21, 0x11, &[&v4[..], &[FIELD_SSL, 0, 0]].concat()),
            v2(0x21, 0x11, &[&v4[..], &[FIELD_SSL, 0, 5, 1]].concat()),
            v2(0x21, 0x11, &[&v4[..], &[FIELD_SSL, 0, 1, 1, FIELD_SSL, 0, 1, 0]].concat()),
            v2(0x21, 0x11, &[&v4[..], &[1, 0]].concat()),
            v2(0x21, 0x11, &[0; V2_BYTES_MAX + 1]),
            v2(0x21, 0x11, &v4)[..20].to_vec(),
        ] {
            assert!(read_all(&header).0.is_err(), "{}", header.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_read_further_than_its_limit(bytes in prop::collection::vec(any::<u8>(), 0..4096), v1: bool) {
            let begin: &[u8] = if v1 { b"PROXY TCP4 1" } else { V2_SIGNATURE };
            let bytes = [begin, &bytes].concat();
            let (_, left) = read_all(&bytes);
            let most = if v1 { V1_BYTES_MAX } else { V2_SIGNATURE.len() + 4 + V2_BYTES_MAX };
            prop_assert!(bytes.len() - left <= most);
        }

        #[test]
        fn every_address_comes_through_both_versions(address: std::net::IpAddr, port: u16) {
            let (v1, family, octets) = match address {
                IpAddr::V4(v4) => (format!("TCP4 {v4} 127.0.0.1"), 0x11, v4.octets().to_vec()),
                IpAddr::V6(v6) => (format!("TCP6 {v6} ::1"), 0x21, v6.octets().to_vec()),
            };
            let told = Announced::Client(address.to_canonical(), Scheme::Http);
            let (read, _) = read_all(format!("PROXY {v1} {port} 80\r\n").as_bytes());
            prop_assert_eq!(read.expect("a header"), told);
            let rest = [&octets[..], &octets, &port.to_be_bytes(), &[0, 80]].concat();
            let (read, _) = read_all(&v2(0x21, family, &rest));
            prop_assert_eq!(read.expect("a header"), told);
        }
    }
}

//! Other names for the same site: with and without `www`, over plain HTTP, and none at all.

use super::examination::Examination;
use super::paste::Thing;
use super::silence::Silence;
use super::visitor::{Answer, Port, Question, addresses};
use std::net::IpAddr;

/// A name that nobody has.
const NOBODY: &str = "portcullis-test.invalid";

pub(super) async fn look(found: &mut Examination<'_>) {
    if found.challenge.is_none() {
        return found.skip("other names", "there is no gate to get around");
    }
    with_and_without_www(found).await;
    plain_http(found).await;
    by_address(found).await;
}

async fn with_and_without_www(found: &mut Examination<'_>) {
    let host = found.visitor.host.clone();
    let other = host.strip_prefix("www.").map_or_else(|| format!("www.{host}"), str::to_owned);
    if host.parse::<IpAddr>().is_ok() {
        return found.skip("www", "the site has no name");
    }
    let resolved = addresses(&other).await.unwrap_or_default();
    if is_elsewhere(&resolved, found.visitor.address) {
        return found.skip("www", format!("{other} is somewhere else"));
    }
    match ask(found, &other, None).await {
        Err(silence) if silence.is_closed() => found.pass("www", format!("{other} answers nothing")),
        Err(silence) => found.skip("www", format!("{other}: {silence}")),
        Ok(answer) if answer.leads_in() => {
            let seen = format!("{other} answers {} without the gate", answer.status.as_u16());
            found.fail("www", seen, found.line(Thing::Gate));
        }
        Ok(_) => found.pass("www", format!("{other} leads here, to the gate, or nowhere")),
    }
}

async fn plain_http(found: &mut Examination<'_>) {
    if !found.visitor.is_https() {
        return found.skip("plain HTTP", "it is what is looked at");
    }
    let host = found.visitor.host.clone();
    match ask(found, &host, Some(Port { number: found.http_port, tls: false })).await {
        Err(silence) if silence.is_closed() => found.pass("plain HTTP", "nobody answers there"),
        Err(silence) => found.skip("plain HTTP", silence),
        Ok(answer) if answer.leads_in() => {
            let seen = format!("over plain HTTP it answers {} without the gate", answer.status.as_u16());
            found.fail("plain HTTP", seen, found.line(Thing::PlainHttp));
        }
        Ok(_) => found.pass("plain HTTP", "it leads to HTTPS, or to the gate"),
    }
}

async fn by_address(found: &mut Examination<'_>) {
    let address = found.visitor.address.to_string();
    let mut unknown = None;
    for host in [address.as_str(), NOBODY] {
        match ask(found, host, None).await {
            Ok(answer) if answer.leads_in() => {
                let seen = format!("asked for {host}, it answers {} without the gate", answer.status.as_u16());
                return found.fail("default server", seen, found.line(Thing::DefaultServer));
            }
            Err(silence) if !silence.is_closed() => {
                unknown = Some(format!("asked for {host}: {silence}"));
            }
            _ => {}
        }
    }
    match unknown {
        Some(why) => found.skip("default server", why),
        None => found.pass("default server", "by its address alone nobody gets in"),
    }
}

async fn ask(found: &Examination<'_>, host: &str, port: Option<Port>) -> Result<Answer, Silence> {
    let mut question = Question::get(found.gated_target());
    (question.host, question.elsewhere) = (Some(host), port);
    found.visitor.ask(question).await
}

/// Whether a name with these addresses is at none that is looked at. One without any may be served here all the same.
fn is_elsewhere(addresses: &[IpAddr], here: IpAddr) -> bool {
    !addresses.is_empty() && !addresses.contains(&here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_several_addresses_is_here_if_one_of_them_is() {
        let [here, beside, far] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let ipv6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
        for addresses in [&[here][..], &[beside, here], &[ipv6, far, here], &[]] {
            assert!(!is_elsewhere(addresses, here), "{addresses:?}");
        }
        for addresses in [&[beside][..], &[beside, far], &[ipv6]] {
            assert!(is_elsewhere(addresses, here), "{addresses:?}");
        }
    }
}

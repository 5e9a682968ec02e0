//! Other names for the same site: with and without `www`, over plain HTTP, and none at all.

use super::examination::Examination;
use super::paste::Thing;
use super::silence::Silence;
use super::visitor::{Answer, Port, Question, first_address};

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
    if host.parse::<std::net::IpAddr>().is_ok() {
        return found.skip("www", "the site has no name");
    }
    let resolved = first_address(&other).await;
    if resolved.is_ok_and(|address| address != found.visitor.address) {
        return found.skip("www", format!("{other} is somewhere else"));
    }
    match ask(found, &other, None).await {
        Err(silence) if silence.is_closed() => found.pass("www", format!("{other} answers nothing")),
        Err(silence) => found.skip("www", format!("{other}: {silence}")),
        Ok(answer) if leads_in(&answer) => {
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
        Ok(answer) if leads_in(&answer) => {
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
            Ok(answer) if leads_in(&answer) => {
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

/// Whether it is an answer of a site: neither the gate's, nor a redirect, nor a refusal, nor empty.
fn leads_in(answer: &Answer) -> bool {
    !answer.is_closed()
        && !answer.status.is_redirection()
        && !answer.status.is_server_error()
        && !answer.body.is_empty()
}

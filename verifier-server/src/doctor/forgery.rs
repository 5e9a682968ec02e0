//! What a stranger writes into headers decides nothing.

use super::examination::Examination;
use super::paste::Thing;
use super::visitor::Question;

/// Headers that claim another address: one of those that RFC 5737 keeps for documentation.
const ADDRESSES: [(&str, &str); 7] = [
    ("X-Forwarded-For", "198.51.100.77"),
    ("X-Real-IP", "198.51.100.77"),
    ("Forwarded", "for=198.51.100.77"),
    ("CF-Connecting-IP", "198.51.100.77"),
    ("True-Client-IP", "198.51.100.77"),
    ("X-Client-IP", "198.51.100.77"),
    ("X-Cluster-Client-IP", "198.51.100.77"),
];

/// Headers that claim that something is asked for which is allowed everywhere.
const REQUESTS: [(&str, &str); 6] = [
    ("X-Original-URI", "/robots.txt"),
    ("X-Original-Method", "GET"),
    ("X-Forwarded-Uri", "/robots.txt"),
    ("X-Forwarded-Method", "GET"),
    ("X-Rewrite-URL", "/robots.txt"),
    ("X-Original-URL", "/robots.txt"),
];

pub(super) async fn look(found: &mut Examination<'_>) {
    if found.challenge.is_none() {
        return found.skip("forged request", "there is no gate to be deceived");
    }
    let target = found.gated_target();
    let question = REQUESTS.iter().fold(Question::get(target), |question, (name, value)| question.header(name, value));
    match found.visitor.ask(question).await {
        Ok(answer) if answer.is_closed() => {
            found.pass("forged request", "a stranger's word about what he asks for counts for nothing");
        }
        Ok(answer) => {
            let seen = format!(
                "headers that claim another path get {}: the verifier believes a stranger",
                answer.status.as_u16()
            );
            found.fail("forged request", seen, found.line(Thing::Original));
        }
        Err(error) => found.skip("forged request", error),
    }
    let (Some(cookie), Some(network)) = (found.clearance.clone(), found.network.clone()) else {
        return found.skip("forged address", "without a clearance nobody says for whom the verifier takes us");
    };
    let endpoint = found.endpoint("clearance", target);
    let question =
        ADDRESSES.iter().fold(Question::get(&endpoint), |question, (name, value)| question.header(name, value));
    match found.visitor.ask(question.cookie(&cookie)).await.map(|answer| answer.json()["network"].clone()) {
        Ok(seen) if seen.as_str() == Some(&network) => {
            found.pass("forged address", "a stranger's word about his address counts for nothing");
        }
        Ok(seen) => {
            let seen = format!("headers that claim another address are believed: {seen} instead of {network}");
            found.fail("forged address", seen, found.line(Thing::Address));
        }
        Err(error) => found.skip("forged address", error),
    }
}

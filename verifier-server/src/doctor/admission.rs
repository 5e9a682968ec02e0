//! A solution is paid for, and what it buys lets in: the clearance goes both ways, and the address it is bound to is ours.

use super::examination::Examination;
use super::paste::Thing;
use super::visitor::{Answer, Question};
use hyper::Method;
use hyper::header::SET_COOKIE;
use puzzle::{CHALLENGE_BYTES, Challenge, ClientNetwork, Rate};
use serde_json::{Value, json};
use std::net::IpAddr;

/// More work than any verifier asks: whoever answers at that name is not to keep this machine busy for long.
const WORK_MAX: u64 = 1 << 34;

pub(super) async fn look(found: &mut Examination<'_>) {
    let Some(text) = found.challenge.clone() else {
        return found.skip("solution", "there is no challenge to be solved");
    };
    let solution = match solve(&text).await {
        Ok(solution) => solution,
        Err(why) => return found.fail("solution", why, found.line(Thing::Page)),
    };
    let target = found.gated_target();
    let endpoint = found.endpoint("verify", target);
    let posted = json!({ "challenge": text, "solution": solution }).to_string();
    let mut question = Question::get(&endpoint);
    (question.method, question.body) = (Method::POST, Some(("application/json", posted)));
    match found.visitor.ask(question).await {
        Ok(answer) if answer.json()["ok"] == json!(true) => redeemed(found, &answer).await,
        Ok(answer) => {
            let code = answer.json()["code"].as_str().unwrap_or("not the verifier").to_owned();
            let seen = format!("a good solution was answered {} ({code})", answer.status.as_u16());
            found.fail("solution", seen, found.line(Thing::Endpoints));
        }
        Err(error) => {
            found.fail("solution", format!("a good solution was not answered: {error}"), found.line(Thing::Endpoints));
        }
    }
}

async fn solve(text: &str) -> Result<String, &'static str> {
    const CHANGED: &str = "the challenge cannot be read: something in between changes it";
    let mut buffer = [0; CHALLENGE_BYTES];
    let bytes = puzzle::decode(text.as_bytes(), &mut buffer).ok_or(CHANGED)?;
    let challenge = Challenge::parse(bytes).map_err(|_| CHANGED)?;
    if challenge.shape().work(Rate::ONE) > WORK_MAX {
        return Err("the challenge asks for more work than any verifier does: somebody else made it");
    }
    let solution =
        tokio::task::spawn_blocking(move || crate::solve::solution(&challenge)).await.map_err(|_| CHANGED)?;
    Ok(puzzle::encode(&solution).as_str().to_owned())
}

async fn redeemed(found: &mut Examination<'_>, answer: &Answer) {
    found.pass("solution", "a solution was redeemed");
    let cookies: Vec<&str> =
        answer.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let Some(cookie) = cookies.iter().find(|cookie| cookie.contains("portcullis")) else {
        return found.fail(
            "clearance",
            "the clearance that was bought did not arrive: no Set-Cookie",
            found.line(Thing::Cookies),
        );
    };
    let secure = cookie.starts_with("__") && cookie.contains("Secure");
    if found.visitor.is_https() && !secure {
        found.fail(
            "scheme",
            "over HTTPS the cookie came as over HTTP: the verifier is told the wrong scheme",
            found.line(Thing::Scheme),
        );
    } else if !found.visitor.is_https() && secure {
        found.fail(
            "scheme",
            "over HTTP the cookie came as over HTTPS: browsers will not keep it",
            found.line(Thing::Scheme),
        );
    } else {
        found.pass("scheme", "the verifier knows how visitors come");
    }
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let target = found.gated_target();
    let worth = found.visitor.ask(Question::get(&found.endpoint("clearance", target)).cookie(&cookie)).await;
    let worth: Value = worth.map(|answer| answer.json()).unwrap_or_default();
    if worth["credits"].is_null() {
        return found.fail(
            "clearance",
            "the verifier does not see the clearance that the visitor sends",
            found.line(Thing::Cookies),
        );
    }
    let page = found.visitor.ask(Question::get(target).cookie(&cookie)).await;
    found.clearance = Some(cookie);
    address(found, worth["network"].as_str());
    match page {
        Ok(page) if page.is_gate() || page.status.as_u16() == 401 => {
            found.fail(
                "clearance",
                "who has paid is sent to the gate again: his cookie is not in the question",
                found.line(Thing::Cookies),
            );
        }
        Ok(page) if page.status.is_server_error() => {
            let seen = format!("who has paid gets {}: the site itself is down", page.status.as_u16());
            found.fail("clearance", seen, "look at the log of the site's own server");
        }
        Ok(page) => {
            found.pass("clearance", format!("it came, it is sent back, and lets in ({})", page.status.as_u16()));
            static_file(found, &page).await;
        }
        Err(error) => {
            found.fail("clearance", format!("who has paid gets no answer: {error}"), found.line(Thing::Cookies));
        }
    }
}

/// Whether the verifier takes us for ourselves.
fn address(found: &mut Examination<'_>, network: Option<&str>) {
    let Some(seen) = network.map(str::to_owned) else {
        return found.skip("address", "this verifier does not say for whom it takes us");
    };
    found.network = Some(seen.clone());
    let own = found.visitor.own_address();
    let is_own = own.is_some_and(|own| ClientNetwork::of(own).to_string() == seen);
    let is_sites = ClientNetwork::of(found.visitor.address).to_string() == seen;
    if is_own {
        return found.pass("address", format!("the verifier takes us for {seen}, which we are"));
    }
    // Behind an address translator our own address is private, and the site sees the translator's.
    let translated = own.is_some_and(is_private) && !is_private(found.visitor.address);
    if translated && !is_sites && !seen.parse::<ipnet::IpNet>().is_ok_and(|network| is_private(network.addr())) {
        return found
            .pass("address", format!("the verifier takes us for {seen}: compare it with what your provider gave you"));
    }
    let own = own.map_or_else(|| "another".to_owned(), |own| ClientNetwork::of(own).to_string());
    found.fail(
        "address",
        format!("the verifier takes us for {seen} and we are {own}: all visitors are one"),
        found.line(Thing::Address),
    );
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// A file that the page loads from the site itself: whether browsers keep it.
async fn static_file(found: &mut Examination<'_>, page: &Answer) {
    let Some(path) = first_file(&String::from_utf8_lossy(&page.body)) else {
        return found.skip("static files", "the page names no file of the site's");
    };
    let cookie = found.clearance.clone().unwrap_or_default();
    match found.visitor.ask(Question::get(&path).cookie(&cookie)).await {
        Ok(file) if !file.status.is_success() => {
            found.skip("static files", format!("{path} answers {}", file.status.as_u16()));
        }
        Ok(file)
            if ["cache-control", "expires", "etag", "last-modified"]
                .iter()
                .any(|name| file.headers.contains_key(*name)) =>
        {
            found.pass("static files", format!("{path} is kept by browsers"));
        }
        Ok(_) => {
            let seen = format!("{path} is fetched anew with each page: nothing says how long it may be kept");
            found.fail("static files", seen, found.line(Thing::StaticFiles));
        }
        Err(error) => found.skip("static files", format!("{path}: {error}")),
    }
}

/// The first style sheet, script or picture with a path on the site itself.
fn first_file(html: &str) -> Option<String> {
    let values = html.split(['"', '\'']).filter(|value| value.starts_with('/') && !value.starts_with("//"));
    let is_file = |value: &&str| {
        let path = value.split(['?', '#']).next().unwrap_or_default();
        [".css", ".js", ".png", ".jpg", ".svg", ".webp"].iter().any(|ending| path.ends_with(ending))
    };
    values.filter(is_file).map(str::to_owned).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A challenge that nobody signed, of `count` sub-puzzles.
    fn challenge(count: u8, difficulty: u32) -> String {
        let mut bytes = [0; CHALLENGE_BYTES];
        bytes[..4].copy_from_slice(&[1, 1, 0, count]);
        bytes[4..8].copy_from_slice(&difficulty.to_be_bytes());
        bytes[12..14].copy_from_slice(&300_u16.to_be_bytes());
        puzzle::encode(&bytes).as_str().to_owned()
    }

    #[tokio::test]
    async fn more_work_than_any_verifier_asks_is_not_done() {
        assert!(solve(&challenge(8, 1)).await.is_ok());
        let endless = solve(&challenge(64, u32::MAX)).await;
        assert!(endless.is_err_and(|why| why.contains("more work")));
    }
}

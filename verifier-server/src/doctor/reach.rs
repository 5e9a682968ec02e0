//! Ways around the gate on the site itself: programs, forms, the web server's own questions.

use super::examination::Examination;
use super::paste::Thing;
use super::visitor::Question;
use crate::setup::TEST_PATH;
use hyper::{Method, StatusCode};

/// What only a web server may ask.
const BESIDE: [&str; 3] =
    ["/.portcullis-beside/check", "/.portcullis-beside/page", "/.portcullis-beside/envoy/robots.txt"];

pub(super) async fn look(found: &mut Examination<'_>) {
    if found.challenge.is_some() {
        programs(found).await;
        forms(found).await;
    } else {
        found.skip("programs", "there is no gate to get around");
    }
    beside(found).await;
}

async fn programs(found: &mut Examination<'_>) {
    // Below the test path: asked about at all times, and nothing of the site's is there.
    for target in [format!("{TEST_PATH}/x.php"), format!("{TEST_PATH}/x.php/y")] {
        match found.get(&target).await {
            Ok(answer) if answer.is_closed() => {}
            Ok(answer) => {
                let seen = format!("{target} answers {} to who has paid nothing: PHP is open", answer.status.as_u16());
                return found.fail("programs", seen, found.line(Thing::Gate));
            }
            Err(error) => return found.skip("programs", error),
        }
    }
    found.pass("programs", "paths that end in .php are gated");
}

async fn forms(found: &mut Examination<'_>) {
    let target = found.gated_target();
    let mut question = Question::get(target);
    (question.method, question.body) =
        (Method::POST, Some(("application/x-www-form-urlencoded", "portcullis=doctor".to_owned())));
    match found.visitor.ask(question).await {
        Ok(answer) if answer.is_closed() => found.pass("forms", "POST is gated"),
        Ok(answer) => {
            let seen = format!("POST is answered {} for who has paid nothing", answer.status.as_u16());
            found.fail("forms", seen, found.line(Thing::Gate));
        }
        Err(error) => found.skip("forms", error),
    }
}

async fn beside(found: &mut Examination<'_>) {
    for target in BESIDE {
        let question = Question::get(target)
            .header("X-Original-URI", "/robots.txt")
            .header("X-Original-Method", "GET")
            .header("X-Forwarded-Uri", "/robots.txt")
            .header("X-Forwarded-Method", "GET");
        match found.visitor.ask(question).await {
            Ok(answer) => {
                let answers = answer.headers.contains_key("portcullis-gate")
                    || answer.headers.contains_key("portcullis-admitted")
                    || matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::UNAUTHORIZED);
                if answers {
                    let seen = format!("{target} answers a stranger ({})", answer.status.as_u16());
                    return found.fail("its questions", seen, found.line(Thing::Beside));
                }
            }
            Err(error) => return found.skip("its questions", error),
        }
    }
    found.pass("its questions", "what only the web server may ask is out of reach");
}

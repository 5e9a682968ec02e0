//! Other ports of the same machine: whether one of them leads around the gate, in plain HTTP or over TLS.

use super::examination::Examination;
use super::paste;
use super::silence::Silence;
use super::visitor::{Answer, Port, Question};
use hyper::StatusCode;

/// Ports at which a site's own server, or the verifier, often listens.
const PORTS: [u16; 5] = [8080, 8081, 8443, 3000, 8000];

/// What a port leads to.
enum Behind {
    /// Nobody, or nobody who speaks HTTP, or a refusal.
    Nothing,
    Gate,
    Site(StatusCode),
    /// It cannot be told.
    Unknown(String),
}

/// The last look: however many ports are named, nothing else goes unasked for them.
pub(super) async fn look(found: &mut Examination<'_>) {
    const NAME: &str = "other ports";
    let visitor = found.visitor;
    let own = visitor.own_address() == Some(visitor.address) || visitor.address.is_loopback();
    if found.ports.is_empty() && own {
        return found.skip(NAME, "this is the machine itself: run it from elsewhere to see what others reach");
    }
    let ports = if found.ports.is_empty() { PORTS.to_vec() } else { found.ports.to_vec() };
    let mut unknown: Vec<(u16, String)> = Vec::new();
    for port in ports.into_iter().filter(|port| *port != visitor.port()) {
        match behind(found, port).await {
            Behind::Nothing => {}
            Behind::Site(status) => {
                let seen = format!("port {port} answers {} without the gate", status.as_u16());
                return found.fail(NAME, seen, paste::port(port));
            }
            Behind::Gate => {
                let seen = format!("the verifier itself listens to strangers on port {port}");
                return found.fail(NAME, seen, paste::verifiers_port(port));
            }
            Behind::Unknown(why) => unknown.push((port, why)),
        }
    }
    match unknown.as_slice() {
        [] => found.pass(NAME, "no usual port leads around the gate"),
        [(_, why), ..] => {
            let ports: Vec<String> = unknown.iter().map(|(port, _)| port.to_string()).collect();
            found.skip(NAME, format!("it is not known where these lead: {} ({why})", ports.join(", ")));
        }
    }
}

async fn behind(found: &Examination<'_>, number: u16) -> Behind {
    let plain = ask(found, Port { number, tls: false }).await;
    // A port of TLS hangs up on plain HTTP, or answers 400.
    let may_be_tls = match &plain {
        Ok(answer) => answer.status == StatusCode::BAD_REQUEST,
        Err(silence) => matches!(silence, Silence::HungUp(_)),
    };
    let answer = if may_be_tls { ask(found, Port { number, tls: true }).await } else { plain };
    match answer {
        Ok(answer) if answer.is_gate() => Behind::Gate,
        Ok(answer) if answer.leads_in() => Behind::Site(answer.status),
        Ok(answer) if answer.is_closed() => Behind::Nothing,
        // Somebody is there, and may answer more for another path.
        Ok(answer) => Behind::Unknown(format!("it answers {} for one path", answer.status.as_u16())),
        Err(silence) if silence.is_closed() => Behind::Nothing,
        Err(silence) => Behind::Unknown(silence.to_string()),
    }
}

async fn ask(found: &Examination<'_>, port: Port) -> Result<Answer, Silence> {
    let mut question = Question::get(found.gated_target());
    question.elsewhere = Some(port);
    found.visitor.ask(question).await
}

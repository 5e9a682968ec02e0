//! The second algorithm over HTTP: who gets a challenge of it, and what a solution of it buys.

use serde_json::Value;
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::verifier::Verifier;

const HASHWX: u8 = 2;

fn verifier(origin: &Origin, enabled: bool) -> Verifier {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 1000)
        .set("challenge.hashwx.enabled", enabled)
        .set("challenge.hashwx.rate", 100);
    Verifier::start(settings.site("main", &[], Some(&origin.url())))
}

fn asked(client: &Client, algorithms: &str) -> (u16, Value) {
    let reply = client.get(&format!("/.portcullis/challenge?for=%2F{algorithms}"));
    (reply.status, reply.json())
}

#[test]
fn a_challenge_is_of_an_algorithm_that_the_client_can_do() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin, true);
    let client = verifier.client("localhost");
    for (said, algorithm) in [
        ("", "sha256"),
        ("&algorithms=sha256", "sha256"),
        ("&algorithms=sha256,hashwx", "hashwx"),
        ("&algorithms=blake3,hashwx", "hashwx"),
    ] {
        let (status, challenge) = asked(&client, said);
        assert_eq!((status, challenge["algorithm"].as_str()), (200, Some(algorithm)), "{said}");
        // 8,000 attempts of the one are 80 of the other.
        let (count, difficulty) = if algorithm == "hashwx" { (4, 20) } else { (8, 1000) };
        assert_eq!((challenge["count"].as_u64(), challenge["difficulty"].as_u64()), (Some(count), Some(difficulty)));
    }
    let (status, problem) = asked(&client, "&algorithms=blake3");
    assert_eq!((status, problem["code"].as_str()), (400, Some("malformed")));
}

#[test]
fn a_page_carries_it_and_what_programs_get_does_not() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin, true);
    let client = verifier.client("localhost");
    let algorithm = |reply: &tests::reply::Reply| {
        let text = reply.header("portcullis-challenge").unwrap();
        data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()[1]
    };
    assert_eq!(algorithm(&client.navigate("/")), HASHWX);
    assert_eq!(algorithm(&client.get("/")), 1);
}

#[test]
fn the_command_line_and_the_python_client_solve_it() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin, true);
    let url = format!("http://127.0.0.1:{}/", verifier.port);
    let solved = verifier.command(&["solve", &url]);
    let cookie = String::from_utf8(solved.stdout).unwrap();
    assert!(solved.status.success() && cookie.starts_with("portcullis="), "{cookie}");
    let reply = verifier.client("localhost").request("GET", "/").cookie(cookie.trim()).send();
    assert_eq!(reply.status, 200);

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/portcullis_client.py");
    let output =
        std::process::Command::new("python3").args([script, "get", "--algorithms", "hashwx", &url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("200 OK"), "{output:?}");
}

#[test]
fn where_it_is_not_offered_nobody_gets_it() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin, false);
    let client = verifier.client("localhost");
    let (_, challenge) = asked(&client, "&algorithms=sha256,hashwx");
    assert_eq!(challenge["algorithm"], "sha256");
    let (status, _) = asked(&client, "&algorithms=hashwx");
    assert_eq!(status, 400);
}

#[test]
fn solutions_that_only_have_their_guard_are_refused_and_requests_go_on() {
    let origin = Origin::start("main");
    let verifier = verifier(&origin, true);
    let client = verifier.client("localhost");
    let text = asked(&client, "&algorithms=hashwx").1["challenge"].as_str().unwrap().to_owned();
    let challenge = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let bogus = |number: u64| {
        let mut bytes: Vec<u8> = (0..4).flat_map(|index| (number * 4 + index).to_be_bytes()).collect();
        let guard = (0..u64::MAX).find(|guard| guards(&challenge, &bytes, *guard)).unwrap();
        bytes.extend(guard.to_be_bytes());
        let solution = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        serde_json::json!({ "challenge": text, "solution": solution }).to_string()
    };
    let send = |body: &str| client.request("POST", "/.portcullis/verify").body("application/json", body).send();
    let bodies: Vec<String> = (0..16).map(bogus).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for body in bodies.iter().cycle().take(64) {
                    let reply = send(body);
                    let code = reply.json()["code"].clone();
                    assert!(code == "unsolved" || code == "busy", "{code}");
                    assert_eq!(reply.json()["algorithm"], "hashwx", "the next challenge is one it can do");
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(client.get("/.portcullis/challenge").status, 200);
        }
    });
}

fn guards(challenge: &[u8], nonces: &[u8], guard: u64) -> bool {
    use sha2::{Digest as _, Sha256};
    let digest =
        Sha256::new().chain_update(challenge).chain_update(nonces).chain_update(guard.to_be_bytes()).finalize();
    digest[0] == 0 && digest[1] < 16
}

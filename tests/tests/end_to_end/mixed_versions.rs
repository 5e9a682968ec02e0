//! Two verifiers of different versions behind one balancer, as while one after the other is upgraded.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tests::browser::Browser;
use tests::client::Client;
use tests::origin::Origin;
use tests::ports;
use tests::process::Process;
use tests::relay::Relay;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::{Unit, Verifier, another_binary};
use tests::wait::{SOON, until_true};

const DEFAULTS: &str = "\
defaults
    mode http
    option forwardfor
    timeout connect 5s
    timeout client 1m
    timeout server 1m
";

/// What comes to `port`: pages and endpoints go to one verifier, what browsers load to both in turn.
fn front(port: u16, verifier: u16) -> String {
    format!(
        "\
frontend by_{port}
    bind 127.0.0.1:{port}
    http-request set-header X-Forwarded-Proto http
    use_backend files if {{ path_reg ^/\\.portcullis/[a-z0-9-]+\\.[0-9a-f]{{16}}\\. }}
    default_backend to_{verifier}
backend to_{verifier}
    balance source
    hash-type consistent
    server one 127.0.0.1:{verifier}
"
    )
}

/// HAProxy before both verifiers, with a port for the visitors whom the hash of their address leads to the one, and another.
struct Balancer {
    _process: Process,
    _folder: TempDir,
    /// The ports whose pages are of the first verifier, and of the second.
    ports: [u16; 2],
}

impl Balancer {
    fn start(verifiers: [u16; 2]) -> Self {
        let folder = TempDir::with_prefix("portcullis-balancer-").unwrap();
        let ports = [ports::free(), ports::free()];
        let [first, second] = verifiers;
        let fronts = [(ports[0], first), (ports[1], second)].map(|(port, verifier)| front(port, verifier));
        let files = format!(
            "backend files\n    balance roundrobin\n    server a 127.0.0.1:{first}\n    server b 127.0.0.1:{second}\n"
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, [DEFAULTS, &fronts.concat(), &files].concat()).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(&file);
        let process = Process::start(&mut command, &folder.path().join("haproxy.log"));
        let balancer = Self { _process: process, _folder: folder, ports };
        for port in ports {
            until_true(SOON, "HAProxy to listen", || Client::new(port, HOST).connect().is_ok());
        }
        balancer
    }
}

fn settings(origin: &Origin, secret: Option<&Path>) -> Settings {
    let settings = Settings::new()
        .set("challenge.difficulty", 20_000)
        .set("verifiers", 2)
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .site("main", &[HOST], Some(&origin.url()));
    match secret {
        Some(secret) => settings.set("secret_file", secret.display().to_string()),
        None => settings,
    }
}

#[test]
fn a_page_of_one_version_whose_files_are_asked_of_another_still_gets_in() {
    let origin = Origin::start("main");
    let old = Verifier::start_in(
        Unit { binary: Some(another_binary()), ..Unit::default() },
        settings(&origin, None),
        ports::free(),
    );
    let new = Verifier::start(settings(&origin, Some(&old.directory().join("portcullis.secret"))));
    let balancer = Balancer::start([old.port, new.port]);
    for port in balancer.ports {
        let relay = Relay::start(port);
        let browser = Browser::start();
        browser.open(&format!("http://{HOST}:{}/page/1", relay.port));
        assert_eq!(browser.wait_for_origin(SOON), "/page/1");
        let requests = relay.requests();
        assert!(requests.iter().any(|line| line.contains("?again=1")), "a file was asked of the other: {requests:?}");
        assert_eq!(relay.count("POST /.portcullis/verify"), 1, "{requests:?}");
        let complaints = browser.log().into_iter().filter(|line| !line.contains("429")).collect::<Vec<_>>();
        assert_eq!(complaints, [""; 0]);
        // Nothing is led round for ever, and nothing else is led round at all.
        let client = Client::new(port, HOST);
        let led = |target: &str| {
            let reply = client.get(target);
            (reply.status, reply.header("location").map(str::to_owned))
        };
        let unknown = "gate-en.0123456789abcdef.js";
        let next = Some(format!("{unknown}?again=1"));
        assert_eq!(led(&format!("/.portcullis/{unknown}")), (307, next));
        assert_eq!(led(&format!("/.portcullis/{unknown}?again=16")), (404, None));
        assert_eq!(led("/.portcullis/unknown.js"), (404, None));
    }
}

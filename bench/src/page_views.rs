//! Page views through nginx: what asking before each costs, and what the verifier adds to that.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tests::client::Client;
use tests::ports;
use tests::process::Process;
use tests::settings::Settings;
use tests::verifier::Verifier;
use tests::visitor;
use tests::wait::{SOON, until_true};

use crate::check_cpu::bare;
use crate::load::{CONNECTIONS, Load};
use crate::priority::{stay_on, two_cores};
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// Page views in a round, of each kind.
const PER_ROUND: u32 = 20_000;
/// Page views before anything is measured.
const BEFOREHAND: u32 = 10_000;
/// The most that a clearance can hold; a run spends less.
const CREDITS: u32 = 1_000_000;
const HOST: &str = "portcullis.test";
/// Bytes of the page: a small one, so that what is measured is not copying.
const PAGE_BYTES: usize = 8 * 1024;
/// Part of the bare one's page views that are to be left.
const AIM: f64 = 0.8;

/// Measures all three, in turns.
pub(crate) fn measure() -> anyhow::Result<Table> {
    let [servers, asking] = two_cores()?;
    stay_on(&servers)?;
    let folder = TempDir::with_prefix("portcullis-bench-nginx-")?;
    let verifier = verifier();
    let (bare, bare_port) = bare(&folder)?;
    let ports = [ports::free(), ports::free(), ports::free()];
    let nginx = nginx(folder.path(), ports, verifier.port, bare_port)?;
    stay_on(&asking)?;

    let client = Client::new(ports[2], HOST);
    until_true(SOON, "nginx to listen", || client.connect().is_ok());
    let cookie = visitor::buy(&client);
    let before = visitor::credits(&client, &cookie, "").context("the clearance is spent")?;
    let head = head(&cookie);
    let mut loads = Vec::new();
    for port in ports {
        loads.push(Load::open(port, &head, 200)?);
    }
    for load in &mut loads {
        load.ask(BEFOREHAND)?;
    }
    let (mut samples, mut charged): ([Sample; 3], u32) = (Default::default(), BEFOREHAND);
    for round in 0..ROUNDS {
        for turn in 0..loads.len() {
            let kind = (turn + round) % loads.len();
            let begun = Instant::now();
            let views = loads[kind].ask(PER_ROUND)?;
            samples[kind].add(f64::from(views) / begun.elapsed().as_secs_f64());
            charged += if kind == 2 { views } else { 0 };
        }
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    let after = visitor::credits(&client, &cookie, "").context("the clearance is spent")?;
    let paid = before - after;
    ensure!(
        (paid - f64::from(charged)).abs() < 1.0,
        "{charged} page views cost {paid} credits, but each is to be charged"
    );
    drop((nginx, bare));
    Ok(table(&samples))
}

fn table([alone, bare, gated]: &[Sample; 3]) -> Table {
    let row = |name: &str, value: &Sample, aim| Row {
        name: name.to_owned(),
        value: value.clone(),
        ratio: Some(value.over(bare)),
        aim,
    };
    Table {
        title: "Page views through nginx".to_owned(),
        method: format!(
            "A static page of {} KiB over {CONNECTIONS} kept connections on loopback, {PER_ROUND} a round of each kind in turn. \
             nginx (one worker), the verifier and the yardstick share one core, whoever asks has the other. In the middle row \
             nginx runs under the same recipe, and a server that does nothing but speak HTTP answers it 204; in the last row \
             every page view is paid for by a clearance.",
            PAGE_BYTES / 1024
        ),
        unit: "page views/s",
        ratio: Some("× yardstick"),
        rows: vec![
            row("the file alone", alone, None),
            row("yardstick: behind `auth_request`, hyper, always 204", bare, None),
            row("behind `auth_request`, Portcullis, paid for", gated, Some(Aim::RatioAtLeast(AIM))),
        ],
    }
}

fn verifier() -> Verifier {
    let settings = Settings::new()
        .set("beside", "nginx")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("clearance.credits", i64::from(CREDITS))
        .site("main", &[HOST], None);
    Verifier::start(settings)
}

/// One nginx with one worker and three servers: without any question, asking the yardstick, asking the verifier.
fn nginx(folder: &Path, ports: [u16; 3], verifier: u16, bare: u16) -> anyhow::Result<Process> {
    // The worker is another user when this runs as root.
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::write(folder.join("page.html"), vec![b'p'; PAGE_BYTES])?;
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nginx");
    let http = fs::read_to_string(recipe.join("portcullis.conf"))?;
    let server = fs::read_to_string(recipe.join("portcullis-server.conf"))?;
    let asked =
        http.lines().find(|line| line.trim_start().starts_with("server ")).context("the recipe has an address")?;
    let at = |port: u16| http.replace(asked, &format!("    server 127.0.0.1:{port};"));
    fs::write(folder.join("portcullis.conf"), at(verifier))?;
    // The yardstick's upstream has every line of the verifier's.
    let text = at(bare);
    let begin = text.find("upstream portcullis").context("the recipe has an upstream")?;
    let (block, _) = text[begin..].split_once('}').context("the upstream ends")?;
    fs::write(folder.join("bare.conf"), block.replacen("portcullis", "bare", 1) + "}\n")?;
    fs::write(folder.join("portcullis-server.conf"), &server)?;
    fs::write(folder.join("bare-server.conf"), server.replace("http://portcullis;", "http://bare;"))?;
    fs::write(folder.join("nginx.conf"), whole(folder, ports))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-e").arg(folder.join("error.log")).arg("-c").arg(folder.join("nginx.conf"));
    Ok(Process::start(&mut command, &folder.join("nginx.log")))
}

fn whole(folder: &Path, [alone, bare, gated]: [u16; 3]) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {folder}/{name};\n"))
        .concat();
    let server = |port: u16, include: &str| {
        format!(
            "    server {{\n        listen 127.0.0.1:{port};\n        server_name {HOST};\n        root {folder};\n\
             keepalive_requests 10000000;\n        {include}\n    }}\n"
        )
    };
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nevents {{ worker_connections 2048; }}\n\
         http {{\n{temporary}    access_log off;\n    types {{ text/html html; }}\n\
         include {folder}/portcullis.conf;\n    include {folder}/bare.conf;\n{}{}{}}}\n",
        server(alone, ""),
        server(bare, &format!("include {folder}/bare-server.conf;")),
        server(gated, &format!("include {folder}/portcullis-server.conf;")),
    )
}

/// A page view as a browser sends it; its id is for whoever counts requests.
fn head(cookie: &str) -> String {
    format!(
        "GET /page.html?{{id}} HTTP/1.1\r\nHost: {HOST}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
         Accept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n\
         Upgrade-Insecure-Requests: 1\r\nCookie: {cookie}\r\n\r\n"
    )
}

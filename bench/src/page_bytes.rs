//! What a first visit loads: the challenge page and everything it names, as the verifier sends it.

use anyhow::{Context as _, ensure};
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::verifier::Verifier;

use crate::sample::Sample;
use crate::table::{Aim, Row, Table};
use crate::workspace::{asset, assets};

const BASE: &str = "/.portcullis/";
const HOST: &str = "portcullis.test";
/// 20 KiB.
const TOTAL_BYTES_MAX: f64 = 20.0 * 1024.0;

/// Loads the page and what belongs to it, compressed and not.
pub(crate) fn measure() -> anyhow::Result<Table> {
    // The default terms, and an origin that nobody reaches.
    let settings = Settings::new().set("challenge.count", 8).set("challenge.difficulty", 32_768).site(
        "main",
        &[],
        Some("http://127.0.0.1:9"),
    );
    let verifier = Verifier::start(settings);
    let client = verifier.client(HOST);

    let page = load(&client, "/", 429, false)?;
    let text = String::from_utf8(page.body).context("the page is UTF-8")?;
    let mut paths: Vec<String> = text.split('"').filter(|value| value.starts_with(BASE)).map(str::to_owned).collect();
    let assets = assets()?;
    let solver = &asset(&assets, "solver-simd.wasm")?.served;
    paths.push(format!("{BASE}{solver}"));
    ensure!(paths.len() >= 3, "the page names no script and style: {text}");

    let mut rows = Vec::new();
    let mut total = [0, 0];
    for (path, status) in [("/", 429)].into_iter().chain(paths.iter().map(|path| (path.as_str(), 200))) {
        let plain = load(&client, path, status, false)?;
        let sent = load(&client, path, status, true)?;
        let bytes = [sent.body.len(), plain.body.len()];
        total = [total[0] + bytes[0], total[1] + bytes[1]];
        let name = if path == "/" { "challenge page" } else { path.trim_start_matches(BASE) };
        let how = sent.header("content-encoding").unwrap_or("as it is");
        rows.push(row(&format!("{name} ({how})"), bytes, None)?);
    }
    rows.push(row("a first visit", total, Some(Aim::AtMost(TOTAL_BYTES_MAX)))?);
    Ok(Table {
        title: "Bytes of a first visit".to_owned(),
        method:
            "Bodies as the release binary sends them to a browser that takes gzip and no more: the page, what it names, and the \
                 solver that a browser with SIMD picks. The ratio is to the same bodies uncompressed."
                .to_owned(),
        unit: "bytes sent",
        ratio: Some("× uncompressed"),
        rows,
    })
}

fn load(client: &Client, path: &str, status: u16, gzip: bool) -> anyhow::Result<Reply> {
    let request = client.request("GET", path).header("Accept", "text/html,*/*;q=0.8");
    let request = if gzip { request.header("Accept-Encoding", "gzip") } else { request };
    let reply = request.try_send()?;
    ensure!(reply.status == status, "{path} answers {}", reply.status);
    Ok(reply)
}

fn row(name: &str, bytes: [usize; 2], aim: Option<Aim>) -> anyhow::Result<Row> {
    let [sent, plain] = [u32::try_from(bytes[0])?, u32::try_from(bytes[1])?].map(f64::from);
    let one = |value: f64| [value].into_iter().collect::<Sample>();
    Ok(Row { name: name.to_owned(), value: one(sent), ratio: Some(one(sent / plain)), aim })
}

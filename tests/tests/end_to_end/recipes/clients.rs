//! Programs: uploads, ranges, git, feeds, WebSockets, event streams and HTTP/2, through each web server.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::client::Client;
use tests::live;
use tests::recipes::{Failure, Recipe, Server};
use tests::stage::HOST;
use tests::verifier::Unit;
use tests::visitor::buy;

const UPLOAD_BYTES: usize = 10 * 1024 * 1024;

pub(super) fn programs_get_their_bytes_untouched(server: Server) {
    let recipe = Recipe::start_with(server, Failure::Closed, Unit::default(), |settings| {
        settings.rule("path = [\"/files/repository.git/**\", \"/feed.xml\"]\naction = \"allow\"")
    });
    let folder = recipe.folder().join("files");
    fs::create_dir_all(&folder).unwrap();
    recipe.origin.offer(&folder);
    let cookie = buy(&recipe.client());
    uploads(&recipe, &folder, &cookie);
    ranges(&recipe, &folder, &cookie);
    clones(&recipe, &folder);
    assert!(curl(&recipe, &["--user-agent", "Feedly/1.0"], "/feed.xml").contains("<rss"));
    http_2(&recipe, &cookie);
    websocket(&recipe.client(), &cookie);
    live::events(&recipe.client(), &cookie).unwrap();
}

fn uploads(recipe: &Recipe, folder: &Path, cookie: &str) {
    let file = folder.join("upload.bin");
    fs::write(&file, vec![b'x'; UPLOAD_BYTES]).unwrap();
    let data = format!("@{}", file.display());
    let paid = format!("Cookie: {cookie}");
    assert_eq!(curl(recipe, &["--header", &paid, "--data-binary", &data], "/upload"), UPLOAD_BYTES.to_string());
    let put = curl(recipe, &["--header", &paid, "--upload-file", &file.display().to_string()], "/upload");
    assert_eq!(put, UPLOAD_BYTES.to_string());
    let uploaded = recipe.origin.uploaded();
    assert_eq!(status(recipe, &["--data-binary", &data], "/upload"), "429");
    assert_eq!(recipe.origin.uploaded(), uploaded, "nothing of an unpaid upload reaches the site");
}

fn ranges(recipe: &Recipe, folder: &Path, cookie: &str) {
    fs::write(folder.join("alphabet"), "abcdefghijklmnopqrstuvwxyz").unwrap();
    let paid = format!("Cookie: {cookie}");
    let range = ["--header", &paid, "--range", "3-6"];
    assert_eq!(curl(recipe, &range, "/files/alphabet"), "defg");
    assert_eq!(status(recipe, &range, "/files/alphabet"), "206");
}

/// A repository as a plain web server offers it, cloned by git.
fn clones(recipe: &Recipe, folder: &Path) {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(folder).env("GIT_TERMINAL_PROMPT", "0").env("HOME", folder);
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        let output = command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet", "work"]);
    git(&["-C", "work", "commit", "--quiet", "--allow-empty", "--message", "first"]);
    git(&["clone", "--quiet", "--bare", "work", "repository.git"]);
    git(&["-C", "repository.git", "update-server-info"]);
    let resolve = format!("http.curloptResolve={HOST}:{}:127.0.0.1", recipe.port);
    git(&["-c", &resolve, "clone", "--quiet", &recipe.url("/files/repository.git"), "cloned"]);
    assert!(folder.join("cloned/.git/HEAD").exists());
}

fn http_2(recipe: &Recipe, cookie: &str) {
    let over = |more: &[&str]| {
        let url = format!("http://{HOST}:{}/page/2", recipe.h2_port);
        let told = ["--http2-prior-knowledge", "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}"];
        output(recipe.h2_port, &[&told[..], more].concat(), &url)
    };
    assert_eq!(over(&[]), "2 429");
    assert_eq!(over(&["--header", &format!("Cookie: {cookie}")]), "2 200");
    // Browsers split cookies into several lines over HTTP/2.
    assert_eq!(over(&["--header", "Cookie: a=1", "--header", &format!("Cookie: {cookie}")]), "2 200");
}

fn websocket(client: &Client, cookie: &str) {
    assert_eq!(live::websocket(client, "a=1").unwrap_err().status, 429);
    let (mut connection, _) = live::websocket(client, cookie).unwrap();
    live::echoes(&mut connection);
}

fn curl(recipe: &Recipe, more: &[&str], target: &str) -> String {
    output(recipe.port, more, &recipe.url(target))
}

fn status(recipe: &Recipe, more: &[&str], target: &str) -> String {
    let told = ["--output", "/dev/null", "--write-out", "%{http_code}"];
    output(recipe.port, &[&told[..], more].concat(), &recipe.url(target))
}

fn output(port: u16, more: &[&str], url: &str) -> String {
    let resolve = format!("{HOST}:{port}:127.0.0.1");
    let fixed = ["--silent", "--show-error", "--noproxy", "*", "--max-time", "30", "--resolve", &resolve];
    let output = Command::new("curl").args(fixed).args(more).arg(url).output().unwrap();
    assert!(output.status.success(), "curl {more:?} {url}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

//! Caddyfiles as they are found: what answers goes behind the gate and comes back, or is refused with file and line.

use tests::machine::Machine;
use tests::recipes::shipped;
use tests::settings::Settings;
use tests::visitor::buy;

use super::{comes_and_goes, is_refused, said};

fn machine(caddyfile: &str, files: &[(&str, &str)]) -> Machine {
    let settings = Settings::from_text(&shipped("caddy", "portcullis.toml")).of_site("hosts", Vec::<String>::new());
    let text = format!("{{\n\tadmin localhost:OTHER\n\tauto_https off\n}}\n{caddyfile}");
    let mut all = vec![("Caddyfile", text.as_str()), ("../www/index.html", "the site\n")];
    all.extend(files);
    Machine::new("caddy", "Caddyfile", settings, &all)
}

#[test]
fn a_site_with_a_snippet_and_handles_of_its_own() {
    let text = "\n(common) {\n\tencode gzip\n\theader X-Site yes\n}\n\nhttp://a.test:PORT, http://www.a.test:PORT {\n\tlog {\n\t\toutput discard\n\t}\n\
        \timport common\n\t@api path /api/*\n\thandle @api {\n\t\trespond \"api\"\n\t}\n\thandle {\n\t\troot * FOLDER/www\n\t\tfile_server\n\t}\n}\n";
    let machine = machine(text, &[]).serving();
    comes_and_goes(&machine, &["a.test", "www.a.test"]);
    said(&machine.setup(&["--apply"]));
    let client = machine.client("a.test");
    client.navigate("/api/x").expect_status(429);
    let visitor = client.with("Cookie", &buy(&client));
    assert_eq!(visitor.get("/api/x").text(), "api");
    let page = visitor.get("/");
    assert_eq!((page.text().as_str(), page.header("x-site")), ("the site\n", Some("yes")));
    said(&machine.setup(&["--remove"]));
}

#[test]
fn sites_in_files_of_their_own() {
    let site = |name: &str| format!("http://{name}:PORT {{\n\troot * FOLDER/www\n\tfile_server\n}}\n");
    let redirect = "http://old.test:PORT {\n\tredir http://a.test{uri}\n}";
    let files = [("sites/a", site("a.test")), ("sites/b", site("b.test")), ("sites/old", redirect.to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    comes_and_goes(&machine("import sites/*\n", &files).serving(), &["a.test", "b.test"]);
}

#[test]
fn what_is_not_understood_is_refused_with_file_and_line() {
    for (text, words) in [
        ("http://a.test:PORT\nrespond yes\n", ["Caddyfile:5", "braces"]),
        ("http://a.test:PORT {\n\timport nowhere\n}\n", ["Caddyfile:6", "no snippet"]),
        (
            "http://a.test:PORT {\n\trespond /x a\n\tbind 127.0.0.1\n\trespond b\n}\n",
            ["Caddyfile:8", "belongs to the site itself"],
        ),
        (
            "(mixed) {\n\tbind 127.0.0.1\n\trespond a\n}\nhttp://a.test:PORT {\n\timport mixed\n}\n",
            ["Caddyfile:10", "mixed"],
        ),
        (
            "http://a.test:PORT {\n\trespond a\n\thandle_errors {\n\t\treverse_proxy localhost:9\n\t}\n}\n",
            ["Caddyfile:7", "let every request reach the site"],
        ),
    ] {
        is_refused(&machine(text, &[]), &words);
    }
}

#[test]
fn a_host_that_the_verifier_does_not_know_is_refused() {
    let settings = Settings::from_text(&shipped("caddy", "portcullis.toml")).of_site("hosts", vec!["b.test"]);
    let text = "http://b.test:PORT, http://a.test:PORT {\n\trespond yes\n}\n";
    let machine = Machine::new("caddy", "Caddyfile", settings, &[("Caddyfile", text)]);
    is_refused(&machine, &["portcullis.toml:1", "no site for the host a.test"]);
}

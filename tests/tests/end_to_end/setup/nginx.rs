//! Configurations of nginx as they are found: each comes out as it went in, or is refused with file and line.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::machine::Machine;
use tests::recipes::shipped;
use tests::settings::Settings;
use tests::visitor::buy;

use super::{answers, comes_and_goes, is_refused, refused, said, same, shows_in_one_server};

/// Debian's own, with paths of the test.
pub(crate) const DEBIAN_MAIN: &str = "user www-data;\nworker_processes 1;\npid FOLDER/nginx.pid;\nerror_log FOLDER/error.log;\n\
    include FOLDER/etc/modules-enabled/*.conf;\n\nevents {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n\nhttp {\n\n\t##\n\t# Basic Settings\n\t##\n\n\
    \tsendfile on;\n\ttypes_hash_max_size 2048;\n\tinclude /etc/nginx/mime.types;\n\tdefault_type application/octet-stream;\n\n\
    \taccess_log FOLDER/access.log;\n\tgzip on;\n\n\tinclude FOLDER/etc/conf.d/*.conf;\n\tinclude FOLDER/etc/sites-enabled/*;\n}\n";

/// Debian's default site.
const DEFAULT: &str = "# Default server configuration\n#\nserver {\n\tlisten PORT default_server;\n\tlisten [::]:PORT default_server;\n\n\
    \troot FOLDER/www;\n\n\tindex index.html index.htm index.nginx-debian.html;\n\n\tserver_name _;\n\n\tlocation / {\n\
    \t\ttry_files $uri $uri/ =404;\n\t}\n\n\t# pass PHP scripts to FastCGI server\n\t#\n\t#location ~ \\.php$ {\n\t#}\n}\n";

pub(super) fn settings() -> Settings {
    let log = tests::ports::free();
    Settings::from_text(&shipped("nginx", "portcullis.toml"))
        .set("access_log", format!("127.0.0.1:{log}"))
        .of_site("hosts", Vec::<String>::new())
}

/// Debian's layout with these files below `etc` besides.
pub(super) fn debian(files: &[(&str, &str)]) -> Machine {
    let mut all =
        vec![("nginx.conf", DEBIAN_MAIN), ("conf.d/own.conf", "# mine\n"), ("../www/index.html", "the site\n")];
    all.extend(files);
    Machine::new("nginx", "nginx.conf", settings(), &all)
}

#[test]
fn debians_default_site() {
    let machine = debian(&[
        ("sites-available/default", DEFAULT),
        ("sites-enabled/default", "-> FOLDER/etc/sites-available/default"),
    ]);
    let machine = machine.serving();
    comes_and_goes(&machine, &["anything.test"]);
}

#[test]
fn modes_links_and_what_others_write_meanwhile_stay() {
    let machine =
        debian(&[("sites-available/default", DEFAULT), ("sites-enabled/default", "-> ../sites-available/default")])
            .serving();
    let site = machine.path("sites-available/default");
    fs::set_permissions(&site, PermissionsExt::from_mode(0o640)).unwrap();
    let before = machine.files();
    said(&machine.setup(&["--apply"]));
    assert_eq!(
        fs::read_link(machine.path("sites-enabled/default")).unwrap(),
        site.strip_prefix(machine.path("")).map(|path| std::path::Path::new("..").join(path)).unwrap()
    );
    assert_eq!(fs::metadata(&site).unwrap().permissions().mode() & 0o7777, 0o640);
    let with_ours = fs::read_to_string(&site).unwrap();
    fs::write(&site, with_ours.replace("index.html", "index.php index.html")).unwrap();
    said(&machine.setup(&["--remove"]));
    let own = fs::read_to_string(&site).unwrap();
    assert_eq!(own.replace("index.php index.html", "index.html").into_bytes(), before[&site].2);
    assert!(own.contains("index.php index.html"));
}

#[test]
fn several_sites_with_pages_of_errors_and_logs_of_their_own() {
    let shop = "server {\n    listen PORT;\n    server_name shop.test www.shop.test;\n    root FOLDER/www;\n    access_log FOLDER/shop.log;\n\
        \x20   error_page 404 /404.html;\n    location = /404.html { internal; }\n    location /api/ {\n        error_page 500 502 /down.html;\n\
        \x20       try_files $uri =404;\n    }\n    location = /favicon.ico { access_log off; log_not_found off; }\n}\n\
        server { listen PORT; server_name old.test; return 301 http://shop.test$request_uri; }\n";
    let news = "server { listen PORT; server_name news.test; root FOLDER/www; location ~ \\.cgi$ { return 404; } }\n";
    let machine = debian(&[("sites-enabled/shop", shop), ("sites-enabled/news", news)]).serving();
    comes_and_goes(&machine, &["shop.test", "www.shop.test", "news.test"]);
    said(&machine.setup(&["--apply"]));
    let text = fs::read_to_string(machine.path("sites-enabled/shop")).unwrap();
    assert_eq!(text.matches("error_page 401 = @portcullis_gate;").count(), 1, "{text}");
    assert_eq!(text.matches("if=$portcullis_admitted;").count(), 2, "{text}");
    assert!(!text.contains("access_log off"), "{text}");
    assert_eq!(text.matches("portcullis-server.conf").count(), 1, "the one that redirects is left alone: {text}");
    said(&machine.verifier.command(&["mode", "on"]));
    let client = machine.client("shop.test");
    client.navigate("/api/x").expect_status(429);
    machine.client("old.test").get("/").expect_status(301);
    let visitor = client.with("Cookie", &buy(&client));
    assert_eq!(visitor.get("/").text(), "the site\n");
    visitor.get("/api/x").expect_status(404);
    assert!(fs::read_to_string(machine.folder().join("shop.log")).unwrap().contains("GET / "), "its own log goes on");
    said(&machine.setup(&["--remove"]));
}

#[test]
fn only_one_of_them_where_that_was_chosen() {
    let site = |name: &str| format!("server {{\n    listen PORT;\n    server_name {name};\n    root FOLDER/www;\n}}\n");
    let taken = site("taken.test").replace("root", "auth_request /sso;\n    root");
    let machine = debian(&[("sites-enabled/a", &site("a.test")), ("sites-enabled/b", &taken)]).serving();
    is_refused(&machine, &["sites-enabled/b:4", "asks somebody else"]);
    let before = machine.files();
    said(&machine.setup(&["--apply", "--site", "a.test"]));
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    said(&machine.setup(&["--remove"]));
    super::same(&machine, &before);
}

#[test]
fn where_its_name_leads_is_asked_too() {
    // A name that is an address, to which another server answers than the site: as behind a load balancer, or a CDN.
    let site = "server {\n    listen 127.0.0.1:PORT;\n    server_name 127.8.8.8;\n    root FOLDER/www;\n}\n";
    let front = |lines: &str| format!("{site}server {{\n    listen 127.8.8.8:PORT;\n    {lines}\n}}\n");
    let passes_on = front("location / { proxy_pass http://127.0.0.1:PORT; proxy_set_header Host $http_host; }");
    let elsewhere = front("location / { root FOLDER/elsewhere; }");
    for (sites, seen) in [
        (passes_on, "the gate is also seen at 127.8.8.8:"),
        (elsewhere, "the gate is NOT seen at 127.8.8.8:"),
        (site.to_owned(), "the gate is NOT seen at 127.8.8.8:"),
    ] {
        let machine = debian(&[("sites-enabled/site", &sites)]).serving();
        let before = machine.files();
        let told = said(&machine.setup(&["--apply", "--site", "127.8.8.8"]));
        assert!(told.contains("The gate is in place: 1 of 1") && told.contains(seen), "{told}");
        assert_eq!(told.contains("portcullis doctor --calm http://127.8.8.8/"), seen.contains("NOT"), "{told}");
        answers(&machine, "127.8.8.8", "GET", "/portcullis-test", 429);
        said(&machine.setup(&["--remove"]));
        super::same(&machine, &before);
    }
}

#[test]
fn a_name_that_leads_to_the_machine_itself_is_not_asked_twice_and_one_that_leads_nowhere_is_said() {
    let site = |name: &str| format!("server {{\n    listen PORT;\n    server_name {name};\n    root FOLDER/www;\n}}\n");
    let sites = site("127.0.0.1") + &site("nobody.invalid");
    let told = said(&debian(&[("sites-enabled/site", &sites)]).serving().setup(&["--apply"]));
    assert!(told.contains("nobody.invalid: its name leads nowhere from here"), "{told}");
    assert!(told.contains("2 of 2 servers") && !told.contains("note        127.0.0.1"), "{told}");
}

#[test]
fn a_file_that_a_server_without_the_gate_includes_too_is_refused() {
    let site = |name: &str, line: &str| {
        format!("server {{\n    listen PORT;\n    server_name {name};\n    {line}\n    include shared;\n}}\n")
    };
    let sites = site("a.test", "root FOLDER/www;") + &site("b.test", "return 204;");
    let files = [("sites-enabled/site", sites.as_str()), ("shared", "location /x/ {\n    error_page 404 /y;\n}\n")];
    is_refused(&debian(&files), &["shared:2", "not gated"]);
}

#[test]
fn ipv6_only() {
    let site = "server {\n  listen [::1]:OTHER ipv6only=on default_server;\n  root FOLDER/www;\n}\nserver {\n  listen PORT;\n  return 204;\n}\n";
    let machine = debian(&[("sites-enabled/site", site)]).serving();
    shows_in_one_server(&machine);
}

#[test]
fn includes_inside_includes() {
    let machine = debian(&[
        (
            "sites-enabled/site",
            "server {\n    listen PORT;\n    server_name a.test;\n    include snippets/all.conf;\n}\n",
        ),
        ("snippets/all.conf", "root FOLDER/www;\ninclude snippets/errors-*.conf;\n"),
        ("snippets/errors-1.conf", "location /x/ {\n\terror_page 404 = /index.html;\n}\n"),
    ])
    .serving();
    comes_and_goes(&machine, &["a.test"]);
}

#[test]
fn one_file_written_by_hand() {
    let text = "# by hand\nuser www-data;\nworker_processes 1; pid FOLDER/nginx.pid; error_log FOLDER/error.log;\nevents { }\nhttp { access_log FOLDER/a.log;\n\
        \x20 server { listen PORT; root FOLDER/www; location / { index index.html; } }\n}";
    let files = [("nginx.conf", text), ("../www/index.html", "the site\n")];
    let machine = Machine::new("nginx", "nginx.conf", settings(), &files).serving();
    comes_and_goes(&machine, &["anything.test"]);
}

#[test]
fn a_site_that_only_speaks_tls() {
    let site = "server {\n    listen PORT ssl;\n    server_name a.test;\n    ssl_certificate FOLDER/etc/a.pem;\n    ssl_certificate_key FOLDER/etc/a.key;\n    \
                root FOLDER/www;\n}\n";
    let machine = debian(&[("sites-enabled/site", site)]);
    machine.certify("a");
    let machine = machine.serving();
    shows_in_one_server(&machine);
}

#[test]
fn what_would_open_or_close_something_is_refused_with_file_and_line() {
    let site = |lines: &str| {
        format!("server {{\n    listen PORT;\n    server_name a.test;\n    root FOLDER/www;\n{lines}\n}}\n")
    };
    for (lines, words) in [
        ("    auth_request /sso;\n    location = /sso { return 204; }", ["site:5", "asks somebody else"]),
        ("    location /in/ {\n        satisfy any;\n        deny all;\n    }", ["site:6", "auth_request off;"]),
        ("    error_page 401 /login.html;", ["site:5", "error_page 401 = @portcullis_gate;"]),
        ("    location ^~ /.portcullis/ { return 204; }", ["site:5", "there already"]),
        ("    location /lua { content_by_lua_block { x = '}' } }", ["site:5", "another language"]),
    ] {
        is_refused(&debian(&[("sites-enabled/site", &site(lines))]), &words);
    }
}

#[test]
fn a_configuration_that_is_wrong_as_it_stands_is_refused() {
    let machine = debian(&[("sites-enabled/site", "server {\n    listen PORT;\n    no_such_thing on;\n}\n")]);
    is_refused(&machine, &["wrong as it stands", "no_such_thing"]);
    let machine = debian(&[("sites-enabled/site", "server {\n    listen PORT;\n    include /nowhere/at/all;\n}\n")]);
    is_refused(&machine, &["/nowhere/at/all", "cannot be read"]);
}

#[test]
fn a_file_of_ours_that_somebody_put_there_is_refused() {
    let machine = debian(&[("sites-enabled/site", DEFAULT), ("portcullis-server.conf", "# by hand\n")]);
    is_refused(&machine, &["portcullis-server.conf:1", "there already"]);
}

#[test]
fn a_verifier_for_other_hosts_or_another_server_is_refused() {
    let site = "server {\n    listen PORT;\n    server_name b.test;\n    root FOLDER/www;\n}\n";
    let files = [("nginx.conf", DEBIAN_MAIN), ("conf.d/own.conf", ""), ("sites-enabled/site", site)];
    let machine = Machine::new("nginx", "nginx.conf", settings().of_site("hosts", vec!["a.test"]), &files);
    is_refused(&machine, &["portcullis.toml:1", "no site for the host b.test"]);
    let caddy = Settings::from_text(&shipped("caddy", "portcullis.toml")).of_site("hosts", Vec::<String>::new());
    let machine = Machine::new("nginx", "nginx.conf", caddy, &files);
    is_refused(&machine, &["`beside` is \"caddy\"", "beside = \"nginx\""]);
}

#[test]
fn a_verifier_of_the_operators_own_gets_the_rule_and_loses_it_again() {
    let files = [
        ("nginx.conf", DEBIAN_MAIN),
        ("conf.d/own.conf", ""),
        ("sites-enabled/site", DEFAULT),
        ("../www/index.html", "the site\n"),
    ];
    comes_and_goes(&Machine::new("nginx", "nginx.conf", settings().without("rule"), &files).serving(), &["any.test"]);
}

#[test]
fn a_verifier_that_is_switched_off_is_said_to_be() {
    let site = "server {\n    listen PORT;\n    server_name a.test;\n    root FOLDER/www;\n}\n";
    let machine = debian(&[("sites-enabled/site", site)]).serving();
    said(&machine.verifier.command(&["mode", "off"]));
    let applied = said(&machine.setup(&["--apply"]));
    assert!(applied.contains("switched off: `portcullis mode auto`") && !applied.contains("in place"), "{applied}");
    answers(&machine, "a.test", "GET", "/portcullis-test", 404);
    said(&machine.verifier.command(&["mode", "auto"]));
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    said(&machine.setup(&["--remove"]));
}

#[test]
fn pages_of_errors_that_count_for_all_sites_go_on_counting() {
    let main = DEBIAN_MAIN.replace("\tgzip on;\n", "\tgzip on;\n\terror_page 404 /lost.html;\n");
    let site = |name: &str, more: &str| {
        format!("server {{\n    listen PORT;\n    server_name {name};\n    root FOLDER/www;\n{more}}}\n")
    };
    let own = site("b.test", "    error_page 404 /own.html;\n");
    let files = [
        ("nginx.conf", main.as_str()),
        ("conf.d/own.conf", ""),
        ("sites-enabled/a", &site("a.test", "")),
        ("sites-enabled/b", &own),
        ("../www/index.html", "the site\n"),
        ("../www/lost.html", "lost\n"),
        ("../www/own.html", "own\n"),
    ];
    let machine = Machine::new("nginx", "nginx.conf", settings(), &files).serving();
    comes_and_goes(&machine, &["a.test", "b.test"]);
    said(&machine.verifier.command(&["mode", "auto"]));
    said(&machine.setup(&["--apply"]));
    for (host, page) in [("a.test", "lost\n"), ("b.test", "own\n")] {
        answers(&machine, host, "GET", "/portcullis-test", 429);
        assert_eq!(machine.client(host).get("/nowhere").expect_status(404).text(), page);
    }
    said(&machine.setup(&["--remove"]));
    let above = main.replace("error_page 404", "error_page 401 404");
    let files = [("nginx.conf", above.as_str()), ("conf.d/own.conf", ""), ("sites-enabled/a", &site("a.test", ""))];
    let machine = Machine::new("nginx", "nginx.conf", settings(), &files);
    is_refused(&machine, &["nginx.conf:", "takes the 401"]);
}

#[test]
fn where_nothing_is_gated_it_says_so_and_fails() {
    let site = "server {\n    listen PORT;\n    server_name a.test;\n    return 301 https://b.test/;\n}\n";
    let machine = debian(&[("sites-enabled/site", site)]);
    is_refused(&machine, &["answers by `return`", "there is no server to be gated: nothing was changed"]);
    let why = refused(&machine.setup(&["--apply", "--site", "a.tset"]));
    assert!(why.contains("no server with the name a.tset") && why.contains("--site takes one of: a.test"), "{why}");
}

#[test]
fn a_site_that_comes_later_leaves_what_was_changed_in_our_files() {
    let site = |name: &str| format!("server {{\n    listen PORT;\n    server_name {name};\n    root FOLDER/www;\n}}\n");
    let (a, b) = (site("a.test"), site("b.test"));
    let machine = debian(&[("sites-enabled/a", &a), ("sites-enabled/b", &b)]).serving();
    said(&machine.setup(&["--apply", "--site", "a.test"]));
    // To fail open, as the file itself says.
    let ours = machine.path("portcullis-server.conf");
    let text = fs::read_to_string(&ours).unwrap().replace("# error_page 502 503 504", "error_page 502 503 504");
    fs::write(&ours, &text).unwrap();
    let told = said(&machine.setup(&["--apply"]));
    assert!(told.contains("portcullis-server.conf is another one") && told.contains("stays as it is"), "{told}");
    assert_eq!(fs::read_to_string(&ours).unwrap(), text);
    answers(&machine, "b.test", "GET", "/portcullis-test", 429);
    // What somebody wrote into is kept, and nothing of it is read any more.
    let log = machine.path("conf.d/portcullis-log.conf");
    fs::write(&log, format!("{}# mine\n", fs::read_to_string(&log).unwrap())).unwrap();
    said(&machine.setup(&["--remove"]));
    assert!(!ours.exists() && !log.exists());
    let kept = |name: &str| fs::read_to_string(machine.verifier.directory().join(name)).unwrap();
    assert_eq!(kept("portcullis-server.conf.kept"), text);
    assert!(kept("portcullis-log.conf.kept").ends_with("# mine\n"));
    for (host, path) in [("a.test", "sites-enabled/a"), ("b.test", "sites-enabled/b")] {
        answers(&machine, host, "GET", "/portcullis-test", 404);
        assert!(!fs::read_to_string(machine.path(path)).unwrap().contains("portcullis-server"));
    }
}

#[test]
fn paths_that_are_relative_are_found_from_anywhere() {
    let machine = debian(&[("sites-enabled/site", DEFAULT)]).serving();
    let before = machine.files();
    let setup = |folder: &std::path::Path, arguments: &[&str]| {
        let mut command = std::process::Command::new(tests::verifier::binary());
        command.current_dir(folder).arg("setup").args(arguments).output().unwrap()
    };
    let config = machine.verifier.directory().join("portcullis.toml");
    let config = config.to_str().unwrap();
    said(&setup(&machine.path(""), &["nginx", "--apply", "--web-config", "nginx.conf", "--config", config]));
    assert!(machine.files() != before);
    let name = "portcullis.toml";
    said(&setup(machine.verifier.directory(), &["--remove", "--config", name]));
    same(&machine, &before);
}

#[test]
fn a_site_that_comes_later_joins_where_setup_had_to_include_its_files() {
    let site = |name: &str| format!("server {{\n    listen PORT;\n    server_name {name};\n    root FOLDER/www;\n}}\n");
    let (a, b) = (site("a.test"), site("b.test"));
    // As nginx.org's packages have it: nothing but servers where files are included.
    let files = [
        ("nginx.conf", DEBIAN_MAIN),
        ("conf.d/a.conf", a.as_str()),
        ("conf.d/b.conf", b.as_str()),
        ("../www/index.html", "the site\n"),
    ];
    let machine = Machine::new("nginx", "nginx.conf", settings(), &files).serving();
    let before = machine.files();
    said(&machine.setup(&["--apply", "--site", "a.test"]));
    answers(&machine, "b.test", "GET", "/portcullis-test", 404);
    said(&machine.setup(&["--apply"]));
    for host in ["a.test", "b.test"] {
        answers(&machine, host, "GET", "/portcullis-test", 429);
    }
    said(&machine.setup(&["--remove"]));
    same(&machine, &before);
}

#[test]
fn where_another_file_names_one_of_ours_nothing_is_taken_out() {
    let machine = debian(&[("sites-enabled/site", DEFAULT)]).serving();
    said(&machine.setup(&["--apply"]));
    // Renamed since, with our line in it.
    fs::rename(machine.path("sites-enabled/site"), machine.path("sites-enabled/renamed")).unwrap();
    let gated = machine.files();
    let why = refused(&machine.setup(&["--remove"]));
    assert!(why.contains("nothing was put back") && why.contains("portcullis-server.conf"), "{why}");
    same(&machine, &gated);
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    let renamed = machine.path("sites-enabled/renamed");
    let text = fs::read_to_string(&renamed).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("portcullis-server.conf")).collect();
    fs::write(&renamed, without.join("\n")).unwrap();
    said(&machine.setup(&["--remove"]));
    answers(&machine, "a.test", "GET", "/portcullis-test", 404);
}

//! Configurations of Apache as they are found: each site moves behind the verifier and back, or is refused with file and line.

use tests::machine::Machine;
use tests::recipes::{shipped, web_group};
use tests::settings::Settings;
use tests::visitor::buy;

use super::{answers, comes_and_goes, is_refused, said, same, shows_in_one_server};

/// What Debian has switched on, without the modules that the recipe needs besides.
fn main() -> String {
    let modules = ["mpm_event", "authz_core", "alias", "dir", "mime", "setenvif", "rewrite", "ssl", "socache_shmcb"];
    let modules =
        modules.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).concat();
    let user = if web_group().is_some() { "User www-data\nGroup www-data\n" } else { "" };
    format!(
        "# by hand\nServerRoot FOLDER/etc\nDefaultRuntimeDir FOLDER\nPidFile FOLDER/apache.pid\nErrorLog FOLDER/error.log\n{modules}{user}\
         ServerName localhost\nListen 127.0.0.1:PORT\nListen 127.0.0.1:OTHER\nTypesConfig /dev/null\nAddType text/html .html\n\
         <Directory FOLDER/www>\n\tRequire all granted\n</Directory>\nIncludeOptional sites-enabled/*.conf\n"
    )
}

fn machine(files: &[(&str, &str)]) -> Machine {
    let port = tests::ports::free();
    let settings = Settings::from_text(&shipped("apache", "portcullis.toml"))
        .of_site("hosts", Vec::<String>::new())
        .of_site("origin", format!("http://127.0.0.1:{port}"));
    let main = main();
    let mut all = vec![("apache2.conf", main.as_str()), ("../www/index.html", "the site\n")];
    all.extend(files);
    Machine::new("apache", "apache2.conf", settings, &all)
}

const SITE: &str = "<VirtualHost *:PORT>\n\tServerName a.test\n\tServerAlias www.a.test\n\tDocumentRoot FOLDER/www\n\
    \t# ErrorLog ${APACHE_LOG_DIR}/error.log\n</VirtualHost>\n";

#[test]
fn a_site_as_debian_has_it() {
    let machine = machine(&[
        ("sites-available/000-default.conf", SITE),
        ("sites-enabled/000-default.conf", "-> ../sites-available/000-default.conf"),
    ]);
    comes_and_goes(&machine.serving(), &["a.test", "www.a.test"]);
}

#[test]
fn two_sites_and_one_that_redirects() {
    let redirect =
        "<VirtualHost *:PORT>\n    ServerName old.test\n    Redirect permanent / http://a.test/\n</VirtualHost>\n";
    let other =
        "<VirtualHost *:PORT>\n    ServerName b.test\n    DocumentRoot \\\n        FOLDER/www\n</VirtualHost>\n";
    let machine = machine(&[
        ("sites-enabled/a.conf", SITE),
        ("sites-enabled/b.conf", other),
        ("sites-enabled/old.conf", redirect),
    ])
    .serving();
    comes_and_goes(&machine, &["a.test", "b.test"]);
    said(&machine.setup(&["--apply"]));
    machine.client("old.test").get("/x").expect_status(301);
    let client = machine.client("b.test");
    let visitor = client.with("Cookie", &buy(&client));
    assert_eq!(visitor.get("/").text(), "the site\n");
    said(&machine.setup(&["--remove"]));
}

#[test]
fn lines_of_tls_go_to_the_front() {
    let site = "<IfModule ssl_module>\n<VirtualHost *:PORT>\n    ServerName a.test\n    DocumentRoot FOLDER/www\n    SSLEngine on\n    \
        SSLCertificateFile FOLDER/etc/a.pem\n    SSLCertificateKeyFile FOLDER/etc/a.key\n    Include tls.conf\n    CustomLog FOLDER/a.log of_certbot\n</VirtualHost>\n</IfModule>\n";
    // As certbot has it, which defines formats of logs there as well.
    let tls = "SSLProtocol all -SSLv3\nSSLOptions +StrictRequire\n# for logs\nLogFormat \"seen %U %>s\" of_certbot\n";
    let machine = machine(&[("sites-enabled/a.conf", site), ("tls.conf", tls)]);
    machine.certify("a");
    let machine = machine.serving();
    shows_in_one_server(&machine);
    said(&machine.setup(&["--apply"]));
    let site = std::fs::read_to_string(machine.path("sites-enabled/a.conf")).unwrap();
    assert!(site.contains("#portcullis-setup# Include tls.conf\n    LogFormat \"seen %U %>s\" of_certbot"), "{site}");
    said(&machine.setup(&["--remove"]));
}

#[test]
fn what_only_this_machine_reaches_stays_out_of_reach() {
    let inside = "<VirtualHost 127.0.0.1:OTHER>\n    ServerName inside.test\n    DocumentRoot FOLDER/inside\n</VirtualHost>\n\
        <Directory FOLDER/inside>\n    Require all granted\n</Directory>\n";
    let machine = machine(&[
        ("sites-enabled/a.conf", SITE),
        ("sites-enabled/inside.conf", inside),
        ("../inside/index.html", "nobody's business\n"),
    ]);
    let machine = machine.serving();
    let told = said(&machine.setup(&["--apply"]));
    assert!(told.contains("left alone  inside.test"), "{told}");
    let client = machine.client("inside.test");
    answers(&machine, "inside.test", "GET", "/portcullis-test", 429);
    assert_eq!(client.get("/").text(), "the site\n", "asked by its name, it is the first site that answers, as before");
    said(&machine.setup(&["--remove"]));
}

#[test]
fn a_site_that_comes_later_joins_the_first() {
    let other = SITE.replace("a.test", "b.test");
    let machine = machine(&[("sites-enabled/a.conf", SITE), ("sites-enabled/b.conf", &other)]).serving();
    let before = machine.files();
    said(&machine.setup(&["--apply", "--site", "a.test"]));
    answers(&machine, "a.test", "GET", "/portcullis-test", 429);
    answers(&machine, "b.test", "GET", "/portcullis-test", 404);
    said(&machine.setup(&["--apply"]));
    for host in ["a.test", "b.test"] {
        answers(&machine, host, "GET", "/portcullis-test", 429);
        answers(&machine, host, "GET", "/", 200);
    }
    said(&machine.setup(&["--remove"]));
    same(&machine, &before);
}

#[test]
fn a_host_that_the_verifier_does_not_know_is_refused() {
    let settings = Settings::from_text(&shipped("apache", "portcullis.toml")).of_site("hosts", vec!["b.test"]);
    let main = main();
    let files = [("apache2.conf", main.as_str()), ("sites-enabled/a.conf", SITE)];
    let machine = Machine::new("apache", "apache2.conf", settings, &files);
    is_refused(&machine, &["portcullis.toml:1", "no site for the host a.test"]);
}

#[test]
fn one_file_written_by_hand() {
    let main = main().replace("IncludeOptional sites-enabled/*.conf\n", SITE);
    let port = tests::ports::free();
    let settings = Settings::from_text(&shipped("apache", "portcullis.toml"))
        .of_site("hosts", Vec::<String>::new())
        .of_site("origin", format!("http://127.0.0.1:{port}"));
    let files = [("httpd.conf", main.as_str()), ("../www/index.html", "the site\n")];
    comes_and_goes(&Machine::new("apache", "httpd.conf", settings, &files).serving(), &["a.test"]);
}

#[test]
fn what_cannot_stand_behind_is_refused_with_file_and_line() {
    let with = |line: &str| SITE.replace("\tDocumentRoot", &format!("\t{line}\n\tDocumentRoot"));
    for (text, words) in [
        (with("RewriteCond %{HTTPS} off"), ["a.conf:4", "%{HTTP:X-Forwarded-Proto}"]),
        (with("RemoteIPHeader X-Forwarded-For"), ["a.conf:4", "another proxy"]),
        (format!("{SITE}{}", SITE.replace(":PORT", ":OTHER")), ["a.conf:7", "Redirect permanent / https://a.test/"]),
        (
            format!("{SITE}{}", SITE.replace("*:PORT", "10.0.0.7:PORT").replace("a.test", "b.test")),
            ["a.conf:1", "10.0.0.7"],
        ),
        (with("<IfModule mod_ssl.c>\n\tSSLEngine on\n\t</IfModule>"), ["a.conf:5", "take it out of that section"]),
        (with("<Location /admin>\n\tSSLVerifyClient require\n\t</Location>"), ["a.conf:5", "TLS has ended"]),
        (format!("<Directory /srv>\n\tRequire ssl\n</Directory>\n{SITE}"), ["a.conf:2", "TLS has ended"]),
        (SITE.replace("*:PORT", "*:443"), ["a.conf:1", "SSLEngine on"]),
        (format!("SSLEngine on\n{SITE}"), ["a.conf:1", "each VirtualHost"]),
        (
            format!(
                "{}{}",
                SITE.replace("ServerName a.test", "").replace("ServerAlias www.a.test", ""),
                SITE.replace("ServerName a.test", "").replace("ServerAlias www.a.test", "")
            ),
            ["a.conf:7", "more than one VirtualHost"],
        ),
        (format!("<IfDefine X>\n{SITE}</IfDefine>\n"), ["a.conf:1", "is not known"]),
        (format!("{SITE}Include ${{WHERE}}/x.conf\n"), ["a.conf:7", "is not known"]),
    ] {
        is_refused(&machine(&[("sites-enabled/a.conf", &text)]), &words);
    }
}

//! `deploy/nginx` around a server as `WordPress` has it: a front controller, real php-fpm, and all that grows around one.

use std::fs;

use tests::client::Client;
use tests::nginx::Site;
use tests::origin::Origin;
use tests::php::Php;
use tests::settings::Settings;
use tests::stage::Stage;
use tests::visitor::{buy, credits};

/// Notes each run in a file: what is not noted did not reach PHP.
const SCRIPT: &str = "<?php file_put_contents('NOTES', $_SERVER['SCRIPT_NAME'] . ' ' . $_SERVER['REQUEST_URI'] . \"\\n\", FILE_APPEND | LOCK_EX); \
                      http_response_code(isset($_GET['lost']) ? 404 : 200); echo basename(__FILE__), ' for ', $_SERVER['REQUEST_URI'], ' ', \
                      $_SERVER['REQUEST_METHOD'], ' ', file_get_contents('php://input');";

struct Blog {
    stage: Stage,
    php: Php,
}

fn blog() -> Blog {
    let php = Php::start();
    let fastcgi = format!(
        "fastcgi_pass unix:{}; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; \
         fastcgi_param SCRIPT_NAME $fastcgi_script_name; fastcgi_param REQUEST_URI $request_uri; \
         fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string; \
         fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length; \
         fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param REDIRECT_STATUS 200;",
        php.socket().display()
    );
    // As in the recipe's documentation: what each exception looks like.
    let lines = format!(
        "root ROOT; index index.php;\n\
         location / {{ try_files $uri $uri/ /index.php?$args; }}\n\
         location ~ \\.php$ {{ try_files $uri =404; {fastcgi} }}\n\
         location ~* \\.(css|png)$ {{ auth_request off; try_files $uri =404; }}\n\
         location = /wp-login.php {{ auth_basic \"staff\"; auth_basic_user_file ROOT/staff; {fastcgi} }}\n\
         location = /wp-cron.php {{ auth_request off; allow 127.0.0.1; deny all; {fastcgi} }}\n\
         location /shop/ {{ error_page 404 /shop.php; error_page 401 = @portcullis_gate; try_files $uri =404; }}\n\
         location /old/ {{ return 301 /new/; }}\n\
         location ^~ /.well-known/acme-challenge/ {{ auth_request off; default_type text/plain; try_files $uri =404; }}\n"
    );
    let stage = Stage::beside_nginx(Settings::new(), Origin::start("main"), &Site { lines, ..Site::default() });
    let root = stage.nginx.as_ref().unwrap().root();
    let script = SCRIPT.replace("NOTES", &php.folder().join("notes").display().to_string());
    for folder in ["wp-content/uploads", "wp-admin", ".well-known/acme-challenge", "shop"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for name in [
        "index.php",
        "wp-login.php",
        "wp-cron.php",
        "xmlrpc.php",
        "shop.php",
        "wp-admin/index.php",
        "wp-content/uploads/odd.php",
    ] {
        fs::write(root.join(name), &script).unwrap();
    }
    fs::write(root.join("style.css"), "body {}").unwrap();
    fs::write(root.join("odd.php.css"), "body {}").unwrap();
    fs::write(root.join(".well-known/acme-challenge/token"), "token.thumbprint").unwrap();
    fs::write(root.join("staff"), "ada:{PLAIN}lovelace\n").unwrap();
    Blog { stage, php }
}

impl Blog {
    /// What PHP ran.
    fn notes(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.php.folder().join("notes")).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    }

    fn client(&self) -> Client {
        self.stage.client()
    }
}

#[test]
fn no_path_reaches_php_ungated() {
    let blog = blog();
    let client = blog.client();
    let stranger = client.in_network(9, 9);
    for target in [
        "/",
        "/?lost",
        "/index.php",
        "/index.php?a=1",
        "/2026/11/a-post/",
        "/%69ndex.php",
        "//index.php",
        "/./index.php",
        "/x/../index.php",
        "/index.php/",
        "/index.php/style.css",
        "/index.php%00.css",
        "/index.php%0a.css",
        "/index.php;.css",
        "/index.php?.css",
        "/style.css/index.php",
        "/style.css/../index.php",
        "/odd.php.css/../index.php",
        "/xmlrpc.php",
        "/wp-login.php",
        "/wp-login.php/x",
        "/wp-admin/",
        "/wp-admin/index.php",
        "/wp-cron.php",
        "/wp-cron.php?doing_wp_cron=1",
        "/wp-content/uploads/odd.php",
        "/shop/missing",
        "/shop/../index.php",
        "/old/../index.php",
        "/.well-known/acme-challenge/../../index.php",
        "/.well-known/acme-challenge/%2e%2e/%2e%2e/index.php",
        "/.well-known/acme-challenge/missing.php",
        "/.portcullis/../index.php",
        "/.portcullis/%2e%2e/index.php",
        "/.portcullis/index.php",
        "/.portcullis-beside/../index.php",
        "/.portcullis-beside/gate/index.php",
        "/missing.css",
        "/old/index.php",
    ] {
        for method in ["GET", "POST", "HEAD", "PROPFIND"] {
            let _ = stranger.request(method, target).try_send();
        }
    }
    assert_eq!(blog.notes(), [""; 0], "and nobody paid");
    let cookie = buy(&client);
    client.request("GET", "/2026/11/a-post/").cookie(&cookie).send().expect_status(200);
    assert_eq!(blog.notes(), ["/index.php /2026/11/a-post/"]);
}

#[test]
fn a_visitor_who_paid_reads_and_writes_at_one_credit_a_page() {
    let blog = blog();
    let client = blog.client();
    let cookie = buy(&client);
    let visitor = client.with("Cookie", &cookie);
    let mut paid = 0.0;
    for (target, script) in [
        ("/", "index.php"),
        ("/2026/11/a-post/?x=1", "index.php"),
        ("/wp-admin/", "index.php"),
        ("/xmlrpc.php", "xmlrpc.php"),
        ("/wp-content/uploads/odd.php", "odd.php"),
    ] {
        let reply = visitor.get(target);
        assert_eq!((reply.status, reply.text()), (200, format!("{script} for {target} GET ")));
        paid += 1.0;
        assert_eq!(credits(&client, &cookie, "/"), Some(100.0 - paid), "{target}: however often nginx asks");
    }
    let post = visitor.request("POST", "/xmlrpc.php").body("text/plain", "typed").send();
    assert!(post.text().ends_with("POST typed"), "{post:?}");
    let lost = visitor.get("/shop/missing");
    assert_eq!(
        (lost.status, lost.text()),
        (404, "shop.php for /shop/missing GET ".to_owned()),
        "its own page of errors"
    );
}

#[test]
fn what_costs_nothing_and_reaches_no_script_passes() {
    let blog = blog();
    let client = blog.client();
    assert_eq!(client.get("/style.css").text(), "body {}");
    client.get("/missing.css").expect_status(404);
    assert_eq!(client.get("/.well-known/acme-challenge/token").text(), "token.thumbprint");
    let moved = client.get("/old/page");
    assert_eq!((moved.status, moved.header("location").unwrap().ends_with("/new/")), (301, true));
    assert_eq!(blog.notes().len(), 0);
    client.navigate("/shop/missing").expect_status(429);
}

#[test]
fn staff_are_asked_for_their_password() {
    let blog = blog();
    let client = blog.client();
    let visitor = client.with("Cookie", &buy(&client));
    let prompt = visitor.navigate("/wp-login.php");
    assert_eq!((prompt.status, prompt.header("www-authenticate")), (401, Some("Basic realm=\"staff\"")));
    let login = visitor.with("Authorization", "Basic YWRhOmxvdmVsYWNl").navigate("/wp-login.php");
    assert_eq!((login.status, login.text().as_str()), (200, "wp-login.php for /wp-login.php GET "));
}

#[test]
fn the_site_may_call_itself() {
    let blog = blog();
    let own = blog.client();
    let cron = own.request("POST", "/wp-cron.php?doing_wp_cron=1").body("text/plain", "").send();
    assert_eq!((cron.status, blog.notes().len()), (200, 1));
    let stranger = own.in_network(9, 9);
    let refused = stranger.with("X-Forwarded-For", "127.0.0.1").with("X-Real-IP", "127.0.0.1").get("/wp-cron.php");
    assert_eq!((refused.status, blog.notes().len()), (403, 1));
    own.get("/wp-cron.php/").expect_status(429);
}

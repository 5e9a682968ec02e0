//! Requests that no honest client sends.

use std::io::{Read as _, Write as _};

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{buy, challenge, credits, verify};

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new().rule("path = \"/admin/**\"\naction = \"deny\""))
}

#[test]
fn of_seventeen_cookies_sixteen_count() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let wrong = (0..15).map(|number| format!("portcullis=wrong{number}")).collect::<Vec<_>>().join("; ");
    client.request("GET", "/").cookie(&format!("{wrong}; {cookie}")).send().expect_status(200);
    client
        .request("GET", "/")
        .cookie(&format!("{wrong}; portcullis=one-more; {cookie}"))
        .send()
        .expect(429, "challenge_required");
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0));
}

#[test]
fn the_first_cookie_that_can_pay_pays() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("clearance.credits", 23));
    let client = stage.client();
    let (spent, fresh) = (buy(&client), buy(&client));
    for _ in 0..20 {
        client.request("GET", "/").cookie(&spent).send().expect_status(200);
    }
    client.request("GET", "/").cookie(&format!("{spent}; {fresh}")).send().expect_status(200);
    assert_eq!(credits(&client, &fresh, "/"), Some(22.0));
}

#[test]
fn long_and_strange_cookies_are_only_cookies() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let long = "x".repeat(16 * 1024);
    for strange in
        [format!("portcullis={long}"), "portcullis=".into(), "portcullis".into(), ";;;=;".into(), format!("a={long}")]
    {
        client.request("GET", "/").cookie(&strange).send().expect(429, "challenge_required");
        client.request("GET", "/").cookie(&format!("{strange}; {cookie}")).send().expect_status(200);
    }
    let mut bytes = client.request("GET", "/").bytes();
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(b"Cookie: portcullis=\xff\xfe\x80; \xc3\x28\r\nConnection: close\r\n\r\n");
    let status = client.send_raw(&bytes).unwrap().status;
    assert!(matches!(status, 400 | 429), "{status}");
}

#[test]
fn every_way_to_break_a_cookie_is_no_clearance() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let (name, value) = cookie.split_once('=').unwrap();
    for index in 0..value.len() {
        let mut broken = value.as_bytes().to_vec();
        broken[index] = if broken[index] == b'A' { b'B' } else { b'A' };
        let broken = String::from_utf8(broken).unwrap();
        client.request("GET", "/").cookie(&format!("{name}={broken}")).send().expect(429, "challenge_required");
    }
    for broken in
        [&value[1..], &value[..value.len() - 1], &format!("{value}A"), &format!("{value}="), &value.to_uppercase()]
    {
        client.request("GET", "/").cookie(&format!("{name}={broken}")).send().expect(429, "challenge_required");
    }
}

#[test]
fn an_absolute_target_is_the_path_it_names() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let absolute = format!("http://{}/admin/x", client.host());
    client.request("GET", &absolute).cookie(&cookie).send().expect(403, "denied");
    let elsewhere = client.request("GET", "http://elsewhere.test/page").cookie(&cookie).send();
    assert!(matches!(elsewhere.status, 400 | 421), "{elsewhere:?}");
    client.request("GET", &format!("http://{}/page", client.host())).cookie(&cookie).send().expect_status(200);
    assert_eq!(stage.origin.last().target, "/page");
}

#[test]
fn spellings_of_a_path_are_one_path() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    for target in [
        "/admin/x",
        "/%61dmin/x",
        "/./admin/x",
        "/x/../admin/x",
        "//admin/x",
        "/admin/../admin/x",
        "/x/%2e%2e/admin/x",
        "/admin//x",
        "/admin",
    ] {
        let reply = client.request("GET", target).cookie(&cookie).send();
        assert_eq!(reply.status, 403, "{target}: {reply:?}");
    }
    assert_eq!(stage.origin.seen().len(), 0);
}

/// Sends bytes and reads until the connection ends or the answer is there; gives all bytes as text.
fn exchange(client: &Client, bytes: &[u8]) -> String {
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(bytes).unwrap();
    connection.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn two_framings_in_one_request_smuggle_nothing() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let head = format!("POST /submit HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n", client.host());
    let smuggled = format!("GET /admin/smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", client.host());
    let chunked = format!("0\r\n\r\n{smuggled}");
    for framing in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunked.len()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunked.len()),
        "Content-Length: 5\r\nContent-Length: 6\r\n".into(),
        "Content-Length: +5\r\n".into(),
        "Content-Length: 5, 6\r\n".into(),
        "Transfer-Encoding: xchunked\r\n".into(),
        "Transfer-Encoding: chunked, identity\r\n".into(),
        "Transfer-Encoding : chunked\r\n".into(),
        " Transfer-Encoding: chunked\r\n".into(),
    ] {
        let answer = exchange(&client, format!("{head}{framing}\r\n{chunked}").as_bytes());
        // RFC 9112 §6.1 allows to read such a request as chunked, but then the connection must end with its answer.
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "what follows {framing:?} was read as a request: {answer}");
        let both = framing.contains("chunked\r\n") && framing.contains("Content-Length") && !framing.contains(" :");
        assert!(both || !answer.contains("200 OK"), "{framing:?} was served: {answer}");
    }
    assert_eq!(stage.origin.count("/admin"), 0, "nothing smuggled arrives");
}

#[test]
fn one_host_is_needed_and_only_one() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let own = client.host().to_owned();
    for heads in [
        String::new(),
        format!("Host: {own}\r\nHost: {own}\r\n"),
        format!("Host: {own}\r\nHost: other.test\r\n"),
        format!("Host: other.test\r\nHost: {own}\r\n"),
        "Host:\r\n".into(),
        format!("Host: {own}, other.test\r\n"),
        format!("Host: {HOST}/x\r\n"),
        format!("Host: user@{own}\r\n"),
    ] {
        let request = format!("GET / HTTP/1.1\r\n{heads}Cookie: {cookie}\r\nConnection: close\r\n\r\n");
        let reply = client.send_raw(request.as_bytes()).unwrap();
        assert!(matches!(reply.status, 400 | 421), "{heads:?}: {reply:?}");
    }
    assert_eq!(stage.origin.seen().len(), 0);
}

#[test]
fn a_head_beyond_its_limits_is_refused() {
    let settings = Settings::new().set("limits.max_head_bytes", 8192).set("limits.max_headers", 20);
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let long = client.request("GET", "/").header("X-Long", &"x".repeat(9000)).try_send().unwrap();
    assert!(matches!(long.status, 400 | 431), "{long:?}");
    let many = (0..30).fold(client.request("GET", "/"), |request, number| request.header(&format!("X-{number}"), "x"));
    let many = many.try_send().unwrap();
    assert!(matches!(many.status, 400 | 431), "{many:?}");
    let target = client.request("GET", &format!("/{}", "x".repeat(9000))).try_send().unwrap();
    assert!(matches!(target.status, 400 | 414 | 431), "{target:?}");
    client.get("/").expect_status(429);
}

#[test]
fn a_solution_too_long_for_any_puzzle_is_refused_before_it_is_read() {
    let stage = stage();
    let client = stage.client();
    let big = client
        .request("POST", "/.portcullis/verify")
        .header("Content-Type", "application/json")
        .header("Content-Length", "1000000000")
        .try_send()
        .unwrap();
    assert!(matches!(big.status, 400 | 413), "{big:?}");
}

#[test]
fn odd_methods_and_endpoints_are_answered_and_nothing_more() {
    let stage = stage();
    let client = stage.client();
    for (method, target) in [
        ("POST", "/.portcullis/challenge"),
        ("GET", "/.portcullis/verify"),
        ("PUT", "/.portcullis/clearance"),
        ("GET", "/.portcullis/"),
        ("GET", "/.portcullis/nothing"),
        ("GET", "/.portcullis/../x"),
        ("GET", "/.portcullis-beside/check"),
        ("GET", "/.portcullis-beside/gate"),
        ("TRACE", "/"),
        ("CONNECT", "/"),
    ] {
        let reply = client.request(method, target).try_send().unwrap();
        assert!((400..500).contains(&reply.status), "{method} {target}: {reply:?}");
    }
    assert_eq!(stage.origin.seen().len(), 0);
    let offered = challenge(&client, "");
    verify(&client, "", &offered, &offered.solve()).expect_status(200);
}

#[test]
fn the_target_asked_about_is_never_followed_or_echoed() {
    let stage = stage();
    let client = stage.client();
    for target in [
        "http://evil.test/",
        "//evil.test/",
        "javascript:alert(1)",
        "/<script>alert(1)</script>",
        "%0d%0aX-Injected: 1",
        "",
    ] {
        for endpoint in ["challenge", "clearance"] {
            let reply = client.get(&format!("/.portcullis/{endpoint}?for={}", target.replace(' ', "%20")));
            assert!(matches!(reply.status, 200 | 400 | 401 | 403), "{target}: {reply:?}");
            assert!(!reply.text().contains("evil") && !reply.text().contains("script>"), "{}", reply.text());
            assert!(reply.header("location").is_none() && reply.header("x-injected").is_none());
        }
    }
    let page = client.navigate("/\"><script>alert(1)</script>?a=\"onload=x");
    assert!(!page.text().contains("<script>alert"), "{}", page.text());
}

//! A verifier that is dead, or hangs: what the operator chose happens, soon, and it is over when the verifier is back.

use std::io::Write as _;
use std::time::{Duration, Instant};

use tests::recipes::{Failure, Recipe, Server};
use tests::reply::Reply;
use tests::settings::Settings;
use tests::verifier::Unit;
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

use crate::watchdog::Supervisor;

/// How long a request may take when the verifier is dead.
const DEAD_WITHIN: Duration = Duration::from_millis(1200);
/// How long until a health check has noticed that it hangs.
const CHECKED_WITHIN: Duration = Duration::from_secs(3);
/// How long until the unit's watchdog has ended it.
const ENDED_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn a_dead_verifier_fails_closed(server: Server) {
    let mut recipe = Recipe::start(server, Failure::Closed);
    let cookie = buy(&recipe.client());
    recipe.client().request("GET", "/").cookie(&cookie).send().expect_status(200);
    recipe.verifier.crash();
    let reply = soon(&recipe, &cookie);
    assert!(server.closed_status().contains(&reply.status), "{reply:?}");
    let seen = recipe.origin.seen().len();
    for _ in 0..5 {
        let reply = recipe.client().request("GET", "/").cookie(&cookie).try_send().unwrap();
        assert!(server.closed_status().contains(&reply.status), "{reply:?}");
    }
    assert_eq!(recipe.origin.seen().len(), seen, "nothing reaches the site");
    comes_back(&mut recipe);
}

pub(super) fn a_dead_verifier_fails_open(server: Server) {
    let mut recipe = Recipe::start(server, Failure::Open);
    recipe.client().navigate("/").expect_status(429);
    recipe.client().get("/.portcullis-beside/check").expect_status(404);
    recipe.verifier.crash();
    let reply = soon(&recipe, "");
    assert!(reply.status == 200 && reply.is_from_origin(), "{reply:?}");
    let post = recipe.client().request("POST", "/submit").body("text/plain", "typed").try_send().unwrap();
    assert!(post.status == 200 && post.text().contains("typed"), "{post:?}");
    comes_back(&mut recipe);
}

/// Requests that nobody can close hold every connection: whoever comes now is told so, also where a dead verifier lets pass.
pub(super) fn at_its_limit_of_connections_nobody_passes(server: Server) {
    let few = |settings: Settings| settings.set("limits.max_connections", 4);
    let recipe = Recipe::start_with(server, Failure::Open, Unit::default(), few);
    let client = recipe.client();
    let cookie = buy(&client);
    let mut hanging = Vec::new();
    until_true(SOON, "all connections to be taken", || {
        let mut connection = client.connect().unwrap();
        connection.get_mut().write_all(&client.request("GET", "/hang").cookie(&cookie).bytes()).unwrap();
        hanging.push(connection);
        recipe.origin.count("/hang") >= 4
    });
    let begin = Instant::now();
    until_true(SOON, "health checks to have had time to take it for dead", || {
        let reply = recipe.client().request("GET", "/").try_send().unwrap();
        assert!(reply.status == 503 && !reply.is_from_origin(), "{reply:?}");
        assert_eq!(reply.header("retry-after"), Some("5"), "{reply:?}");
        begin.elapsed() > CHECKED_WITHIN
    });
    drop(hanging);
    // Only nginx notices at once that a visitor has gone; the others wait for the site.
    if server == Server::NginxChained {
        until_true(SOON, "the gate to stand again", || {
            recipe.client().request("GET", "/").try_send().is_ok_and(|reply| reply.status == 429)
        });
    }
}

pub(super) fn a_verifier_that_hangs_is_noticed(server: Server) {
    match server {
        Server::Nginx | Server::Caddy | Server::Envoy => asked(server),
        Server::Haproxy => checked(server),
        Server::NginxChained | Server::Apache => supervised(server),
    }
}

/// Where the server only asks, each request waits for less than 1.2 s, whatever the operator chose.
fn asked(server: Server) {
    for failure in [Failure::Open, Failure::Closed] {
        let recipe = Recipe::start(server, failure);
        recipe.client().navigate("/").expect_status(429);
        recipe.verifier.hang();
        let reply = soon(&recipe, "");
        match failure {
            Failure::Open => assert!(reply.status == 200 && reply.is_from_origin(), "{reply:?}"),
            Failure::Closed => assert!(reply.status >= 500 && !reply.is_from_origin(), "{reply:?}"),
        }
        recipe.verifier.go_on();
        serves_again(&recipe);
    }
}

/// Where its health is checked, it counts as dead after two checks.
fn checked(server: Server) {
    let recipe = Recipe::start(server, Failure::Open);
    recipe.client().navigate("/").expect_status(429);
    recipe.verifier.hang();
    let begin = Instant::now();
    until_true(SOON, "the health check to notice", || {
        // A request that came before waits until then, and not longer.
        recipe.client().request("GET", "/").try_send().is_ok_and(|reply| reply.status == 200)
    });
    assert!(begin.elapsed() < CHECKED_WITHIN, "{:?}", begin.elapsed());
    recipe.verifier.go_on();
    serves_again(&recipe);
}

/// Where nobody can tell it from a slow page, its unit ends it and starts it again.
fn supervised(server: Server) {
    let supervisor = Supervisor::of_the_shipped_unit();
    let unit = Unit { environment: supervisor.environment(), ..Unit::default() };
    let mut recipe = Recipe::start_with(server, Failure::Closed, unit, |settings| settings);
    recipe.client().navigate("/").expect_status(429);
    supervisor.wait_for("WATCHDOG=1");
    recipe.verifier.hang();
    let begin = Instant::now();
    let waiting = recipe.client();
    let visitor = std::thread::spawn(move || waiting.request("GET", "/").try_send());
    supervisor.wait_for_silence();
    recipe.verifier.crash();
    let interrupted = visitor.join().unwrap().unwrap();
    assert!((500..505).contains(&interrupted.status), "who waited is told: {interrupted:?}");
    recipe.verifier.start_again();
    serves_again(&recipe);
    assert!(begin.elapsed() < ENDED_WITHIN, "{:?}", begin.elapsed());
}

/// The last of five answers, of which most came soon: how busy the machine is at one moment, is not the question.
fn soon(recipe: &Recipe, cookie: &str) -> Reply {
    let mut answer = None;
    let mut times = [(); 5].map(|()| {
        let begin = Instant::now();
        answer = Some(recipe.client().request("GET", "/").cookie(cookie).try_send().unwrap());
        begin.elapsed()
    });
    times.sort();
    assert!(times[2] < DEAD_WITHIN, "{times:?}");
    answer.unwrap()
}

fn comes_back(recipe: &mut Recipe) {
    recipe.verifier.start_again();
    serves_again(recipe);
    let client = recipe.client();
    let cookie = buy(&client);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
}

/// The gate stands again, without anybody having touched the web server.
fn serves_again(recipe: &Recipe) {
    until_true(SOON, "the gate to be back", || {
        recipe.client().request("GET", "/").try_send().is_ok_and(|reply| reply.status == 429)
    });
}

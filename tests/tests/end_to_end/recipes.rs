//! What every recipe of `deploy/` promises, on the real web server, with the file that is shipped.

mod clients;
mod failures;
mod forgery;
mod visits;
mod wordpress;

/// Each promise becomes a test for each server.
macro_rules! on_every_server {
    ($($server:ident as $module:ident),* $(,)?) => {
        $(mod $module {
            use super::{clients, failures, forgery, visits};
            use tests::recipes::Server::$server;

            #[test]
            fn visitors_are_challenged_in_place_pay_once_and_pass() {
                visits::challenged_in_place_pay_once_and_pass($server);
            }

            #[test]
            fn a_browser_solves_and_arrives() {
                visits::a_browser_solves_and_arrives($server);
            }

            #[test]
            fn what_the_web_server_asks_is_out_of_a_strangers_reach() {
                forgery::what_the_web_server_asks_is_out_of_reach($server);
            }

            #[test]
            fn no_forged_request_gets_another_decision() {
                forgery::no_forged_request_gets_another_decision($server);
            }

            #[test]
            fn no_forged_address_gets_another_decision() {
                forgery::no_forged_address_gets_another_decision($server);
            }

            #[test]
            fn programs_get_their_bytes_untouched() {
                clients::programs_get_their_bytes_untouched($server);
            }

            #[test]
            fn a_dead_verifier_fails_closed_and_is_back_when_it_is_back() {
                failures::a_dead_verifier_fails_closed($server);
            }

            #[test]
            fn a_dead_verifier_fails_open_where_that_was_chosen() {
                failures::a_dead_verifier_fails_open($server);
            }

            #[test]
            fn a_verifier_that_hangs_is_noticed_in_time() {
                failures::a_verifier_that_hangs_is_noticed($server);
            }
        })*
    };
}

on_every_server!(
    Nginx as nginx,
    NginxChained as nginx_chained,
    Apache as apache,
    Caddy as caddy,
    Haproxy as haproxy,
    Envoy as envoy,
);

#[test]
fn nginx_keeps_its_connections_to_the_verifier() {
    visits::connections_are_kept(tests::recipes::Server::Nginx);
}

#[test]
fn nginx_sends_its_log_under_the_shipped_files() {
    visits::the_log_is_of_use(tests::recipes::Server::Nginx);
}

#[test]
fn behind_nginx_nobody_passes_at_the_limit_of_connections() {
    failures::at_its_limit_of_connections_nobody_passes(tests::recipes::Server::NginxChained);
}

#[test]
fn behind_apache_nobody_passes_at_the_limit_of_connections() {
    failures::at_its_limit_of_connections_nobody_passes(tests::recipes::Server::Apache);
}

#[test]
fn behind_haproxy_nobody_passes_at_the_limit_of_connections() {
    failures::at_its_limit_of_connections_nobody_passes(tests::recipes::Server::Haproxy);
}

#[test]
fn haproxy_in_a_chroot_finds_the_address_of_its_recipe_and_not_the_socket() {
    visits::in_a_chroot_the_address_is_found_and_the_socket_is_not();
}

#[test]
fn what_caddy_is_given_for_an_admitted_visitor_reaches_him() {
    visits::what_an_admitting_check_gives_reaches_the_visitor(tests::recipes::Server::Caddy, "204 No Content");
}

#[test]
fn what_envoy_is_given_for_an_admitted_visitor_reaches_him() {
    visits::what_an_admitting_check_gives_reaches_the_visitor(tests::recipes::Server::Envoy, "200 OK");
}

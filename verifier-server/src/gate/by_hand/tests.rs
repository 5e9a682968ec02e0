//! Rules and prices set by hand, tried on the gate itself.

use super::*;
use crate::gate::networks::HashKey;
use crate::gate::policy::Action;
use crate::gate::table::Table;
use crate::gate::target::Target;
use crate::gate::{Gate, Masters};
use puzzle::Master;
use std::path::Path;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn config() -> Config {
    let text = "mode = \"on\"\n[[site]]\nname = \"main\"\nhosts = [\"example.org\"]\norigin = \"http://127.0.0.1:1\"\n\
                [[site]]\nname = \"shop\"\nhosts = [\"shop.example\"]\norigin = \"http://127.0.0.1:1\"\n\
                [[rule]]\nname = \"feed\"\npath = \"/feed\"\naction = \"allow\"\n\
                [[rule]]\npath = \"/private/**\"\naction = \"deny\"\n";
    Config::parse(text, Path::new("test.toml")).expect("a configuration")
}

fn gate(config: &Config) -> Gate {
    let masters = Masters { signing: Master([1; 32]), old: None };
    let gate = Gate::new(masters, Table::new(1), NOW, config.mode, HashKey([1; 16]), NOW);
    gate.begin(config);
    gate
}

fn route(gate: &Gate, config: &Config, host: &str, target: &str, from: &str) -> Route {
    let (parsed, address) = (Target::parse(target), from.parse().expect("an address"));
    let subject =
        Subject { target: &parsed, has_query: false, host, address, crawler: None, method: Some("GET"), headers: None };
    gate.route(config, config.site_of(host).expect("a site"), &subject)
}

fn rule(action: HandAction, network: Option<&str>, path: Option<&str>) -> NewHandRule {
    NewHandRule { action, network: network.map(str::to_owned), path: path.map(str::to_owned), site: None, minutes: 60 }
}

#[test]
fn a_rule_asks_for_more_wherever_servers_read_its_path_and_opens_nothing() {
    let config = config();
    let gate = gate(&config);
    let before = route(&gate, &config, "example.org", "/feed", "203.0.113.9");
    assert_eq!(before.action, Action::Allow);
    gate.new_hand_rule(&rule(HandAction::Challenge, Some("203.0.113.77/24"), None), NOW).expect("a rule");
    gate.new_hand_rule(&rule(HandAction::Deny, None, Some("/search/**")), NOW).expect("a rule");
    let action = |target, from| route(&gate, &config, "example.org", target, from).action;
    assert_eq!(action("/feed", "203.0.113.9"), Action::Challenge, "more than the rule of the configuration");
    assert_eq!(action("/feed", "203.0.114.9"), Action::Allow);
    assert_eq!(action("/private/x", "203.0.113.9"), Action::Deny, "no less than the configuration says");
    for spelling in ["/search/a", "//search/a", "/%73earch/a", "/x/../search/a", "/search;x/a"] {
        assert_eq!(action(spelling, "198.51.100.1"), Action::Deny, "{spelling}");
    }
    assert_eq!(action("/search/a", "203.0.113.9"), Action::Deny, "of two the one that refuses");
    let raised = route(&gate, &config, "example.org", "/", "203.0.113.9");
    let named = gate.hand_rule_of(&raised, NOW).expect("a rule");
    assert_eq!(named.to_string(), "challenge every path from 203.0.113.0/24, 60 min left");
    assert!(config.policy.rule_of(&raised).is_none());
}

#[test]
fn a_rule_of_one_site_leaves_the_others_alone_and_ends_by_itself() {
    let config = config();
    let gate = gate(&config);
    let of_shop = NewHandRule { site: Some("shop".to_owned()), ..rule(HandAction::Deny, None, Some("/cart")) };
    gate.new_hand_rule(&of_shop, NOW).expect("a rule");
    let action = |host| route(&gate, &config, host, "/cart", "203.0.113.9").action;
    assert_eq!((action("shop.example"), action("example.org")), (Action::Deny, Action::Price));
    gate.tick(UnixSeconds(NOW.0 + 3_599));
    assert_eq!(action("shop.example"), Action::Deny);
    gate.tick(UnixSeconds(NOW.0 + 3_600));
    assert_eq!(action("shop.example"), Action::Price);
    assert_eq!(gate.hand_rules(NOW), []);
}

#[test]
fn slips_that_turn_everybody_away_and_more_than_there_is_room_for_are_refused() {
    let config = config();
    let gate = gate(&config);
    let refused = |new: &NewHandRule| gate.new_hand_rule(new, NOW).expect_err("refused");
    let deny = |network, path| rule(HandAction::Deny, network, path);
    assert_eq!(refused(&deny(None, None)), HandRuleError::Nothing);
    for wide in ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/3"] {
        assert_eq!(refused(&deny(Some(wide), None)), HandRuleError::TooWide, "{wide}");
    }
    for path in ["/**", "/*", "/**/*", "//**"] {
        assert_eq!(refused(&deny(None, Some(path))), HandRuleError::EveryPath, "{path}");
    }
    assert!(matches!(refused(&deny(Some("example.org"), None)), HandRuleError::Network(_)));
    assert!(matches!(refused(&deny(None, Some("search"))), HandRuleError::Path(_)));
    assert_eq!(refused(&NewHandRule { minutes: 0, ..deny(None, Some("/a")) }), HandRuleError::Minutes);
    for number in 0..HAND_RULES_MAX {
        let path = format!("/{number}");
        gate.new_hand_rule(&rule(HandAction::Deny, None, Some(&path)), NOW).expect("room");
    }
    assert_eq!(refused(&deny(None, Some("/one-more"))), HandRuleError::TooMany);
    let again = rule(HandAction::Challenge, None, Some("/7"));
    gate.new_hand_rule(&again, NOW).expect("the same again takes the place of the first");
    assert_eq!(gate.hand_rules(NOW).len(), HAND_RULES_MAX);
}

#[test]
fn a_price_is_held_within_its_bounds_and_for_its_time() {
    let config = config();
    let gate = gate(&config);
    let site = &config.sites[0];
    let terms = config.challenge_of(site);
    let (floor, price) = (terms.floor(), || gate.pricing(&config, site).price);
    assert_eq!(price(), floor);
    gate.pin_price(&config, site, Some(3 * floor), 10, NOW).expect("a price");
    assert_eq!(price(), 3 * floor);
    assert_eq!(gate.pricing(&config, &config.sites[1]).price, floor, "and at no other site");
    assert!(gate.pin_price(&config, site, Some(floor - 1), 10, NOW).is_err());
    assert!(gate.pin_price(&config, site, Some(u64::MAX), 10, NOW).is_err());
    assert_eq!(gate.pin_price(&config, site, Some(floor), 0, NOW), Err(PinError::Minutes));
    gate.set_mode(crate::config::Mode::Auto);
    assert_eq!(price(), 0, "an open gate asks nothing, whatever is held");
    gate.set_mode(crate::config::Mode::On);
    gate.tick(UnixSeconds(NOW.0 + 600));
    assert_eq!(price(), floor);
    gate.pin_price(&config, site, Some(2 * floor), 10, NOW).expect("a price");
    gate.pin_price(&config, site, None, 0, NOW).expect("let go");
    assert_eq!(price(), floor);
}

#[test]
fn both_outlast_a_restart_and_a_file_that_cannot_be_is_not_used() {
    let config = config();
    let folder = tempfile::tempdir().expect("a folder");
    let first = gate(&config);
    first.new_hand_rule(&rule(HandAction::Deny, Some("203.0.113.0/24"), Some("/search/**")), NOW).expect("a rule");
    first.pin_price(&config, &config.sites[0], Some(2 * config.challenge.floor()), 10, NOW).expect("a price");
    assert!(first.by_hand_changed());
    first.keep_by_hand(folder.path()).expect("kept");
    assert!(!first.by_hand_changed());

    let second = gate(&config);
    let kept = KeptByHand::read(folder.path()).expect("no error").expect("a file");
    second.take_by_hand(&kept, UnixSeconds(NOW.0 + 60)).expect("taken over");
    let [rule] = &second.hand_rules(UnixSeconds(NOW.0 + 60))[..] else { panic!("one rule") };
    assert_eq!(rule.to_string(), "deny /search/** from 203.0.113.0/24, 59 min left");
    assert_eq!(route(&second, &config, "example.org", "/search/a", "203.0.113.9").action, Action::Deny);
    assert_eq!(second.pricing(&config, &config.sites[0]).price, 2 * config.challenge.floor());

    let late = gate(&config);
    late.take_by_hand(&kept, UnixSeconds(NOW.0 + 3_600)).expect("taken over");
    assert_eq!(late.hand_rules(UnixSeconds(NOW.0 + 3_600)), [], "what has ended stays ended");
    let file = folder.path().join("by-hand");
    let text = std::fs::read_to_string(&file).expect("text");
    for broken in [
        text.replace("\"version\":1", "\"version\":2"),
        text.replace("203.0.113.0/24", "0.0.0.0/0"),
        text[..20].to_owned(),
    ] {
        std::fs::write(&file, &broken).expect("written");
        let taken = KeptByHand::read(folder.path()).and_then(|kept| late.take_by_hand(&kept.expect("a file"), NOW));
        assert!(taken.is_err(), "{broken}");
    }
    assert_eq!(late.hand_rules(NOW), []);
}

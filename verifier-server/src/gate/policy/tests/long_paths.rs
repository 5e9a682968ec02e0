//! Odd paths that are too long to be read in every way.

use super::*;
use crate::gate::policy::unread::Unread;

/// An odd path beyond what is read.
fn long() -> String {
    format!("/free/{}", "a/../".repeat(1_000))
}

#[test]
fn they_pay_the_dearest_of_the_rules_for_any_path() {
    let policy = policy(&[("/free/**", acting(Action::Allow)), ("/dear", acting(Action::Challenge))]);
    assert_eq!(route(&policy, &to(&long())).action, Action::Challenge);
}

#[test]
fn rules_for_another_host_method_network_or_header_do_not_count() {
    let no = acting(Action::Deny);
    let of_others = [
        (Conditions { hosts: hosts(&["shop.example.org", "*.test"]).hosts, ..paths(&["/a"]) }, no),
        (Conditions { methods: methods(&["DELETE"]).methods, ..paths(&["/b"]) }, no),
        (Conditions { networks: networks(&["203.0.113.0/24"]).networks, ..paths(&["/c"]) }, no),
        (Conditions { headers: header("x-odd", HeaderValueIs::Present).headers, ..paths(&["/d"]) }, no),
        (Conditions { without_query: true, ..paths(&["/e"]) }, no),
    ];
    let dear = Route { cost: Credits::whole(7), ..Route::DEFAULT };
    let policy = with_conditions(of_others.into_iter().chain([(paths(&["/f"]), dear)]).collect());
    let (long, with_query) = (long(), format!("{}?q", long()));
    let plain = Sent { target: &with_query, ..SENT };
    let found = route(&policy, &plain);
    assert_eq!((found.action, found.cost, found.rule), (Action::Price, Credits::whole(7), Some(5)));
    for meant in [
        Sent { host: "shop.example.org", ..plain },
        Sent { host: "a.test", ..plain },
        Sent { method: Some("delete"), ..plain },
        Sent { headers: &[("x-http-method", "PUT, DELETE")], ..plain },
        Sent { address: "203.0.113.9", ..plain },
        Sent { headers: &[("x-odd", "1")], ..plain },
        Sent { target: &long, ..plain },
    ] {
        assert_eq!(route(&policy, &meant).action, Action::Deny);
    }
}

#[test]
fn ten_thousand_rules_of_a_kind_are_looked_at_as_one_and_of_ten_thousand_kinds_by_fewer_conditions() {
    let built = |rules: Vec<(Conditions, Route)>| {
        let mut builder = PolicyBuilder::default();
        for (conditions, route) in rules {
            builder.add(None, conditions, route, false).expect("a rule");
        }
        builder
    };
    let path = |number: u32| paths(&[&format!("/{number}")]);
    let alike = built((0..10_000).map(|number| (path(number), acting(Action::Deny))).collect());
    assert_eq!(Unread::new(&alike.rules).expect("rules").groups.len(), 1);
    let by_host = |number: u32| hosts(&[&format!("{number}.example.org")]).hosts;
    let of_hosts = |number| (Conditions { hosts: by_host(number), ..path(number) }, acting(Action::Deny));
    let policy = built((0..10_000).map(of_hosts).collect()).build().expect("rules");
    assert_eq!(policy.unread.groups.len(), 10_000);
    assert_eq!(route(&policy, &Sent { host: "9.example.org", ..to(&long()) }).action, Action::Deny);
    assert_eq!(route(&policy, &to(&long())).action, Action::Price);
    // Nothing but their methods tells these apart: then those are not looked at, which only makes dearer.
    let of_methods = |number: u32| {
        (Conditions { methods: methods(&[&format!("M{number}")]).methods, ..path(number) }, acting(Action::Deny))
    };
    let policy = built((0..10_000).map(of_methods).collect()).build().expect("rules");
    assert_eq!(policy.unread.groups.len(), 1);
    assert_eq!(route(&policy, &to(&long())).action, Action::Deny);
}

#[test]
fn what_is_not_known_of_a_request_holds_for_who_asks_work_and_not_for_who_refuses() {
    let of = |action| {
        let posts = Conditions { methods: methods(&["POST"]).methods, ..paths(&["/a"]) };
        with_conditions(vec![(posts, acting(action))])
    };
    let long = long();
    let unknown = Sent { method: None, ..to(&long) };
    assert_eq!(route(&of(Action::Challenge), &unknown).action, Action::Challenge);
    assert_eq!(route(&of(Action::Deny), &unknown).action, Action::Price);
}

use super::*;
use proptest::prelude::*;

fn conditions() -> impl Strategy<Value = Conditions> {
    let path = prop::sample::subsequence(
        vec!["/**", "/a/**", "/a/b", "/*/b", "/a/*.css", "/**/c", "/b", "/login.php", "/*.php"],
        0..3,
    );
    let method = prop::sample::subsequence(vec!["GET", "POST"], 0..2);
    let net = prop::sample::subsequence(vec!["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"], 0..3);
    let host = prop::sample::subsequence(vec!["a.test", "*.test", "b.example"], 0..2);
    let header_name = prop::sample::select(vec![None, None, None, Some("cookie"), Some("x-a")]);
    let bot = prop::sample::select(vec![false, false, true]);
    (path, method, net, host, header_name, bot).prop_map(|(path, method, net, host, header_name, bot)| Conditions {
        paths: paths(&path).paths,
        methods: methods(&method).methods,
        networks: if net.is_empty() { Vec::new() } else { networks(&net).networks },
        crawlers: if bot { crawlers(&["bot.example"]).crawlers } else { Vec::new() },
        hosts: hosts(&host).hosts,
        headers: header_name.map(|name| header(name, HeaderValueIs::Present).headers).unwrap_or_default(),
        without_query: false,
    })
}

fn any_route() -> impl Strategy<Value = Route> {
    let action = prop::sample::select(vec![Action::Allow, Action::Price, Action::Challenge, Action::Deny]);
    (action, 1_u32..5, any::<bool>(), 0_u64..3).prop_map(|(action, cost, asset, min_price)| Route {
        action,
        cost: Credits::whole(cost),
        asset: asset && action == Action::Price,
        min_price,
        ..Route::DEFAULT
    })
}

proptest! {
    #[test]
    fn the_index_decides_like_a_look_at_every_rule(
        rules in prop::collection::vec((conditions(), any_route()), 0..12),
        target in prop::sample::select(vec![
            "/", "/a", "/a/", "/a/b", "/a/b/", "/a/x.css", "/x/y/c", "/b", "/b/", "/login.php", "/login.php/c",
        ]),
        host in prop::sample::select(vec!["a.test", "x.test", "b.example", "test"]),
        address in prop::sample::select(vec!["10.1.2.3", "10.2.2.3", "192.0.2.1", "2001:db8::1", "::1"]),
        method in prop::sample::select(vec![None, Some("GET"), Some("HEAD"), Some("POST"), Some("post")]),
        with_header in any::<bool>(),
        crawler in prop::sample::select(vec![None, Some("a.bot.example"), Some("a.other.example")]),
    ) {
        let policy = with_conditions(rules);
        let headers: HeaderMap =
            with_header.then(|| ("cookie".parse().unwrap(), HeaderValue::from_static("a=1"))).into_iter().collect();
        let target = Target::parse(target);
        let address = address.parse().unwrap();
        let subject =
            Subject { target: &target, has_query: false, host, address, crawler, method, headers: Some(&headers) };
        // Which of several equal rules is named does not matter.
        let Target::Plain(path) = &target else { panic!("read in several ways") };
        let found = Route { rule: None, ..policy.of_path(&Request::new(&subject, &[]), path) };
        let scanned = Route { rule: None, ..policy.route_by_scan(&subject) };
        prop_assert_eq!(found, scanned);
    }

    #[test]
    fn methods_in_headers_are_held_against_the_rules_like_one_after_the_other(
        rules in prop::collection::vec((conditions(), any_route()), 0..12),
        target in prop::sample::select(vec!["/a/b", "/a//b", "/login.php/c", "/b/", "/%61/b;x"]),
        method in prop::sample::select(vec![None, Some("GET"), Some("PUT")]),
        overriding in prop::sample::select(vec!["POST", "GET,HEAD", "x, y", "post, GET", "HEAD"]),
    ) {
        let policy = with_conditions(rules);
        let headers: HeaderMap = [(HeaderName::from_static("x-http-method"), HeaderValue::from_static(overriding))]
            .into_iter()
            .collect();
        let target = Target::parse(target);
        let (host, address) = ("a.test", "10.1.2.3".parse().unwrap());
        let subject =
            Subject { target: &target, has_query: false, host, address, crawler: None, method, headers: Some(&headers) };
        let request = Request::new(&subject, &policy.methods);
        let paths = match &target {
            Target::Plain(path) => vec![path.to_string()],
            Target::Odd(readings) => readings.clone(),
            Target::TooLong => panic!("read in no way"),
        };
        for path in paths {
            let found = Route { rule: None, ..policy.of_path(&request, &path) };
            let one_by_one = request.dearest_method(Reading::new(&request, &path), |reading| policy.of_reading(reading));
            prop_assert_eq!(found, Route { rule: None, ..one_by_one });
        }
    }

    #[test]
    fn no_header_makes_anything_cheaper(
        rules in prop::collection::vec((conditions(), any_route()), 0..12),
        target in prop::sample::select(vec!["/", "/a/b", "/a/x.css", "/b"]),
    ) {
        // What a configuration may not say is left out.
        let rules = rules.into_iter().filter(|(conditions, route)| {
            conditions.headers.is_empty() || (conditions.are_strangers_words() && route.is_strict() && !route.is_lax())
        });
        let policy = with_conditions(rules.collect());
        let without = route(&policy, &to(target));
        let with = route(&policy, &Sent { headers: &[("cookie", "1"), ("x-a", "1")], ..to(target) });
        prop_assert!(with.action >= without.action && with.cost >= without.cost);
        prop_assert!(with.min_price >= without.min_price && (without.asset || !with.asset));
    }
}

//! What is set by hand, in lines for the terminal.

use super::top::shown;
use serde_json::Value;

/// A line for each rule made by hand and each price that is held.
pub(super) fn lines(status: &Value) -> Vec<String> {
    let minutes = |of: &Value| of["expires_in"].as_u64().unwrap_or_default().div_ceil(60);
    let rules = status["rules_by_hand"].as_array().into_iter().flatten().map(|rule| {
        let text = |key: &str| rule[key].as_str().map(shown);
        let path = text("path").unwrap_or_else(|| "every path".to_owned());
        let network = text("network").map(|network| format!(" from {network}")).unwrap_or_default();
        let site = text("site").map(|site| format!(" on {site}")).unwrap_or_default();
        let action = text("action").unwrap_or_default();
        format!("by hand    rule {}: {action} {path}{network}{site}, {} min left", rule["number"], minutes(rule))
    });
    let pins =
        status["sites"].as_array().into_iter().flatten().filter(|site| site["price_pin"].is_object()).map(|site| {
            let (name, pin) = (site["name"].as_str().unwrap_or("?"), &site["price_pin"]);
            format!(
                "by hand    {name}: price held at {} while the gate is down, {} min left",
                pin["price"],
                minutes(pin)
            )
        });
    rules.chain(pins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_and_held_prices_have_a_line_each() {
        let rule = json!({ "number": 3, "action": "deny", "network": "203.0.113.0/24", "path": null, "site": null, "expires_in": 61 });
        let site = json!({ "name": "main", "price_pin": { "price": 500_000, "expires_in": 60 } });
        let told = lines(&json!({ "rules_by_hand": [rule], "sites": [site, { "name": "other", "price_pin": null }] }));
        assert_eq!(
            told,
            [
                "by hand    rule 3: deny every path from 203.0.113.0/24, 2 min left",
                "by hand    main: price held at 500000 while the gate is down, 1 min left",
            ]
        );
    }
}

//! Headers that rules and API keys look at, and that Envoy does not pass on under the recipe: there they would never hold.

use crate::gate::api_keys::ApiKeys;
use crate::gate::policy::Policy;

/// What `allowed_headers` of deploy/envoy/envoy.yaml names.
const PASSED_ON: [&str; 13] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "cookie",
    "portcullis-clearance",
    "accept",
    "accept-language",
    "user-agent",
    "x-method-override",
    "origin",
    "access-control-request-method",
    "x-requested-with",
    "hx-request",
    "turbo-frame",
];
/// And by their beginnings.
const PASSED_ON_FROM: [&str; 2] = ["x-http-method", "sec-fetch-"];
/// What `ext_authz` passes on by itself.
const ALWAYS_PASSED_ON: [&str; 3] = ["host", "content-length", "authorization"];

/// A warning for each rule and each API key that looks at another header.
pub(super) fn warnings(policy: &Policy, api_keys: &ApiKeys) -> Vec<String> {
    let of_rules = policy.rules().iter().flat_map(|rule| {
        let headers = rule.conditions.headers.iter().map(|header| header.name.as_str());
        headers.map(|header| (format!("the rule `{}`", rule.told()), header))
    });
    let of_keys = api_keys.keys().iter().map(|key| (format!("the API key `{}`", key.name), key.header.as_str()));
    let unheard = of_rules.chain(of_keys).filter(|(_, header)| !is_passed_on(header));
    let warning = |(who, header): (String, &str)| {
        format!(
            "{who} looks at the header {header}, which Envoy does not pass on under the recipe: write `- exact: {header}` \
             under allowed_headers in envoy.yaml"
        )
    };
    unheard.map(warning).collect()
}

fn is_passed_on(header: &str) -> bool {
    PASSED_ON.contains(&header)
        || ALWAYS_PASSED_ON.contains(&header)
        || PASSED_ON_FROM.iter().any(|beginning| header.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_those_of_the_recipe() {
        let recipe = include_str!("../../../deploy/envoy/envoy.yaml");
        let (_, list) = recipe.split_once("allowed_headers:").expect("a list");
        let (list, _) = list.split_once("http_service:").expect("what follows it");
        let named =
            |kind: &str| -> Vec<&str> { list.lines().filter_map(|line| line.trim().strip_prefix(kind)).collect() };
        assert_eq!(named("- exact: "), PASSED_ON);
        assert_eq!(named("- prefix: "), PASSED_ON_FROM);
        assert_eq!(list.matches("- ").count(), PASSED_ON.len() + PASSED_ON_FROM.len(), "no other kind of pattern");
    }
}

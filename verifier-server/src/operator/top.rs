//! Who asks most, in lines for the terminal.

use crate::gate::top::printable;
use serde_json::Value;

/// How many of each kind are shown; `GET /status` has more.
const SHOWN_MAX: usize = 5;
/// Characters of a name that are shown.
const NAME_CHARS_MAX: usize = 60;

/// A line for each of the heaviest; none where nothing came.
pub(super) fn lines(top: &Value) -> Vec<String> {
    let seconds = &top["seconds"];
    let mut lines = Vec::new();
    for (kind, title) in
        [("networks", "network"), ("paths", "path"), ("user_agents", "user agent"), ("reasons", "refused")]
    {
        for heavy in top[kind].as_array().into_iter().flatten().take(SHOWN_MAX) {
            let name = heavy["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("(none)");
            let name = shown(name);
            let site = heavy["site"].as_str().map(|site| format!(" on {site}")).unwrap_or_default();
            let (requests, away) = (&heavy["requests"], &heavy["turned_away"]);
            lines.push(format!("{title:<10} {name}{site}: {requests} in {seconds} s, {away} turned away"));
        }
    }
    lines
}

/// What a stranger wrote, cut, and without what would move the line about on a terminal.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_heaviest_are_named_with_their_counts() {
        let path = json!({ "name": "/login", "site": "shop", "requests": 12, "turned_away": 9 });
        let agent = json!({ "name": "", "requests": 12, "turned_away": 9 });
        let told = lines(&json!({ "seconds": 40, "networks": [], "paths": [path], "user_agents": [agent] }));
        assert_eq!(told[0], "path       /login on shop: 12 in 40 s, 9 turned away");
        assert_eq!(shown("a\u{202e}b\u{1b}[2Jc\u{2066}"), "a\u{fffd}b\u{fffd}[2Jc\u{fffd}");
        assert_eq!(told[1], "user agent (none): 12 in 40 s, 9 turned away");
    }
}

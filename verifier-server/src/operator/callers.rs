//! The programs that a site turns away, or would: with the rules to paste.

use serde_json::Value;

/// Lines about the callers in the status of a site: while its gate is down, and for a dry run; at all times those that a rule
/// made by hand turns away.
pub(super) fn lines(site: &Value, dry_run: bool) -> Vec<String> {
    let is_down = site["mode"] == "on" || (site["mode"] == "auto" && site["state"] != "calm");
    let callers = site["callers"].as_array().map_or(&[][..], Vec::as_slice);
    let (by_hand, asked): (Vec<&Value>, Vec<&Value>) = callers.iter().partition(|caller| caller["by_hand"].is_string());
    let name = site["name"].as_str().unwrap_or("?");
    let mut lines = Vec::new();
    if !by_hand.is_empty() {
        lines.push(format!("callers    {name}: a rule made by hand turns these programs away now"));
        for caller in by_hand {
            lines.push(line(caller));
            lines.push(format!("               {}", caller["by_hand"].as_str().unwrap_or("?")));
        }
    }
    if !is_down && !dry_run {
        return lines;
    }
    let is = if is_down { "are turned away" } else { "would be turned away" };
    if asked.is_empty() {
        let none = format!("callers    {name}: no programs that come regularly {is}");
        lines.extend((dry_run && lines.is_empty()).then_some(none));
        return lines;
    }
    lines.push(format!("callers    {name}: these programs {is}; look at what each is before you let it pass"));
    for caller in asked {
        lines.push(line(caller));
        match caller["rule"].as_str() {
            Some(rule) => lines.extend(rule.lines().map(|line| format!("               {line}"))),
            None => lines.push("               no rule yet: it has not come on enough days".to_owned()),
        }
    }
    lines
}

fn line(caller: &Value) -> String {
    let text = |key: &str| caller[key].as_str().unwrap_or("?").to_owned();
    let days_ago = caller["first_seen_seconds_ago"].as_u64().unwrap_or_default() / 86_400;
    let minutes_ago = caller["last_seen_seconds_ago"].as_u64().unwrap_or_default() / 60;
    format!(
        "           {} {} from {}: {} times on {} days since {days_ago} days ago, last {minutes_ago} min ago",
        text("method"),
        text("path"),
        text("network"),
        caller["requests"],
        caller["days"]
    )
}

//! The programs that a site turns away, or would: with the rules to paste.

use serde_json::Value;

/// Lines about the callers in the status of a site: while its gate is down, and for a dry run.
pub(super) fn lines(site: &Value, dry_run: bool) -> Vec<String> {
    let is_down = site["mode"] == "on" || (site["mode"] == "auto" && site["state"] != "calm");
    let callers = site["callers"].as_array().map_or(&[][..], Vec::as_slice);
    if !is_down && !dry_run {
        return Vec::new();
    }
    let name = site["name"].as_str().unwrap_or("?");
    let is = if is_down { "are turned away" } else { "would be turned away" };
    if callers.is_empty() {
        let none = format!("callers    {name}: no programs that come regularly {is}");
        return if dry_run { vec![none] } else { Vec::new() };
    }
    let mut lines =
        vec![format!("callers    {name}: these programs {is}; look at what each is before you let it pass")];
    for caller in callers {
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

//! The forms of a report, with names that strangers chose to do harm.

use super::*;
use crate::timeline::{Source, Spared};
use pulldown_cmark::{Event, Options, Parser, Tag};

/// Names that mean something to those who read them: markup, formulas, terminals, patterns.
const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</title></code><h1>",
    "`code` | cell | ``more``",
    "[click](javascript:alert(1)) ![x](http://evil/)",
    "|a|b|\n| - | - |",
    "=HYPERLINK(\"http://evil\")",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "/invoice\u{202e}fdp.exe\u{2066}",
    "a'] OR [ipv4-addr:value = '1.2.3.4",
    "back\\slash\\|\\`",
];

pub(super) fn source(name: &str, requests: u64, turned_away: u64, paid: u64) -> Source {
    Source { name: name.to_owned(), requests, turned_away, paid, spared: None }
}

/// An attack with two networks that may be blocked and one that may not.
pub(super) fn attack() -> Attack {
    let mut attack = crate::timeline::tests_attack(7);
    attack.sources.networks = vec![
        source("198.51.100.0/24", 1_200, 1_100, 0),
        source("2001:db8:0:100::/56", 100, 90, 0),
        Source { spared: Some(Spared::Paid), ..source("203.0.113.0/24", 80, 60, 20) },
    ];
    attack.sources.paths = vec![source("/xmlrpc.php", 1_000, 900, 0)];
    attack.sources.user_agents = vec![source("flood/1.0", 1_200, 1_100, 0)];
    attack.sources.reasons = vec![source("used", 3, 3, 0)];
    attack
}

fn hostile() -> Attack {
    let mut attack = attack();
    attack.sources.paths = HOSTILE.iter().map(|name| source(name, 1_000, 900, 0)).collect();
    attack.sources.user_agents.clone_from(&attack.sources.paths);
    attack
}

pub(super) fn with_facts<R>(attack: &Attack, look: impl FnOnce(&Facts<'_>) -> R) -> R {
    let asn = asn::Asn { number: 64_500, name: "<b>Example</b>".to_owned() };
    let asns = Asns::from([("198.51.100.0/24".parse().expect("a network"), asn)]);
    let times = Times::new(Some("UTC")).expect("a zone");
    look(&Facts { attack, trusted: &[], asns: &asns, times: &times })
}

fn told(attack: &Attack, format: Format) -> String {
    with_facts(attack, |facts| report(facts, format))
}

#[test]
fn every_form_has_the_figures_of_the_record() {
    let attack = attack();
    for (format, figures) in [
        (Format::Html, ["Attack 7 on", "198.51.100.0/24", "1,100", "262,144", "flood/1.0", "AS64500"]),
        (Format::Md, ["# Attack 7 on", "198.51.100.0/24", "1,100", "262,144", "flood/1.0", "AS64500"]),
        (Format::Json, ["\"number\": 7", "198.51.100.0/24", "1100", "262144", "flood/1.0", "64500"]),
        (Format::Csv, ["attack 7", "198.51.100.0/24", ",1200,1100,", ",262144,", "flood/1.0", "AS64500"]),
        (Format::Stix, ["Attack 7 on main", "198.51.100.0/24", "1100", "1200", "flood/1.0", "64500"]),
    ] {
        let text = told(&attack, format);
        for figure in figures {
            assert!(text.contains(figure), "{format:?}: {figure} in {text}");
        }
    }
}

#[test]
fn no_form_passes_on_what_is_unseen() {
    for format in [Format::Html, Format::Md, Format::Csv] {
        let text = told(&hostile(), format);
        let unseen = text.chars().find(|letter| !matches!(letter, '\n' | '\r') && crate::gate::top::is_unseen(*letter));
        assert_eq!(unseen, None, "{format:?}");
        assert!(text.contains("fdp.exe"), "{format:?}");
    }
    for format in [Format::Json, Format::Stix] {
        let text = told(&hostile(), format);
        assert!(!text.contains('\u{1b}'), "JSON escapes control characters");
    }
}

#[test]
fn names_are_no_markup_of_the_page() {
    let page = told(&hostile(), Format::Html);
    let tags = |page: &str| {
        let names = page.split('<').skip(1).map(|tag| tag.split([' ', '>']).next().unwrap_or_default().to_owned());
        names.filter(|name| !name.starts_with('/')).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(
        tags(&page),
        tags(&told(
            &{
                let mut plain = hostile();
                for list in [&mut plain.sources.paths, &mut plain.sources.user_agents] {
                    list.iter_mut().enumerate().for_each(|(number, source)| source.name = format!("plain{number}"));
                }
                plain
            },
            Format::Html
        ))
    );
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>Example"));
    assert!(page.contains("default-src 'none'") && !page.contains("http://evil/\""));
}

#[test]
fn names_are_code_in_markdown_and_nothing_else() {
    let text = told(&hostile(), Format::Md);
    let parser = Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut code = Vec::new();
    let mut cells = 0;
    let mut rows = Vec::new();
    for event in parser {
        match event {
            Event::Code(name) => code.push(name.to_string()),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(pulldown_cmark::TagEnd::TableRow) => rows.push(cells),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::Html(_) | Event::InlineHtml(_) => {
                panic!("{event:?}")
            }
            _ => {}
        }
    }
    for name in HOSTILE {
        let shown = escape::visible(name);
        assert!(code.contains(&shown), "{shown} in {code:?}");
    }
    assert!(rows.iter().all(|cells| (2..=5).contains(cells)), "{rows:?}");
}

#[test]
fn a_table_for_spreadsheets_has_as_many_cells_in_every_row_and_no_formula() {
    let text = told(&hostile(), Format::Csv);
    let rows: Vec<Vec<String>> = text.split_terminator("\r\n").map(cells_of).collect();
    assert!(rows.len() > 20);
    for row in &rows {
        assert_eq!(row.len(), 17, "{row:?}");
        assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{row:?}");
    }
    assert!(rows.iter().any(|row| row[1] == "'=HYPERLINK(\"http://evil\")"));
}

/// The cells of a line of CSV.
fn cells_of(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                cell.push('"');
                letters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    assert!(!quoted, "{line}");
    cells.push(cell);
    cells
}

#[test]
fn a_bundle_is_the_same_every_time_and_refers_to_itself_alone() {
    let text = told(&hostile(), Format::Stix);
    assert_eq!(text, told(&hostile(), Format::Stix));
    let bundle: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let objects = bundle["objects"].as_array().expect("objects");
    let ids: std::collections::BTreeSet<&str> = objects.iter().filter_map(|object| object["id"].as_str()).collect();
    assert_eq!(ids.len(), objects.len());
    for object in objects {
        let kind = object["type"].as_str().expect("a type");
        let id = object["id"].as_str().and_then(|id| id.strip_prefix(&format!("{kind}--"))).expect("an id of its type");
        let id = uuid::Uuid::parse_str(id).expect("a UUID");
        assert_eq!((id.get_version_num(), id.get_variant()), (5, uuid::Variant::RFC4122), "{object}");
        for field in ["created_by_ref", "source_ref", "target_ref"] {
            assert!(
                object.get(field).is_none_or(|to| ids.contains(to.as_str().expect("an id"))),
                "{field} of {object}"
            );
        }
        let refs = object["object_refs"].as_array().into_iter().flatten();
        assert!(refs.clone().all(|to| ids.contains(to.as_str().expect("an id"))), "{object}");
    }
    let count = |kind: &str| objects.iter().filter(|object| object["type"] == kind).count();
    // Two networks; paths and user agents but for what was not sent so.
    assert_eq!(count("indicator"), 2 + 2 * HOSTILE.len());
    assert_eq!((count("report"), count("observed-data"), count("incident")), (1, 3, 1));
}

#[test]
fn observables_have_the_ids_that_others_give_them() {
    // As the reference implementation (stix2 for Python, 3.0.1) makes them.
    let text = told(&attack(), Format::Stix);
    for id in IDS_OF_OTHERS {
        assert!(text.contains(id), "{id}");
    }
}

/// `ipv4-addr` of 198.51.100.0/24 and `autonomous-system` of 64500.
const IDS_OF_OTHERS: [&str; 2] =
    ["ipv4-addr--1ea47840-aa39-5aa8-b4a2-cd203eb6662a", "autonomous-system--0a5f7072-df00-5729-9f0a-4eb18631a446"];

//! docs/ACCESSIBILITY.md names every criterion of WCAG 2.2 A and AA, and only tests that there are.

use std::path::Path;

/// By guideline, how many criteria of A and AA it has, and which of its numbers are AAA or gone.
const GUIDELINES: [(&str, u32, &[u32]); 13] = [
    ("1.1", 1, &[]),
    ("1.2", 0, &[]),
    ("1.3", 5, &[]),
    ("1.4", 13, &[6, 7, 8, 9]),
    ("2.1", 4, &[3]),
    ("2.2", 2, &[]),
    ("2.3", 1, &[]),
    ("2.4", 11, &[8, 9, 10]),
    ("2.5", 8, &[5, 6]),
    ("3.1", 2, &[]),
    ("3.2", 6, &[5]),
    ("3.3", 8, &[5, 6]),
    ("4.1", 3, &[1]),
];

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn every_criterion_is_in_the_list() {
    let text = read("../docs/ACCESSIBILITY.md");
    let (_, list) = text.split_once("\n## The pages\n").unwrap();
    let (list, _) = list.split_once("\n## ").unwrap();
    let named: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.split([' ', ',']))
        .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    for (guideline, most, without) in GUIDELINES {
        for number in (1..=most).filter(|number| !without.contains(number)) {
            let criterion = format!("{guideline}.{number}");
            // Of some guidelines nothing is there that could fail.
            let known = named.iter().any(|name| *name == criterion || *name == guideline);
            assert!(known, "{criterion} is missing: {named:?}");
        }
    }
}

#[test]
fn every_test_that_it_names_is_there() {
    let criteria = read("../docs/ACCESSIBILITY.md");
    let names: Vec<_> = criteria.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect();
    assert!(names.len() > 30, "{names:?}");
    for (module, test) in names {
        let source = read(&format!("tests/end_to_end/{module}.rs"));
        // Those of one condition in each engine are listed by name.
        let test = test.rsplit("::").next().unwrap();
        let test = test.split('…').next().unwrap();
        assert!(source.contains(&format!("fn {test}")), "{module}::{test}");
    }
}

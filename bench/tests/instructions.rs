//! How many instructions the way of a request takes, counted by callgrind: a regression shows without a clock.
//!
//! Hashing is left out of the count: valgrind hides the SHA instructions from the program, which then hashes in software.
//! The counts are those of the profile that tests are built with, and of the compiler and the processor: the C library copies
//! memory by what the processor can, and table lookups depend on random keys. A limit leaves a fifth for that.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::fs;
use std::process::Command;

/// The difference between two runs is what the times between them take, without what comes before and after.
const FEW: u64 = 100;
const MANY: u64 = 500;

// Instructions besides hashing.
const ISSUE_MAX: u64 = 18_000;
const REDEEM_MAX: u64 = 18_000;
const REFUSE_MAX: u64 = 7_200;
const QUEUE_MAX: u64 = 1_250;
const ADMIT_MAX: u64 = 19_500;

#[test]
fn a_challenge_is_issued_and_solved_in_few_instructions() {
    at_most("issue", ISSUE_MAX);
}

#[test]
fn a_solution_is_redeemed_in_few_instructions() {
    at_most_more_than("redeem", "issue", REDEEM_MAX);
}

#[test]
fn a_forged_challenge_is_refused_in_few_instructions() {
    at_most_more_than("refuse", "issue", REFUSE_MAX);
}

#[test]
fn a_paid_request_is_admitted_in_few_instructions() {
    at_most("admit", ADMIT_MAX);
}

#[test]
fn the_queue_of_an_origin_that_has_room_costs_few_instructions() {
    at_most("queue", QUEUE_MAX);
}

#[track_caller]
fn at_most(kind: &str, limit: u64) {
    judge(kind, each(kind), limit);
}

/// Where one thing needs another before it: only what it adds.
#[track_caller]
fn at_most_more_than(kind: &str, before: &str, limit: u64) {
    judge(kind, each(kind).saturating_sub(each(before)), limit);
}

#[track_caller]
fn judge(kind: &str, taken: u64, limit: u64) {
    println!("{kind}: {taken} instructions besides hashing, at most {limit}");
    assert!(taken <= limit, "{kind} takes {taken} instructions besides hashing; its limit is {limit}");
    assert!(2 * taken > limit, "{kind} takes {taken} instructions only: lower its limit of {limit}");
}

/// Instructions of one time, hashing left out.
fn each(kind: &str) -> u64 {
    let [few, many] = [FEW, MANY].map(|times| counted(kind, times));
    many.saturating_sub(few) / (MANY - FEW)
}

fn counted(kind: &str, times: u64) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("callgrind.out");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--trace-children=no"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .args([env!("CARGO_BIN_EXE_counted"), kind, &times.to_string()])
        .output()
        .expect("valgrind, which `cargo xtask test` installs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    besides_hashing(&fs::read_to_string(output).unwrap())
}

/// The sum of what functions take themselves, by callgrind's format. `fn=(1) name` begins a function, `cfn=(2) name` says
/// what it calls next; from its second time on a name is left out. A line that begins with a place in the source ends with
/// a cost, and the one after `calls=` is that of the called.
fn besides_hashing(profile: &str) -> u64 {
    let mut hashes = HashMap::new();
    let mut is_hashing = |function: &str| {
        let (id, name) = function.split_once(' ').unwrap_or((function, ""));
        if !name.is_empty() {
            hashes.insert(id.to_owned(), name.contains("sha2"));
        }
        hashes.get(id).copied().unwrap_or_default()
    };
    let mut hashing = false;
    let mut called = false;
    let mut sum = 0;
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            hashing = is_hashing(function);
        } else if let Some(function) = line.strip_prefix("cfn=") {
            is_hashing(function);
        } else if line.starts_with("calls=") {
            called = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.rsplit(' ').next().and_then(|cost| cost.parse::<u64>().ok()).unwrap_or_default();
            sum += if called || hashing { 0 } else { cost };
            called = false;
        }
    }
    sum
}

//! Tokens of forms: sold in every mode, used once, and never more of them than a quarter of the table.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stage;

use data_encoding::HEXLOWER;
use puzzle::{ClearanceId, Refusal, UnixSeconds};
use sha2::{Digest, Sha256};
use stage::{HOME, MASTER, NOW, Paid, Stage, network};
use std::collections::BTreeSet;
use verifier_server::config::Mode;
use verifier_server::gate::{Decision, NoGood, Redeemed, Worth};

const SITES: &str = "[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\n\
                     [[site]]\nname = \"other\"\nhosts = [\"other.test\"]\norigin = \"http://127.0.0.1:1\"\n";
const CHEAP: &str = "[challenge]\ncount = 2\ndifficulty = 64\n";

fn key(name: &str, more: &str) -> String {
    let digest = HEXLOWER.encode(&Sha256::digest(format!("the secret of {name}")));
    format!("[[site_key]]\nkey = \"{name}\"\nsite = \"main\"\nsha256 = \"{digest}\"\n{more}")
}

fn config(mode: &str) -> String {
    format!("mode = \"{mode}\"\ntable_mib = 1\n{SITES}{CHEAP}{}{}", key("contact", ""), key("shop", ""))
}

fn token(stage: &Stage, paid: &Paid, now: UnixSeconds) -> String {
    match stage.redeem_form(paid, ("sign-up", "42"), HOME, now) {
        Ok(Redeemed::Token { token, expires_in, .. }) => {
            assert!((1..=300).contains(&expires_in));
            token.into()
        }
        other => panic!("{other:?}"),
    }
}

fn bought(stage: &Stage, now: UnixSeconds) -> String {
    token(stage, &stage.solve_form("contact", HOME, now), now)
}

#[test]
fn it_is_sold_in_every_mode_and_used_once() {
    for mode in ["off", "auto", "on"] {
        let stage = Stage::new(&config(mode));
        let paid = stage.solve_form("contact", HOME, NOW);
        assert_eq!(paid.work(), 128, "{mode}: the floor");
        let text = token(&stage, &paid, NOW);
        assert_eq!(token(&stage, &paid, NOW.plus(5)), text, "{mode}: the same again");
        assert_eq!(stage.gate.table_fill().0, 1);
        assert_eq!(stage.use_token("contact", &text, None, NOW.plus(9)), Ok(()), "{mode}");
        assert_eq!(stage.use_token("contact", &text, None, NOW.plus(9)), Err(NoGood::UsedOrOld), "{mode}");
        assert_eq!(stage.redeem_form(&paid, ("sign-up", "42"), HOME, NOW.plus(9)), Err(Refusal::Used), "{mode}");
    }
}

#[test]
fn sixty_four_questions_at_once_find_one_good_answer() {
    let stage = Stage::new(&config("on"));
    let paid = stage.solve_form("contact", HOME, NOW);
    let tokens: BTreeSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(|| token(&stage, &paid, NOW))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(tokens.len(), 1, "one token");
    let text = tokens.first().unwrap();
    let good: usize = std::thread::scope(|scope| {
        let ask = || usize::from(stage.use_token("contact", text, None, NOW).is_ok());
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(good, 1);
}

#[test]
fn the_same_question_gets_its_answer_again_and_no_other_does() {
    let stage = Stage::new(&config("on"));
    let text = bought(&stage, NOW);
    assert_eq!(stage.use_token("contact", &text, Some("a"), NOW), Ok(()));
    assert_eq!(stage.use_token("contact", &text, Some("a"), NOW.plus(299)), Ok(()));
    for question in [Some("b"), None] {
        assert_eq!(stage.use_token("contact", &text, question, NOW), Err(NoGood::UsedOrOld));
    }
    assert_eq!(stage.use_token("contact", &text, Some("a"), NOW.plus(300)), Err(NoGood::UsedOrOld));
}

#[test]
fn it_is_good_for_its_own_key_and_nobody_elses_question_takes_it() {
    let stage = Stage::new(&config("on"));
    let text = bought(&stage, NOW);
    assert_eq!(stage.use_token("shop", &text, None, NOW), Err(NoGood::Invalid));
    for broken in [String::new(), text[1..].to_owned(), format!("{text}A"), text.replacen('A', "B", 1)] {
        assert_eq!(stage.use_token("contact", &broken, None, NOW), Err(NoGood::Invalid), "{broken}");
    }
    assert_eq!(stage.use_token("contact", &text, None, NOW.plus(300)), Err(NoGood::UsedOrOld));
    assert_eq!(stage.use_token("contact", &text, None, NOW), Ok(()), "and it was taken by none of these");
}

#[test]
fn it_says_what_it_was_sold_with_and_nothing_else() {
    let stage = Stage::new(&config("on"));
    let paid = stage.solve_form("contact", HOME, NOW);
    token(&stage, &paid, NOW);
    for words in [("sign-in", "42"), ("sign-up", "43"), ("sign-up4", "2")] {
        assert_eq!(stage.redeem_form(&paid, words, HOME, NOW), Err(Refusal::Used), "{words:?}");
    }
    token(&stage, &paid, NOW);
}

#[test]
fn a_token_is_no_clearance_and_its_challenge_buys_none() {
    let stage = Stage::new(&config("on"));
    let paid = stage.solve_form("contact", HOME, NOW);
    assert_eq!(stage.redeem(&paid, HOME, NOW), Err(Refusal::WrongSite), "no page of the key's asks");
    let text = token(&stage, &paid, NOW);
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let id = ClearanceId(bytes[14..30].try_into().unwrap());
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Challenged);
    assert_eq!(stage.worth("/", HOME, &[id], NOW), Worth::Lacking);
    let gate = stage.solve("/", HOME, NOW);
    assert!(
        matches!(stage.redeem_form(&gate, ("", ""), HOME, NOW), Ok(Redeemed::Clearance { .. })),
        "and the gate's buys no token"
    );
    assert_eq!(stage.use_token("contact", &text, None, NOW), Ok(()));
}

#[test]
fn it_is_not_sold_on_another_site_nor_for_a_key_that_is_gone() {
    let mut stage = Stage::new(&config("on"));
    let paid = stage.solve_form("contact", HOME, NOW);
    let text = bought(&stage, NOW);
    assert_eq!(stage.redeem_at("other.test", &paid, HOME, NOW), Err(Refusal::WrongSite));
    assert_eq!(stage.redeem(&paid.unsolved(), HOME, NOW), Err(Refusal::WrongSite), "before the work is looked at");
    assert_eq!(stage.redeem_form(&paid.with_bit_flipped(500), ("", ""), HOME, NOW), Err(Refusal::Forged));
    assert_eq!(stage.redeem_form(&paid.unsolved(), ("", ""), HOME, NOW), Err(Refusal::Unsolved));
    stage.configure(&format!("mode = \"on\"\n{SITES}{CHEAP}{}", key("shop", "")));
    assert_eq!(stage.redeem_form(&paid, ("", ""), HOME, NOW), Err(Refusal::WrongSite));
    assert_eq!(stage.use_token("shop", &text, None, NOW), Err(NoGood::Invalid));
    stage.configure(&config("on"));
    assert_eq!(stage.use_token("contact", &text, None, NOW), Ok(()), "and with the key it is back");
}

#[test]
fn the_secret_of_the_verifier_may_be_changed_meanwhile() {
    let stage = Stage::new(&config("on"));
    let (paid, text) = (stage.solve_form("contact", HOME, NOW), bought(&stage, NOW));
    stage.rotate();
    assert_eq!(stage.use_token("contact", &text, None, NOW), Ok(()));
    let later = token(&stage, &paid, NOW);
    assert_eq!(stage.use_token("contact", &later, None, NOW), Ok(()));
}

#[test]
fn it_outlives_midnight_and_a_clean_stop_and_no_crash() {
    let before = UnixSeconds((NOW.0 / 86_400 + 1) * 86_400 - 10);
    let stage = Stage::new(&config("on"));
    stage.gate.tick(before);
    let (text, spent) = (bought(&stage, before), bought(&stage, before));
    stage.gate.tick(before.plus(20));
    assert_eq!(stage.use_token("contact", &spent, Some("a"), before.plus(20)), Ok(()));

    let folder = tempfile::tempdir().unwrap();
    assert_eq!(stage.gate.save_table(folder.path(), NOW).unwrap(), 2);
    assert_eq!(stage.use_token("contact", &text, None, before.plus(21)), Err(NoGood::Closed), "to be asked again");
    let saved = Stage::saved(folder.path(), MASTER).unwrap().unwrap();
    let revived = stage.revived(saved);
    let soon = before.plus(25);
    revived.gate.tick(soon);
    assert_eq!(revived.use_token("contact", &text, None, soon), Ok(()));
    assert_eq!(revived.use_token("contact", &text, None, soon), Err(NoGood::UsedOrOld));
    assert_eq!(revived.use_token("contact", &spent, Some("a"), soon), Ok(()));
    assert_eq!(revived.use_token("contact", &spent, None, soon), Err(NoGood::UsedOrOld));

    let lost = revived.after_a_crash();
    lost.gate.tick(soon);
    let unused = bought(&lost, soon);
    let crashed = lost.after_a_crash();
    crashed.gate.tick(soon);
    assert_eq!(crashed.use_token("contact", &unused, None, soon), Err(NoGood::UsedOrOld));
}

#[test]
fn a_full_quarter_of_the_table_refuses_tokens_and_forgets_none() {
    let stage = Stage::new(&format!(
        "mode = \"on\"\ntable_mib = 1\n{SITES}[challenge]\ncount = 1\ndifficulty = 1\n{}",
        key("contact", "")
    ));
    let slots = stage.gate.table_fill().1;
    let mut tokens = Vec::new();
    let mut refusals = BTreeSet::new();
    for number in 0..slots / 2 {
        let from = network(u8::try_from(number % 200).unwrap());
        match stage.redeem_form(&stage.solve_form("contact", from, NOW), ("", ""), from, NOW) {
            Ok(Redeemed::Token { token, .. }) => tokens.push(token),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => {
                refusals.insert(refusal.code());
            }
        }
    }
    assert_eq!(tokens.len(), slots / 4);
    assert_eq!(refusals, BTreeSet::from(["busy"]));
    stage.buy("/", HOME, NOW);
    for token in &tokens {
        assert_eq!(stage.use_token("contact", token, None, NOW.plus(1)), Ok(()), "none was forgotten");
    }
    for token in &tokens {
        assert_eq!(
            stage.use_token("contact", token, None, NOW.plus(1)),
            Err(NoGood::UsedOrOld),
            "nor that it was used"
        );
    }
    // When neither challenge nor token is worth anything any more there is room again.
    let later = NOW.plus(301);
    (0..70).for_each(|second| stage.gate.tick(later.plus(second)));
    bought(&stage, later.plus(70));
}

#[test]
fn its_work_is_reckoned_when_it_is_redeemed() {
    let mut stage = Stage::new(&config("on"));
    let paid = stage.solve_form("contact", HOME, NOW);
    let dearer = |times: u32| config("on").replace("difficulty = 64", &format!("difficulty = {}", 64 * times));
    stage.configure(&dearer(3));
    assert_eq!(stage.redeem_form(&paid, ("", ""), HOME, NOW), Err(Refusal::Outpriced));
    stage.configure(&dearer(2));
    token(&stage, &paid, NOW);
}

#[test]
fn whoever_buys_many_pays_more_for_each_and_so_does_nobody_else() {
    let stage = Stage::new(&config("on"));
    let first = stage.solve_form("contact", HOME, NOW).work();
    for _ in 0..15 {
        bought(&stage, NOW);
    }
    assert!(stage.solve_form("contact", HOME, NOW).work() >= 3 * first);
    assert_eq!(stage.solve_form("contact", network(9), NOW).work(), first);
}

#[test]
fn a_key_for_tests_always_answers_the_same_and_keeps_nothing() {
    let tests = ["pass", "fail", "used"].map(|test| key(test, &format!("test = \"{test}\"\n"))).concat();
    let stage = Stage::new(&format!("{}{tests}", config("on")));
    let real = bought(&stage, NOW);
    let used = stage.gate.table_fill().0;
    for (name, answer) in [("pass", Ok(())), ("fail", Err(NoGood::Invalid)), ("used", Err(NoGood::UsedOrOld))] {
        let paid = stage.solve_form(name, HOME, NOW);
        assert_eq!(paid.work(), 2, "the least there is: {name}");
        let text = token(&stage, &paid, NOW);
        for text in [text.as_str(), text.as_str(), real.as_str(), "anything"] {
            assert_eq!(stage.use_token(name, text, None, NOW), answer, "{name}");
        }
        assert_eq!(stage.use_token("contact", &text, None, NOW), Err(NoGood::Invalid), "only its own secret: {name}");
    }
    assert_eq!(stage.gate.table_fill().0, used, "nothing is kept of what nobody worked for");
    assert_eq!(stage.use_token("contact", &real, None, NOW), Ok(()), "and a real token is not taken by them");
    stage.gate.set_mode(Mode::Off);
    token(&stage, &stage.solve_form("pass", HOME, NOW), NOW);
}

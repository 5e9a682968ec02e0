//! `[[site_key]]`.

use super::parse;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use verifier_server::config::{Config, Host};
use verifier_server::explain::explain;
use verifier_server::gate::site_keys::TestKey;

const SITE: &str = "[[site]]\nname = \"main\"\nhosts = [\"example.org\"]\norigin = \"http://127.0.0.1:3000\"\n";

#[test]
fn a_key_has_its_sites_hosts_unless_it_names_its_own_and_up_to_two_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str, mode| {
        let file = folder.path().join("contact.secret");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    let text = format!(
        "{SITE}[[site_key]]\nkey = \"contact\"\nsecret_file = \"contact.secret\"\n\
         [[site_key]]\nkey = \"shop\"\nhosts = [\"shop.example\", \"*.shop.example\"]\ntest = \"pass\"\n\
         sha256 = [\"{:064x}\", \"{:064x}\"]\n",
        1, 2
    );
    let read = || Config::parse(&text, &folder.path().join("portcullis.toml"));
    write("  a new secret of the form \r\n\nthe old secret of the form\n", 0o600);
    let config = read().unwrap();
    let [contact, shop] = config.site_keys.all() else { panic!("{:?}", config.site_keys) };
    assert_eq!((contact.hosts.as_slice(), contact.test), ([Host::Exact("example.org".to_owned())].as_slice(), None));
    for secret in ["a new secret of the form", "the old secret of the form"] {
        assert_eq!(config.site_keys.of_secret(secret), Some(contact));
    }
    assert_eq!((shop.hosts.len(), shop.digests.len(), shop.test), (2, 2, Some(TestKey::Pass)));
    assert!(
        config.files.iter().any(|file| file.ends_with("contact.secret")),
        "a change of it is one of the configuration"
    );
    let told = explain(&config);
    assert!(told.contains("site key `contact` of `main`: tokens for forms on example.org; two secrets"), "{told}");
    assert!(told.contains("for tests only, it always answers `pass`"), "{told}");
    assert!(
        told.contains("warning: `shop` is a key for tests: whoever asks with its secret takes every token"),
        "{told}"
    );

    for (text, mode, message) in [
        ("a new secret of the form\n", 0o644, "others may read it"),
        ("", 0o600, "it has 0 lines, not 1 to 2"),
        ("the first of three secrets\nthe second of three\nthe third of three secrets\n", 0o600, "it has 3 lines"),
        ("a new secret of the form\nshort\n", 0o600, "it has 5 bytes, not 16 to 512"),
    ] {
        write(text, mode);
        let problems = read().unwrap_err().to_string();
        assert!(problems.contains(message), "{problems}");
        assert!(!problems.contains("secret of the form"), "no secret is told: {problems}");
    }
}

#[test]
fn what_is_wrong_with_keys_is_told_at_once_with_line_and_remedy() {
    let other = "[[site]]\nname = \"other\"\nhosts = [\"other.test\"]\norigin = \"http://127.0.0.1:3000\"\n";
    // printf %s itself-the-secret | sha256sum
    let own = "1f0a2a2e5b3a4a3bbd4c4b0c9a55b2d9c1b9a0b3ab3ad8aab1e4c3a7bb1b7f1e";
    let digest = "0".repeat(64);
    let text = format!(
        "{SITE}{other}[[site_key]]\nkey = \"a b\"\nsite = \"main\"\nsha256 = \"{digest}\"\n\
         [[site_key]]\nkey = \"shop\"\nsha256 = \"1234\"\n\
         [[site_key]]\nkey = \"contact\"\nsite = \"mian\"\nhosts = [\"https://x\"]\ntest = \"passes\"\n\
         [[site_key]]\nkey = \"twice\"\nsite = \"main\"\nsha256 = \"{own}\"\n\
         [[site_key]]\nkey = \"twice\"\nsite = \"main\"\nsha256 = [\"{own}\"]\nsecret = \"x\"\n\
         [[site_key]]\nkey = \"many\"\nsite = \"other\"\nsha256 = [\"{digest}\", \"{digest}\", \"{digest}\"]\n"
    );
    let told = parse(&text).unwrap_err();
    for (line, message, remedy) in [
        (10, "a site key without a usable `key`", "1 to 64 letters"),
        (13, "a site key of no site, where there are several", "\"main\", \"other\""),
        (15, "`sha256` is not 64 hexadecimal digits", "sha256sum"),
        (16, "a site key needs either `secret_file` or `sha256`", "secret_file = "),
        (18, "there is no site called `mian`", "\"main\", \"other\""),
        (19, "`https://x` is not a host name", "without scheme"),
        (20, "`test` = \"passes\" is not known", "did you mean `pass`?"),
        (25, "two site keys are `twice`", "its own `key`"),
        (25, "`twice` and `twice` have the same secret", "openssl rand"),
        (29, "`secret` is not a key in [[site_key]]", "known in [[site_key]]"),
        (33, "`sha256` of a site key has 3 digests", "the new one first"),
    ] {
        let start = format!("portcullis.toml:{line}: {message}");
        let (_, rest) = told.split_once(&start).unwrap_or_else(|| panic!("{start} is missing in:\n{told}"));
        assert!(rest.lines().nth(1).unwrap_or_default().contains(remedy), "{start}: {remedy} in:\n{told}");
    }
}

#[test]
fn a_secret_that_stands_in_the_page_is_none() {
    use sha2::{Digest, Sha256};
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest("contact-form-2026"));
    let told = parse(&format!("{SITE}[[site_key]]\nkey = \"contact-form-2026\"\nsha256 = \"{digest}\"\n")).unwrap_err();
    assert!(told.contains("is the key itself, which everybody reads in the page"), "{told}");
}

#[test]
fn several_verifiers_are_warned_that_each_knows_its_own_tokens_only() {
    let text = format!(
        "verifiers = 3\n[clearance]\ncredits = 300\n{SITE}[[site_key]]\nkey = \"a\"\nsha256 = \"{:064x}\"\n",
        7
    );
    let config = Config::parse(&text, Path::new("portcullis.toml")).unwrap();
    assert!(config.warnings.iter().any(|warning| warning.contains("a token is good only at the one that sold it")));
}

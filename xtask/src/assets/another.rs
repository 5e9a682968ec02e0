//! The same files as another version would have them: every one says something else, so every hash, every name and everything
//! that names one is another. The tests of an upgrade put it before the version under test.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::publish::{Publication, TEMPLATE_ENDING};

/// Makes `to` what `from`, a folder as the server embeds it, would be in another version.
pub(crate) fn write(from: &Path, to: &Path) -> anyhow::Result<()> {
    let read =
        |name: &str| fs::read(from.join(name)).with_context(|| format!("cannot read {name}: run cargo xtask assets"));
    let manifest = String::from_utf8(read("manifest.txt")?)?;
    let mut publication = Publication::fast();
    let mut names: Vec<(String, String)> = Vec::new();
    // What is named stands before what names it.
    for line in manifest.lines() {
        let mut fields = line.split('\t');
        let field = "a line of the manifest has four fields";
        let (name, served) = (fields.next().context(field)?, fields.next().context(field)?);
        let (content_type, tag) = (fields.next().context(field)?, fields.next().context(field)?);
        let content = changed(served, read(served)?, &names)?;
        if tag.is_empty() {
            publication.asset(name, content_type, &content)?;
        } else {
            publication.named(name, content_type, &content)?;
        }
        names.push((served.to_owned(), publication.served(name)?));
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(TEMPLATE_ENDING) {
            let page = renamed(String::from_utf8(read(&name)?)?, &names);
            publication.template(&name, &page, &[])?;
        }
    }
    publication.write(to)
}

/// A file with something more at its end, which changes nothing of what it does, and with the names that others have now.
fn changed(served: &str, content: Vec<u8>, names: &[(String, String)]) -> anyhow::Result<Vec<u8>> {
    let comment = match served.rsplit('.').next() {
        // A section of its own, which engines skip: its kind, its length, the length of its name, its name.
        Some("wasm") => return Ok([&content[..], b"\0\x08\x07another"].concat()),
        Some("json") => "\n",
        _ => "\n/* another version */\n",
    };
    Ok((renamed(String::from_utf8(content)?, names) + comment).into_bytes())
}

fn renamed(text: String, names: &[(String, String)]) -> String {
    names.iter().filter(|(before, now)| before != now).fold(text, |text, (before, now)| text.replace(before, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_another_and_everything_names_the_new_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let mut publication = Publication::default();
        publication.asset("solver.wasm", "application/wasm", b"\0asm\x01\0\0\0").expect("compresses");
        let gate = format!("load('{}')", publication.served("solver.wasm").expect("an asset"));
        publication.asset("gate.js", "text/javascript; charset=utf-8", gate.as_bytes()).expect("compresses");
        publication.named("portcullis.js", "text/javascript; charset=utf-8", b"tag()").expect("compresses");
        let page = format!("<script src={}>", publication.served("gate.js").expect("an asset"));
        publication.template("gate.html", &page, &[]).expect("compresses");
        publication.write(&from).expect("written");
        write(&from, &to).expect("written");
        let served = |folder: &Path| -> Vec<String> {
            let manifest = fs::read_to_string(folder.join("manifest.txt")).expect("a manifest");
            manifest.lines().map(|line| line.split('\t').nth(1).expect("a name").to_owned()).collect()
        };
        let (before, now) = (served(&from), served(&to));
        assert_eq!((before.len(), now.len()), (3, 3));
        assert!(before[..2].iter().all(|name| !now.contains(name)), "{before:?} {now:?}");
        assert_eq!(before[2], now[2], "what keeps its name keeps it");
        let script = fs::read_to_string(to.join(&now[1])).expect("a script");
        assert!(script.starts_with(&format!("load('{}')\n", now[0])), "{script}");
        assert_eq!(fs::read_to_string(to.join("gate.html")).expect("a page"), format!("<script src={}>", now[1]));
    }
}

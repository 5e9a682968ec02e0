//! Served names with a hash of the content, the placeholders that stand for them, and the folder the server embeds.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::languages::Language;
use super::limits::{filled, in_language};

/// Everything that is to be in the folder, and the sizes to report.
#[derive(Default)]
pub(crate) struct Publication {
    /// File name → content.
    files: BTreeMap<String, Vec<u8>>,
    /// Logical name → served name.
    served: BTreeMap<String, String>,
    manifest: String,
    sizes: Vec<Sizes>,
    /// Compressed as soon as can be, for tests.
    fast: bool,
}

/// What the names of pages that the server fills in end with.
pub(super) const TEMPLATE_ENDING: &str = ".html";

/// What one file weighs, in bytes.
pub(crate) struct Sizes {
    pub(crate) name: String,
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
    pub(crate) brotli: usize,
}

impl Publication {
    /// For tests, which do not mind what it weighs.
    pub(crate) fn fast() -> Self {
        Self { fast: true, ..Self::default() }
    }

    /// Adds a file that is served under a name with a hash of its content, as it is and compressed.
    pub(crate) fn asset(&mut self, name: &str, content_type: &str, content: &[u8]) -> anyhow::Result<()> {
        let hash = hash(content);
        let (stem, extension) = name.rsplit_once('.').context("an asset has an extension")?;
        self.serve(name, format!("{stem}.{hash}.{extension}"), "", content_type, content)
    }

    /// Adds a file that sites name in their own pages: it keeps its name, and browsers ask by `ETag` whether it has changed.
    pub(crate) fn named(&mut self, name: &str, content_type: &str, content: &[u8]) -> anyhow::Result<()> {
        self.serve(name, name.to_owned(), &hash(content), content_type, content)
    }

    fn serve(
        &mut self,
        name: &str,
        served: String,
        tag: &str,
        content_type: &str,
        content: &[u8],
    ) -> anyhow::Result<()> {
        let (gzip, brotli) = if self.fast {
            (gzip(content)?, brotli(content, BROTLI_FAST)?)
        } else {
            (gzip_once(content)?, brotli(content, BROTLI_BEST)?)
        };
        self.measure(name, content, &gzip, &brotli);
        self.manifest.extend([name, "\t", &served, "\t", content_type, "\t", tag, "\n"]);
        self.files.insert(format!("{served}.gz"), gzip);
        self.files.insert(format!("{served}.br"), brotli);
        self.files.insert(served.clone(), content.to_vec());
        self.served.insert(name.to_owned(), served);
        Ok(())
    }

    /// Adds a page that the server fills in: what it weighs is what is sent then, in each language.
    pub(crate) fn template(&mut self, name: &str, content: &str, languages: &[Language]) -> anyhow::Result<()> {
        for language in languages {
            let page = filled(content, language).into_bytes();
            self.measure(&in_language(name, &language.tag), &page, &gzip(&page)?, &brotli(&page, BROTLI_BEST)?);
        }
        self.files.insert(name.to_owned(), content.as_bytes().to_vec());
        Ok(())
    }

    /// Puts served names in the place of `{{asset:name}}`. What stands between other double braces is the server's.
    pub(crate) fn resolve(&self, file: &str, source: &str) -> anyhow::Result<String> {
        const OPEN: &str = "{{asset:";
        let mut resolved = String::with_capacity(source.len());
        let mut rest = source;
        while let Some((before, behind)) = rest.split_once(OPEN) {
            resolved.push_str(before);
            let line = source[..source.len() - behind.len()].lines().count();
            let (name, behind) =
                behind.split_once("}}").with_context(|| format!("{file}:{line}: {OPEN} is not closed"))?;
            let Some(served) = self.served.get(name) else {
                bail!("{file}:{line}: there is no asset `{name}` (yet): {:?}", self.served.keys());
            };
            resolved.push_str(served);
            rest = behind;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// The served name of an asset.
    pub(crate) fn served(&self, name: &str) -> anyhow::Result<String> {
        self.served.get(name).cloned().with_context(|| format!("there is no asset `{name}` (yet)"))
    }

    /// The files that are served for these logical names, each with what is in it.
    pub(crate) fn files(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
        let served = self.served.iter().filter(|(name, _)| wanted(name)).map(|(_, served)| served);
        served
            .filter_map(|served| self.files.get_key_value(served))
            .map(|(name, content)| (name.clone(), content.clone()))
            .collect()
    }

    /// What everything weighs, in the order in which it was added.
    pub(crate) fn sizes(&self) -> &[Sizes] {
        &self.sizes
    }

    /// Makes the folder hold exactly these files. Unchanged ones keep their time, so that the server is not built anew.
    pub(crate) fn write(self, folder: &Path) -> anyhow::Result<()> {
        const MANIFEST: &str = "manifest.txt";
        fs::create_dir_all(folder)?;
        // Last comes the manifest: whatever it names is there.
        let manifest = self.manifest.into_bytes();
        let files = self.files.iter().map(|(name, content)| (name.as_str(), content));
        for (name, content) in files.chain([(MANIFEST, &manifest)]) {
            let file = folder.join(name);
            if fs::read(&file).is_ok_and(|present| present == *content) {
                continue;
            }
            // Renamed into place, so that a build that reads the folder now sees the old file or the new one, whole.
            let unfinished = folder.join(format!(".{name}.new"));
            fs::write(&unfinished, content).with_context(|| format!("cannot write {}", unfinished.display()))?;
            fs::rename(&unfinished, &file).with_context(|| format!("cannot write {}", file.display()))?;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name != MANIFEST && !self.files.contains_key(name.as_ref()) {
                fs::remove_file(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }

    fn measure(&mut self, name: &str, raw: &[u8], gzip: &[u8], brotli: &[u8]) {
        let sizes = Sizes { name: name.to_owned(), raw: raw.len(), gzip: gzip.len(), brotli: brotli.len() };
        self.sizes.push(sizes);
    }
}

/// Qualities of brotli: the shortest, and the soonest that is worth the name.
const BROTLI_BEST: i32 = 11;
const BROTLI_FAST: i32 = 4;

/// 64 bits of it, in hexadecimal.
fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"))
}

/// What is compressed once and sent for as long as the server lives is worth a second of searching for the shortest form.
fn gzip_once(content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, content, &mut compressed)?;
    Ok(compressed)
}

/// As a server compresses what it makes for each request.
fn gzip(content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

fn brotli(content: &[u8], quality: i32) -> anyhow::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality, size_hint: content.len(), ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(style: &str) -> Publication {
        let mut publication = Publication::default();
        publication.asset("gate.css", "text/css; charset=utf-8", style.as_bytes()).expect("compresses");
        publication.template("gate.html", "<p>{{challenge}}</p>", &[]).expect("compresses");
        publication
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn placeholders_become_served_names_and_unknown_ones_are_errors() {
        let publication = publication("a{}");
        let resolved = publication.resolve("a.html", "{{challenge}} {{asset:gate.css}}!").expect("known");
        assert_eq!(resolved, "{{challenge}} gate.5f546eb4606b5c2b.css!");
        let error = publication.resolve("a.html", "\n\n {{asset:gate.js}}").expect_err("unknown");
        assert!(error.to_string().starts_with("a.html:3: there is no asset `gate.js`"), "{error}");
        assert!(publication.resolve("a.html", "{{asset:gate.css").is_err());
    }

    #[test]
    fn a_file_that_keeps_its_name_has_a_tag_of_its_content() {
        let mut publication = Publication::default();
        publication.named("portcullis.js", "text/javascript", b"a").expect("compresses");
        assert_eq!(publication.manifest, "portcullis.js\tportcullis.js\ttext/javascript\tca978112ca1bbdca\n");
    }

    #[test]
    fn the_folder_holds_what_was_published_last_and_unchanged_files_keep_their_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        publication("a{}").write(folder).expect("written");
        let page = folder.join("gate.html");
        let time = |file: &Path| fs::metadata(file).and_then(|data| data.modified()).expect("a time");
        let (before, first) = (time(&page), names(folder));
        assert_eq!(first.len(), 5);
        publication("b{}").write(folder).expect("written");
        let second = names(folder);
        assert_eq!(second.len(), 5);
        assert_eq!(first.iter().filter(|name| second.contains(name)).count(), 2);
        assert_eq!(time(&page), before);
        let manifest = fs::read_to_string(folder.join("manifest.txt")).expect("a manifest");
        let fields: Vec<_> = manifest.trim_end_matches('\n').split('\t').collect();
        assert_eq!((fields[0], fields[2]), ("gate.css", "text/css; charset=utf-8"));
        assert_eq!(fs::read_to_string(folder.join(fields[1])).expect("an asset"), "b{}");
    }
}

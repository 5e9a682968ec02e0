//! `logo` of `[site.page]`: a picture before the site's name, served from the site itself.

use super::document::Section;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes of a picture: it is sent to every visitor in the middle of a flood.
const LOGO_BYTES_MAX: u64 = 16 * 1024;

/// A picture, by what it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// Its name below the base path: with a hash of its content, so that it can be kept for ever.
    pub name: String,
    /// What it is.
    pub content_type: &'static str,
    /// The picture.
    pub bytes: Vec<u8>,
}

/// Reads the picture that `logo` names, beside the configuration.
pub(super) fn read(page: &mut Section<'_, '_>, folder: &Path) -> Option<Logo> {
    let path = page.string("logo", "logo.svg")?;
    let file = folder.join(&path.value);
    page.names_file(&file);
    let mut bytes = Vec::new();
    let opened = File::open(&file).and_then(|file| file.take(LOGO_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = opened {
        page.problem(
            path.line,
            format!("the logo {} cannot be read: {error}", file.display()),
            "name a file that is there",
        );
        return None;
    }
    if bytes.len() as u64 > LOGO_BYTES_MAX {
        let message = format!("the logo {} is larger than {LOGO_BYTES_MAX} bytes", file.display());
        page.problem(path.line, message, "every visitor loads it: make it smaller");
        return None;
    }
    let Some((extension, content_type)) = kind(&bytes) else {
        let message = format!("the logo {} is no picture", file.display());
        page.problem(path.line, message, "use an SVG, PNG, WebP or JPEG");
        return None;
    };
    let digest = Sha256::digest(&bytes);
    let name = format!("logo.{}.{extension}", HEXLOWER.encode(&digest[..8]));
    Some(Logo { name, content_type, bytes })
}

fn kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(("png", "image/png"));
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some(("jpg", "image/jpeg"));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(("webp", "image/webp"));
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let begins = text.trim_start_matches('\u{feff}').trim_start();
    ((begins.starts_with("<svg") || begins.starts_with("<?xml") || begins.starts_with("<!--")) && text.contains("<svg"))
        .then_some(("svg", "image/svg+xml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_how_it_begins() {
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...").map(|kind| kind.0), Some("png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0").map(|kind| kind.0), Some("jpg"));
        assert_eq!(kind(b"RIFF....WEBPVP8 ").map(|kind| kind.0), Some("webp"));
        assert_eq!(kind(b"<?xml version=\"1.0\"?>\n<svg/>").map(|kind| kind.0), Some("svg"));
        for other in [&b""[..], b"<html><svg>", b"GIF89a", b"<?xml?><html/>", b"\xff<svg"] {
            assert_eq!(kind(other), None, "{other:?}");
        }
    }
}

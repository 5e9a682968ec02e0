//! The colours of a site's pages: checked, and written into a style sheet of our own making, so that nothing else can be
//! said with them.

use super::document::{Lined, Section};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Colour([u8; 3]);

/// The colours that a page has: the name in the configuration, that in `gate.css`, and what it is there in the light and in
/// the dark.
const NAMES: [(&str, &str, Colour, Colour); 7] = [
    ("ground", "--ground", Colour([0xee, 0xf1, 0xf4]), Colour([0x12, 0x17, 0x1c])),
    ("card", "--card", Colour([0xff, 0xff, 0xff]), Colour([0x1b, 0x22, 0x29])),
    ("ink", "--ink", Colour([0x1d, 0x27, 0x33]), Colour([0xe7, 0xec, 0xf1])),
    ("soft", "--soft", Colour([0x56, 0x64, 0x74]), Colour([0xa3, 0xb0, 0xbd])),
    ("line", "--line", Colour([0xd5, 0xdc, 0xe3]), Colour([0x36, 0x42, 0x4e])),
    ("tone", "--tone", Colour([0x2a, 0x61, 0x80]), Colour([0x86, 0xbf, 0xdd])),
    ("on_tone", "--on-tone", Colour([0xff, 0xff, 0xff]), Colour([0x0f, 0x1c, 0x25])),
];
const CARD: usize = 1;
const INK: usize = 2;
const SOFT: usize = 3;
const TONE: usize = 5;
const ON_TONE: usize = 6;

/// Text has to stand out from what is behind it by this much (WCAG 2.2, 1.4.3), in hundredths.
const CONTRAST_MIN: f64 = 4.5;

/// The pairs that are text and what is behind it.
const TEXT_ON: [(usize, usize); 4] = [(INK, CARD), (SOFT, CARD), (TONE, CARD), (ON_TONE, TONE)];

/// A style sheet with a site's colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stylesheet {
    /// Its name below the base path: with a hash of its content, so that it can be kept for ever.
    pub name: String,
    /// Its text.
    pub css: String,
}

/// Reads `light` and `dark`; `None` where no colour is given.
pub(super) fn read(page: &mut Section<'_, '_>, site: &str, warnings: &mut Vec<String>) -> Option<Stylesheet> {
    let mut css = String::new();
    for (key, dark) in [("light", false), ("dark", true)] {
        let mut section = page.section(key);
        let mut colours = NAMES.map(|(_, _, in_light, in_dark)| if dark { in_dark } else { in_light });
        let mut rules = String::new();
        for ((name, property, ..), colour) in NAMES.iter().zip(&mut colours) {
            let Some(text) = section.string(name, "#2a6180") else { continue };
            if let Some(given) = checked(&section, &text) {
                *colour = given;
                let Colour([red, green, blue]) = given;
                // A string takes everything.
                let _ = write!(rules, "{property}:#{red:02x}{green:02x}{blue:02x};");
            }
        }
        section.finish();
        if !rules.is_empty() {
            warnings.extend(too_alike(&colours, key, site));
            let _ = write!(css, "@media(prefers-color-scheme:{key}){{:root{{{}}}}}", rules.trim_end_matches(';'));
        }
    }
    if css.is_empty() {
        return None;
    }
    let digest = Sha256::digest(css.as_bytes());
    let hash = HEXLOWER.encode(&digest[..8]);
    Some(Stylesheet { name: format!("colours.{hash}.css"), css })
}

fn checked(section: &Section<'_, '_>, text: &Lined<String>) -> Option<Colour> {
    let colour = Colour::parse(&text.value);
    if colour.is_none() {
        let message = format!("`{}` is not a colour", text.value);
        section.problem(text.line, message, "write it like \"#2a6180\", \"#fff\" or \"rgb(42 97 128)\"");
    }
    colour
}

fn too_alike<'a>(colours: &'a [Colour; 7], scheme: &'a str, site: &'a str) -> impl Iterator<Item = String> + 'a {
    let given = NAMES.map(|(name, ..)| name);
    TEXT_ON.into_iter().filter_map(move |(text, behind)| {
        let contrast = contrast(colours[text], colours[behind]);
        (contrast < CONTRAST_MIN).then(|| {
            format!(
                "`{}` on `{}` of the site `{site}` ({scheme}) is hard to read: a contrast of {contrast:.1} to 1, and \
                 text needs {CONTRAST_MIN} to 1",
                given[text], given[behind]
            )
        })
    })
}

/// How much two colours stand out from each other, 1 to 21 (WCAG 2.2, contrast ratio).
fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (a.luminance(), b.luminance());
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

impl Colour {
    /// `#rgb`, `#rrggbb`, `rgb(r g b)` or `rgb(r, g, b)`, and nothing else that CSS knows.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(digits) = text.strip_prefix('#') {
            if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            let byte = |text: &str| u8::from_str_radix(text, 16).ok();
            return match digits.len() {
                6 => Some(Self([byte(&digits[..2])?, byte(&digits[2..4])?, byte(&digits[4..])?])),
                3 => {
                    let twice = |index: usize| Some(17 * byte(&digits[index..=index])?);
                    Some(Self([twice(0)?, twice(1)?, twice(2)?]))
                }
                _ => None,
            };
        }
        let inner = text.strip_prefix("rgb(")?.strip_suffix(')')?;
        let separator = if inner.contains(',') { ',' } else { ' ' };
        let mut numbers = inner.split(separator).map(str::trim).filter(|number| !number.is_empty());
        let mut next = || numbers.next()?.parse::<u8>().ok();
        let colour = Self([next()?, next()?, next()?]);
        numbers.next().is_none().then_some(colour)
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_css_reads_them_and_nothing_else_is() {
        for (text, colour) in [
            ("#2a6180", [0x2a, 0x61, 0x80]),
            ("#FfF", [255, 255, 255]),
            ("rgb(1 2 3)", [1, 2, 3]),
            ("rgb(255, 0, 10)", [255, 0, 10]),
        ] {
            assert_eq!(Colour::parse(text), Some(Colour(colour)), "{text}");
        }
        for text in [
            "",
            "#",
            "#12",
            "#1234",
            "#12345",
            "#1234567",
            "#gggggg",
            "#+12",
            "red",
            "rgb(1 2)",
            "rgb(1 2 3 4)",
            "rgb(256 0 0)",
            "rgb(1 2 3",
            "#fff;}",
            "url(//evil)",
            "#fff}body{display:none",
            "#éé",
            "var(--x)",
            "expression(1)",
        ] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_colours_of_the_style_sheet_are_readable_and_the_same_as_here() {
        let css =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../www/gate.css")).expect("the style sheet");
        let (light, dark) = css.split_once("prefers-color-scheme: dark").expect("both");
        for (name, property, in_light, in_dark) in NAMES {
            for (part, Colour(colour)) in [(light, in_light), (dark, in_dark)] {
                let (_, value) = part.split_once(&format!(" {property}: ")).unwrap_or_else(|| panic!("{name}"));
                let value = Colour::parse(value.split(';').next().unwrap_or_default());
                assert_eq!(value, Some(Colour(colour)), "{name}");
            }
        }
        for dark in [false, true] {
            let colours = NAMES.map(|(_, _, in_light, in_dark)| if dark { in_dark } else { in_light });
            assert_eq!(too_alike(&colours, "light", "main").count(), 0);
            assert!(contrast(colours[INK], colours[0]) > CONTRAST_MIN, "on the ground");
        }
    }

    #[test]
    fn contrast_is_that_of_the_recommendation() {
        let (black, white, grey) = (Colour([0; 3]), Colour([255; 3]), Colour([0x77; 3]));
        assert!((contrast(black, white) - 21.0).abs() < 0.001);
        assert!((contrast(grey, white) - 4.478).abs() < 0.001, "{}", contrast(grey, white));
    }
}

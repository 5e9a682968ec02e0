//! Folders that hold nothing but static files, for rules with `asset = true`.
//!
//! A path only looks static: any site has one that answers everything, so a stranger can fill a folder of his own making
//! with requests for pictures. A folder is believed when browsers of a good part of all networks ask for it, as they do
//! for what pages are made of, and when nothing else was ever found in it.

use super::callers::is_plain;
use super::entry::Entry;
use puzzle::ClientNetwork;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Endings of static files.
const ENDINGS: [&str; 28] = [
    "css",
    "js",
    "mjs",
    "map",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "avif",
    "svg",
    "ico",
    "bmp",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "mp3",
    "mp4",
    "m4a",
    "webm",
    "ogg",
    "pdf",
    "wasm",
    "webmanifest",
    "xsl",
    "cur",
];
/// Folders that are kept count of; beyond, those asked for least go.
const FOLDERS_MAX: usize = 8_192;
const FOLDER_BYTES_MAX: usize = 128;
/// Folders within folders that are looked at.
const DEPTH_MAX: usize = 3;
/// A folder must have been asked for so often,
const REQUESTS_MIN: u32 = 100;
/// from so many networks,
const NETWORKS_MIN: f64 = 8.0;
/// and from so large a part of all.
const NETWORKS_SHARE: f64 = 0.05;

/// Bits by which networks are counted: of all, and of each folder.
const ALL_BITS: usize = 65_536;
const FOLDER_BITS: usize = 1_024;

/// A count of networks in fixed memory (linear counting, Whang et al. 1990): good up to a few times its bits.
#[derive(Clone, Debug)]
struct Networks(Vec<u64>);

impl Networks {
    fn new(bits: usize) -> Self {
        Self(vec![0; bits / 64])
    }

    fn add(&mut self, hash: u64) {
        let bit = usize::try_from(hash).unwrap_or_default() % (self.0.len() * 64);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    fn count(&self) -> f64 {
        let bits = self.0.len() * 64;
        let zero = bits - self.0.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        -number(bits) * (number(zero.max(1)) / number(bits)).ln()
    }
}

#[derive(Clone, Debug)]
struct Folder {
    requests: u32,
    networks: Networks,
    /// Whether anything else was found in it.
    mixed: bool,
}

/// A folder of static files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticFolder {
    /// Its path, with both slashes.
    pub path: String,
    /// Requests for what is in it.
    pub requests: u32,
}

/// All folders. Bounded.
#[derive(Debug)]
pub(super) struct Folders {
    hasher: RandomState,
    known: HashMap<Box<str>, Folder>,
    networks: Networks,
}

impl Folders {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), known: HashMap::new(), networks: Networks::new(ALL_BITS) }
    }

    /// Takes in a request for `path` that a browser made and the site answered.
    pub(super) fn asked(&mut self, entry: &Entry, path: &str) {
        if !entry.browser || !entry.succeeded() {
            return;
        }
        let network = self.hasher.hash_one(ClientNetwork::of(entry.address));
        self.networks.add(network);
        let is_static = is_static(path);
        for (end, _) in path.match_indices('/').skip(1).take(DEPTH_MAX) {
            let folder = &path[..=end];
            if folder.len() > FOLDER_BYTES_MAX || !is_plain(folder) {
                return;
            }
            if let Some(known) = self.known.get_mut(folder) {
                known.mixed |= !is_static;
                known.requests = known.requests.saturating_add(1);
                known.networks.add(network);
                continue;
            }
            if self.known.len() >= FOLDERS_MAX {
                self.make_room();
            }
            let mut new = Folder { requests: 1, networks: Networks::new(FOLDER_BITS), mixed: !is_static };
            new.networks.add(network);
            self.known.insert(folder.into(), new);
        }
    }

    /// Folders of static files, none inside another, those asked for most first.
    pub(super) fn found(&self) -> Vec<StaticFolder> {
        let networks_min = (self.networks.count() * NETWORKS_SHARE).max(NETWORKS_MIN);
        let mut paths: Vec<(&str, u32)> = self
            .known
            .iter()
            .filter(|(_, folder)| !folder.mixed && folder.requests >= REQUESTS_MIN)
            // A count that its bits cannot hold is large enough.
            .filter(|(_, folder)| folder.networks.count() >= networks_min.min(4.0 * 1_024.0))
            .map(|(path, folder)| (&**path, folder.requests))
            .collect();
        paths.sort_unstable_by_key(|(path, _)| path.len());
        let mut found: Vec<StaticFolder> = Vec::new();
        for (path, requests) in paths {
            if !found.iter().any(|outer| path.starts_with(&outer.path)) {
                found.push(StaticFolder { path: path.to_owned(), requests });
            }
        }
        found.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.path.cmp(&b.path)));
        found
    }

    fn make_room(&mut self) {
        let mut requests: Vec<u32> = self.known.values().map(|folder| folder.requests).collect();
        let middle = requests.len() / 2;
        let least = *requests.select_nth_unstable(middle).1;
        let mut stay = FOLDERS_MAX / 2;
        self.known.retain(|_, folder| {
            let stays = folder.requests > least || (folder.requests == least && stay > 0);
            stay = stay.saturating_sub(usize::from(stays));
            stays
        });
    }
}

/// Whether a path names a static file: by its ending, and with no name of a script before it.
pub(super) fn is_static(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
        && !folders
            .split('/')
            .any(|folder| folder.contains(".php") || folder.contains(".cgi") || folder.contains(".pl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(folders: &mut Folders, third: usize, path: &str, agent: &str) {
        let (second, third) = (third / 256, third % 256);
        let line = format!(
            "203.{second}.{third}.9 - - [25/Nov/2026:02:11:03 +0000] \"GET {path} HTTP/1.1\" 200 1 \"-\" \"{agent}\""
        );
        folders.asked(&Entry::parse(&line).expect("a line"), path);
    }

    fn paths(folders: &Folders) -> Vec<String> {
        folders.found().into_iter().map(|folder| folder.path).collect()
    }

    /// Two thousand visitors who each see a page with its parts.
    fn visited() -> Folders {
        let mut folders = Folders::new();
        for third in 0..2_000 {
            for path in [
                "/",
                "/news/today",
                "/static/css/a.css",
                "/static/js/b.js",
                "/wp-content/uploads/c.jpg",
                "/wp-content/plugins/x/y.php",
                "/mixed/d.png",
                "/index.php/e.css",
            ] {
                ask(&mut folders, third, path, "Mozilla/5.0");
            }
        }
        ask(&mut folders, 7, "/mixed/page", "Mozilla/5.0");
        folders
    }

    #[test]
    fn folders_that_pages_are_made_of_are_found_and_none_that_holds_anything_else() {
        assert_eq!(paths(&visited()), ["/static/", "/wp-content/uploads/"]);
    }

    #[test]
    fn a_folder_that_strangers_made_up_is_no_asset() {
        let mut folders = visited();
        for number in 0..50_000 {
            ask(&mut folders, number % 50, &format!("/search/{number}.css"), "Mozilla/5.0");
            ask(&mut folders, number % 2_000, &format!("/api/{number}.css"), "curl/8");
            ask(&mut folders, number % 50, "/index.php/x.css", "Mozilla/5.0");
        }
        assert_eq!(paths(&folders), ["/static/", "/wp-content/uploads/"]);
    }

    #[test]
    fn a_flood_of_folders_keeps_no_more_than_there_is_room_for() {
        let mut folders = visited();
        (0..50_000).for_each(|number| ask(&mut folders, number % 50, &format!("/{number}/x.css"), "Mozilla/5.0"));
        assert!(folders.known.len() <= FOLDERS_MAX);
        assert_eq!(paths(&folders), ["/static/", "/wp-content/uploads/"]);
    }

    #[test]
    fn a_script_with_a_picture_behind_it_is_no_picture() {
        assert!(is_static("/a/b.PNG") && is_static("/x.min.js") && is_static("/favicon.ico"));
        for path in ["/", "/a.php", "/index.php/x.css", "/a/", "/x.css/", "/a.php.css/x", "/page"] {
            assert!(!is_static(path), "{path}");
        }
    }
}

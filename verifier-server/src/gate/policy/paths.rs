//! Values by path pattern: `*` within a segment, `**` over segments. Found by the folders of a path, not one by one.

use crate::gate::target::is_script;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::HashMap;

/// Patterns with wildcards that begin in the same folder, at the most: they are tried together.
const PATTERNS_PER_FOLDER_MAX: usize = 1_000;
/// Ways to look for one of them, at the most.
const GLOBS_PER_PATTERN_MAX: usize = 3;
/// Folders down to which patterns are sorted: what lies deeper is sorted by its first folders.
const DEPTH_MAX: usize = 32;

/// Why patterns cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A pattern is none.
    #[error("{0}")]
    Glob(#[from] globset::Error),
    /// Too many begin alike.
    #[error("more than {PATTERNS_PER_FOLDER_MAX} patterns with wildcards begin with `{0}/`")]
    Crowded(String),
}

/// A pattern, as it is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// This path.
    Exact(String),
    /// A folder, with and without its slash, and everything below.
    Below(String),
    /// A pattern with wildcards, in the last folder before them.
    Glob {
        /// The folder, without its slash.
        folder: String,
        /// The whole pattern.
        pattern: String,
    },
}

impl Key {
    /// The ways to look for a pattern. With `in_doubt` a pattern without trailing slash matches with one as well, as many
    /// applications do, and one that names a program with whatever follows in the path: a rule that asks for more must
    /// not be escaped by it, one that asks for less must not grow.
    pub(super) fn of(pattern: &str, in_doubt: bool) -> Result<Vec<Self>, PatternError> {
        let first_wildcard = pattern.find(['*', '?', '[', ']', '{', '}', '\\']);
        let Some(first) = first_wildcard else {
            let exact = Self::Exact(pattern.to_owned());
            if !in_doubt || pattern.ends_with('/') {
                return Ok(vec![exact]);
            }
            if names_script(pattern) {
                return Ok(vec![exact, Self::Below(pattern.to_owned())]);
            }
            return Ok(vec![exact, Self::Exact(format!("{pattern}/"))]);
        };
        let shallow = |folder: &&str| folder.len() < first && folder.matches('/').count() < DEPTH_MAX;
        if let Some(folder) = pattern.strip_suffix("/**").filter(shallow) {
            return Ok(vec![Self::Below(folder.to_owned())]);
        }
        let folder = pattern.get(..first).and_then(|literal| literal.rfind('/')).unwrap_or_default();
        let glob = |pattern: String| -> Result<Self, globset::Error> {
            glob(&pattern)?;
            Ok(Self::Glob { folder: shortened(&pattern[..folder]).to_owned(), pattern })
        };
        let mut keys = vec![glob(pattern.to_owned())?];
        if in_doubt && !pattern.ends_with('/') && !pattern.ends_with("/**") {
            keys.push(glob(format!("{pattern}/"))?);
            if names_script(pattern) {
                keys.push(glob(format!("{pattern}/**"))?);
            }
        }
        if let Some(outer) = pattern.strip_suffix("/**") {
            keys.push(glob(outer.to_owned())?);
            keys.push(glob(format!("{outer}/"))?);
        }
        Ok(keys)
    }

    /// By what it is sorted: rules with the same are candidates together.
    pub(super) fn place(&self) -> (u8, &str) {
        match self {
            Self::Exact(path) => (0, path),
            Self::Below(folder) => (1, folder),
            Self::Glob { folder, .. } => (2, folder),
        }
    }
}

/// Whether the last segment of a pattern is the name of a program, perhaps with wildcards before its ending.
fn names_script(pattern: &str) -> bool {
    is_script(pattern.rsplit('/').next().unwrap_or_default())
}

fn glob(pattern: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()
}

/// The first [`DEPTH_MAX`] folders of one.
fn shortened(folder: &str) -> &str {
    let end = folder.match_indices('/').nth(DEPTH_MAX - 1).map_or(folder.len(), |(end, _)| end);
    &folder[..end]
}

/// Values by path pattern.
#[derive(Clone, Debug)]
pub(super) struct PathMap<T> {
    exact: HashMap<String, Vec<T>>,
    below: HashMap<String, Vec<T>>,
    globs: HashMap<String, Globs<T>>,
    /// The most slashes of a folder in `below` and `globs`, and one more: deeper ones need not be looked up.
    depth: usize,
}

#[derive(Clone, Debug)]
struct Globs<T> {
    set: GlobSet,
    values: Vec<T>,
}

impl<T> Default for PathMap<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: HashMap::new(), globs: HashMap::new(), depth: 0 }
    }
}

impl<T: Copy> PathMap<T> {
    /// A map of these patterns.
    pub(super) fn new<'k>(entries: impl IntoIterator<Item = (&'k Key, T)>) -> Result<Self, PatternError> {
        let mut map = Self::default();
        let mut globs: HashMap<&str, (GlobSetBuilder, Vec<T>)> = HashMap::new();
        for (key, value) in entries {
            match key {
                Key::Exact(path) => map.exact.entry(path.clone()).or_default().push(value),
                Key::Below(folder) => {
                    map.depth = map.depth.max(folder.matches('/').count() + 1);
                    map.below.entry(folder.clone()).or_default().push(value);
                }
                Key::Glob { folder, pattern } => {
                    map.depth = map.depth.max(folder.matches('/').count() + 1);
                    let (set, values) = globs.entry(folder).or_insert_with(|| (GlobSetBuilder::new(), Vec::new()));
                    set.add(glob(pattern)?);
                    values.push(value);
                    if values.len() > PATTERNS_PER_FOLDER_MAX * GLOBS_PER_PATTERN_MAX {
                        return Err(PatternError::Crowded(folder.clone()));
                    }
                }
            }
        }
        for (folder, (set, values)) in globs {
            map.globs.insert(folder.to_owned(), Globs { set: set.build()?, values });
        }
        Ok(map)
    }

    /// Calls `see` with the values of every pattern that matches.
    pub(super) fn matching(&self, path: &str, mut see: impl FnMut(&[T])) {
        if let Some(values) = self.exact.get(path) {
            see(values);
        }
        let mut globbed = |globs: &Globs<T>| {
            for pattern in globs.set.matches(path) {
                if let Some(value) = globs.values.get(pattern) {
                    see(std::slice::from_ref(value));
                }
            }
        };
        if !self.globs.is_empty() {
            folders(path, self.depth).filter_map(|folder| self.globs.get(folder)).for_each(&mut globbed);
        }
        if !self.below.is_empty() {
            folders(path, self.depth).filter_map(|folder| self.below.get(folder)).for_each(|values| see(values));
            // The folder itself, without its slash.
            if path.matches('/').count() < self.depth
                && !path.is_empty()
                && !path.ends_with('/')
                && let Some(values) = self.below.get(path)
            {
                see(values);
            }
        }
    }

    /// Whether any pattern matches.
    pub(super) fn contains(&self, path: &str) -> bool {
        let mut found = false;
        self.matching(path, |values| found |= !values.is_empty());
        found
    }
}

/// The folders that a path lies in, without their slash, from the outermost, at most `depth` of them.
fn folders(path: &str, depth: usize) -> impl Iterator<Item = &str> {
    path.match_indices('/').take(depth).map(|(end, _)| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, strict: bool, path: &str) -> bool {
        let keys = Key::of(pattern, strict).expect("a pattern");
        PathMap::new(keys.iter().map(|key| (key, ()))).expect("patterns").contains(path)
    }

    #[test]
    fn a_pattern_matches_what_it_says() {
        for (pattern, yes, no) in [
            ("/", "/", "/a"),
            ("/**", "/a/b/", "a"),
            ("/**", "/", ""),
            ("/a/**", "/a", "/ab"),
            ("/a/**", "/a/", "/"),
            ("/a/**", "/a//b", "/b/a/"),
            ("/a/*", "/a/b", "/a/b/c"),
            ("/a/*.xml", "/a/n.xml", "/a/b/n.xml"),
            ("/*/b/**", "/x/b", "/x/y/b/"),
            ("/*/b/**", "/x/b/c/d", "/b/c"),
            ("/**/n.php", "/n.php", "/n.phpx"),
            ("/**/n.php", "/a/b/n.php", "/a/xn.php"),
            ("/[Aa]dmin", "/admin", "/bdmin"),
            ("/{a,b}/c", "/b/c", "/c"),
            ("/a?c", "/abc", "/a/c"),
        ] {
            assert!(matches(pattern, false, yes), "{pattern} {yes}");
            assert!(!matches(pattern, false, no), "{pattern} {no}");
        }
    }

    #[test]
    fn only_what_asks_for_more_grows_a_slash() {
        for pattern in ["/a", "/[a]", "/a*", "/*", "/?"] {
            assert!(matches(pattern, true, "/a/") && !matches(pattern, false, "/a/"), "{pattern}");
        }
        for pattern in ["/login.php", "/**/login.php", "/*.php", "/[l]ogin.PHP", "/{login,enter}.php"] {
            for path in ["/login.php/x/y", "/login.php/"].map(|path| path.replace("php", &pattern[pattern.len() - 3..]))
            {
                assert!(matches(pattern, true, &path) && !matches(pattern, false, &path), "{pattern} {path}");
            }
        }
        assert!(!matches("/a/*", true, "/a/b/c"), "no more than the slash");
    }

    #[test]
    fn a_path_of_ten_thousand_folders_is_looked_up_as_deep_as_the_patterns_go() {
        let keys: Vec<Key> = ["/a/b/**", "/a/*/c"].iter().flat_map(|text| Key::of(text, false).expect("one")).collect();
        let map = PathMap::new(keys.iter().map(|key| (key, ()))).expect("patterns");
        assert_eq!(map.depth, 3);
        assert!(map.contains(&format!("/a/b{}", "/x".repeat(10_000))));
        let deep = Key::of(&format!("{}/*", "/x".repeat(100)), false).expect("a pattern");
        let map = PathMap::new(deep.iter().map(|key| (key, ()))).expect("patterns");
        assert_eq!(map.depth, DEPTH_MAX);
        assert!(map.contains(&format!("{}/y", "/x".repeat(100))));
    }
}

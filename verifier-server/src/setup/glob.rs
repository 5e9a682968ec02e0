//! Patterns of `include` and `import`: the files they find, in the order in which servers read them.

use globset::{GlobBuilder, GlobMatcher};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Files that one pattern may find.
pub(super) const FOUND_MAX: usize = 2_000;

/// Whether it names one file and no more.
pub(super) fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '['])
}

/// The files that a pattern finds, sorted by name. `*` finds no name that begins with a dot, as in every shell.
pub(super) fn files(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            for path in &mut found {
                path.push(component);
            }
            continue;
        };
        let name = name.to_string_lossy();
        if is_plain(&name) {
            for path in &mut found {
                path.push(&*name);
            }
            continue;
        }
        let Some(matcher) = matcher(&name) else { return Vec::new() };
        found = found.iter().flat_map(|folder| names(folder, &matcher)).take(FOUND_MAX).collect();
    }
    found.retain(|path| path.exists());
    found
}

/// Whether `name` in the pattern's folder would be found by it.
pub(super) fn finds(pattern: &Path, name: &str) -> bool {
    let last = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !name.starts_with('.') && matcher(&last).is_some_and(|matcher| matcher.is_match(name))
}

fn matcher(name: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(name).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

fn names(folder: &Path, matcher: &GlobMatcher) -> Vec<PathBuf> {
    let read = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(read).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name()).filter(|name| {
        let name = name.to_string_lossy();
        !name.starts_with('.') && matcher.is_match(&*name)
    });
    let mut paths: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_what_servers_find() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.txt"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        let found = |pattern: &str| {
            let files = files(&folder.path().join(pattern));
            files
                .iter()
                .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("*.conf"), ["a.conf", "b.conf"]);
        assert_eq!(found("*"), ["a.conf", "b.conf", "c.txt"]);
        assert_eq!(found("c.txt"), ["c.txt"]);
        assert_eq!(found("missing"), [""; 0]);
        assert!(finds(Path::new("/etc/nginx/conf.d/*.conf"), "portcullis.conf"));
        assert!(!finds(Path::new("/etc/nginx/conf.d/*.vhost"), "portcullis.conf"));
    }
}

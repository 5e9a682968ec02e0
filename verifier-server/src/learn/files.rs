//! The lines of many logs in the order of their times, in memory that does not grow with them.
//!
//! Rotated logs follow each other and logs of several sites overlap: each file is opened when its first line is due, and the
//! earliest line of those that are open comes next.

use super::entry::Entry;
use flate2::read::MultiGzDecoder;
use puzzle::UnixSeconds;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a line at the most; a longer one is malformed.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Files that are open at once.
const OPEN_FILES_MAX: usize = 256;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {reason}", path.display())]
pub struct FileError {
    path: PathBuf,
    reason: io::Error,
}

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines in the common or combined format.
    pub read: u64,
    /// Other lines.
    pub malformed: u64,
}

/// The lines of all files.
#[derive(Debug)]
pub(super) struct Files {
    /// Not opened yet, the earliest last.
    closed: Vec<(UnixSeconds, PathBuf)>,
    open: Vec<Source>,
    /// The next line of each open file, by its time and the number of the file.
    next: BinaryHeap<Reverse<(UnixSeconds, usize)>>,
    /// The file whose line was given out last.
    given: Option<usize>,
    lines: Lines,
    bytes_read: Arc<AtomicU64>,
    bytes: u64,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    reader: Box<dyn ReadLines>,
    line: String,
    entry: Option<Entry>,
}

trait ReadLines: BufRead + std::fmt::Debug {}
impl<T: BufRead + std::fmt::Debug> ReadLines for T {}

/// Counts the bytes of a file as they are read.
#[derive(Debug)]
struct Counted {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Files {
    /// Looks at the first lines of all files. A file without a single line that can be read counts as malformed lines.
    ///
    /// # Errors
    /// Where one cannot be opened or read.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, FileError> {
        let mut files = Self {
            closed: Vec::new(),
            open: Vec::new(),
            next: BinaryHeap::new(),
            given: None,
            lines: Lines::default(),
            bytes_read: Arc::default(),
            bytes: 0,
        };
        for path in paths {
            let failed = |reason| FileError { path: path.clone(), reason };
            let bytes = std::fs::metadata(path).map_err(failed)?.len();
            files.bytes += bytes;
            // What is read twice is counted once.
            let mut source = Source::open(path, Arc::default())?;
            let mut skipped = Lines::default();
            source.advance(&mut skipped)?;
            if let Some(entry) = source.entry {
                files.closed.push((entry.time, path.clone()));
            } else {
                files.lines.malformed += skipped.malformed;
                files.bytes_read.fetch_add(bytes, Ordering::Relaxed);
            }
        }
        files.closed.sort_by(|a, b| b.cmp(a));
        Ok(files)
    }

    /// The next line, by time.
    ///
    /// # Errors
    /// Where a file cannot be read on.
    pub(super) fn next(&mut self) -> Result<Option<(&Entry, &str)>, FileError> {
        if let Some(given) = self.given.take() {
            self.advance(given)?;
        }
        while let Some((first, _)) = self.closed.last() {
            let due = self.next.peek().is_none_or(|Reverse((time, _))| first <= time);
            if !due {
                break;
            }
            let Some((_, path)) = self.closed.pop() else { break };
            self.begin(&path)?;
        }
        let Some(Reverse((_, number))) = self.next.pop() else { return Ok(None) };
        self.given = Some(number);
        let source = &self.open[number];
        Ok(source.entry.as_ref().map(|entry| (entry, source.line.as_str())))
    }

    /// How many lines came so far.
    pub(super) const fn lines(&self) -> Lines {
        self.lines
    }

    /// Bytes read so far, as they are on the disk, and in all.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.bytes_read.load(Ordering::Relaxed), self.bytes)
    }

    fn begin(&mut self, path: &Path) -> Result<(), FileError> {
        let source = Source::open(path, Arc::clone(&self.bytes_read))?;
        // One that has ended leaves its place.
        let ended = self.open.iter().position(|source| source.entry.is_none());
        let number = ended.unwrap_or(self.open.len());
        if number >= OPEN_FILES_MAX {
            let reason = io::Error::other(format!("more than {OPEN_FILES_MAX} files overlap in time"));
            return Err(FileError { path: path.to_owned(), reason });
        }
        match ended {
            Some(number) => self.open[number] = source,
            None => self.open.push(source),
        }
        self.advance(number)
    }

    fn advance(&mut self, number: usize) -> Result<(), FileError> {
        let source = &mut self.open[number];
        source.advance(&mut self.lines)?;
        if let Some(entry) = &source.entry {
            self.next.push(Reverse((entry.time, number)));
        }
        Ok(())
    }
}

impl Source {
    fn open(path: &Path, bytes: Arc<AtomicU64>) -> Result<Self, FileError> {
        let failed = |reason| FileError { path: path.to_owned(), reason };
        let file = File::open(path).map_err(failed)?;
        let mut file = BufReader::new(Counted { file, bytes });
        // By what it begins with, and not by its name: logs are renamed.
        let reader: Box<dyn ReadLines> = if file.fill_buf().map_err(failed)?.starts_with(&GZIP) {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        Ok(Self { path: path.to_owned(), reader, line: String::new(), entry: None })
    }

    /// Goes on to the next line that can be read, or to the end.
    fn advance(&mut self, lines: &mut Lines) -> Result<(), FileError> {
        let mut bytes = std::mem::take(&mut self.line).into_bytes();
        loop {
            bytes.clear();
            let whole = read_line(&mut *self.reader, &mut bytes)
                .map_err(|reason| FileError { path: self.path.clone(), reason })?;
            let Some(whole) = whole else {
                self.entry = None;
                return Ok(());
            };
            let line =
                String::from_utf8(bytes).unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned());
            self.entry = Entry::parse(&line).filter(|_| whole);
            if self.entry.is_some() {
                lines.read += 1;
                self.line = line;
                return Ok(());
            }
            lines.malformed += u64::from(!line.is_empty());
            bytes = line.into_bytes();
        }
    }
}

/// Reads a line without its end, at most [`LINE_BYTES_MAX`] of it. `Some(false)` where it was longer, `None` at the end.
fn read_line(reader: &mut dyn ReadLines, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    let (mut any, mut whole) = (false, true);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = LINE_BYTES_MAX - line.len();
        whole &= part.len() <= room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn line(minute: u32, path: &str) -> String {
        format!("203.0.113.9 - - [25/Nov/2026:02:{minute:02}:00 +0000] \"GET {path} HTTP/1.1\" 200 1 \"-\" \"-\"\n")
    }

    fn all(paths: &[PathBuf]) -> (Vec<String>, Lines) {
        let mut files = Files::open(paths).expect("open");
        let mut targets = Vec::new();
        while let Some((entry, line)) = files.next().expect("read") {
            targets.push(entry.target(line).to_owned());
        }
        assert_eq!(files.bytes().0, files.bytes().1, "all of it was read");
        (targets, files.lines())
    }

    #[test]
    fn files_in_any_order_and_packed_ones_come_as_one_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("access.log"), [line(30, "/d"), line(40, "/f")].concat()).expect("written");
        std::fs::write(path("other.log"), [line(5, "/b"), line(35, "/e")].concat()).expect("written");
        let mut packed = GzEncoder::new(File::create(path("access.log.1.gz")).expect("made"), Compression::fast());
        packed.write_all(line(1, "/a").as_bytes()).expect("written");
        let file = packed.finish().expect("a member");
        let mut second = GzEncoder::new(file, Compression::fast());
        second.write_all(line(9, "/c").as_bytes()).expect("written");
        second.finish().expect("a second member");
        let (targets, lines) = all(&[path("access.log"), path("other.log"), path("access.log.1.gz")]);
        assert_eq!(targets, ["/a", "/b", "/c", "/d", "/e", "/f"]);
        assert_eq!(lines, Lines { read: 6, malformed: 0 });
    }

    #[test]
    fn malformed_lines_are_counted_and_the_others_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let long = line(3, &format!("/{}", "x".repeat(LINE_BYTES_MAX)));
        let text = [
            b"\xff\xfe\n".as_slice(),
            line(1, "/a").as_bytes(),
            b"\n\n",
            long.as_bytes(),
            b"x",
            line(2, "/b").as_bytes(),
            b"cut",
        ]
        .concat();
        std::fs::write(&path, text).expect("written");
        let (targets, lines) = all(std::slice::from_ref(&path));
        assert_eq!((targets, lines), (vec!["/a".to_owned()], Lines { read: 1, malformed: 4 }));
        std::fs::write(&path, "nothing\nof it\n").expect("written");
        let (targets, lines) = all(&[path]);
        assert_eq!((targets.len(), lines.malformed), (0, 2));
    }

    #[test]
    fn a_packed_file_that_is_cut_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log.2.gz");
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        (0..5_000)
            .for_each(|number| packed.write_all(line(number % 60, &format!("/{number}")).as_bytes()).expect("written"));
        let packed = packed.finish().expect("packed");
        std::fs::write(&path, &packed[..packed.len() / 2]).expect("written");
        let mut files = Files::open(std::slice::from_ref(&path)).expect("open");
        let error = loop {
            match files.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ends as if it were whole"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("access.log.2.gz"), "{error}");
    }
}

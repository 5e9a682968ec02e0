//! The Debian package: a folder laid out as the system will have it, packed by `dpkg-deb`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use flate2::{Compression, GzBuilder};

use super::{Release, Target};
use crate::steps::{output_of, run, workspace};

/// What the package says of itself, and what dpkg runs; in `deploy/debian`.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// How a unit starts a program that was installed by hand.
const BY_HAND: &str = "ExecStart=/usr/local/bin/portcullis ";

/// The one file that is the operator's: an upgrade keeps what was changed in it.
const CONFIGURATION: &str = "etc/portcullis/portcullis.toml";

/// Where each shell looks for completions of other packages.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/portcullis"),
    ("zsh", "usr/share/zsh/vendor-completions/_portcullis"),
    ("fish", "usr/share/fish/vendor_completions.d/portcullis.fish"),
];

/// Where the documentation of the package is.
const DOCUMENTATION: &str = "usr/share/doc/portcullis";

/// Folders of `deploy` that are not for operators to copy from: their files have a place of their own.
const PLACED: [&str; 2] = ["debian", "systemd"];

/// Packs a binary with everything that belongs to it into `folder`; gives the package's path.
pub(crate) fn build(release: &Release, target: Target, binary: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let tree = Tree::empty(workspace().join("target/distribution/tree").join(target.name()))?;
    program(&tree, target, binary)?;
    for (unit, starts) in [("portcullis.service", 1), ("portcullis.socket", 0)] {
        let by_hand = text(&format!("deploy/systemd/{unit}"))?;
        ensure!(by_hand.matches(BY_HAND).count() == starts, "{unit} has `{BY_HAND}` {starts} times");
        let packaged = by_hand.replace(BY_HAND, "ExecStart=/usr/bin/portcullis ");
        tree.file(&format!("usr/lib/systemd/system/{unit}"), 0o644, packaged)?;
    }
    tree.file(CONFIGURATION, 0o644, text("deploy/debian/portcullis.toml")?)?;
    tree.recipes()?;
    documentation(&tree, release, target, folder)?;
    control(&tree, release, target)?;

    let package = folder.join(name(release, target));
    let mut pack = Command::new("dpkg-deb");
    // One thread: what several write differs with their number.
    pack.args(["--root-owner-group", "--threads-max=1", "-Zxz", "--build"]).arg(&tree.root).arg(&package);
    run(pack.env("SOURCE_DATE_EPOCH", release.epoch.to_string()))?;
    Ok(package)
}

/// What the package is called, as Debian does.
pub(crate) fn name(release: &Release, target: Target) -> String {
    format!("portcullis_{}_{}.deb", release.version, target.architecture())
}

/// The program, and what it says about its command line.
fn program(tree: &Tree, target: Target, binary: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    tree.file("usr/bin/portcullis", 0o755, bytes)?;
    let manual = output_of(target.command(binary).arg("man"))?;
    tree.file("usr/share/man/man8/portcullis.8.gz", 0o644, packed(manual.as_bytes())?)?;
    for (shell, place) in COMPLETIONS {
        tree.file(place, 0o644, output_of(target.command(binary).args(["completions", shell]))?)?;
    }
    Ok(())
}

fn documentation(tree: &Tree, release: &Release, target: Target, folder: &Path) -> anyhow::Result<()> {
    let indented = |text: &str| {
        let line = |line: &str| if line.is_empty() { " .".to_owned() } else { format!(" {line}") };
        text.trim().lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let mit = indented(&text("LICENSE-MIT")?);
    tree.file(&format!("{DOCUMENTATION}/copyright"), 0o644, text("deploy/debian/copyright")?.replace("@MIT@", &mit))?;
    tree.file(&format!("{DOCUMENTATION}/changelog.gz"), 0o644, packed(text("CHANGELOG.md")?.as_bytes())?)?;
    tree.file(&format!("{DOCUMENTATION}/OPERATING.md"), 0o644, text("docs/OPERATING.md")?)?;
    let list = fs::read(folder.join(release.file(target, ".cdx.json")))?;
    tree.file(&format!("{DOCUMENTATION}/portcullis.cdx.json"), 0o644, list)?;
    let licences = fs::read(folder.join(release.file(target, ".licences.txt")))?;
    tree.file(&format!("{DOCUMENTATION}/third-party-licences.gz"), 0o644, packed(&licences)?)
}

fn control(tree: &Tree, release: &Release, target: Target) -> anyhow::Result<()> {
    let fields = [
        ("@VERSION@", release.version.clone()),
        ("@ARCHITECTURE@", target.architecture().to_owned()),
        ("@KIB@", kib_of(&tree.root)?.to_string()),
    ];
    let control = fields.iter().fold(text("deploy/debian/control")?, |text, (field, value)| text.replace(field, value));
    tree.file("DEBIAN/control", 0o644, control)?;
    tree.file("DEBIAN/conffiles", 0o644, format!("/{CONFIGURATION}\n"))?;
    for script in SCRIPTS {
        tree.file(&format!("DEBIAN/{script}"), 0o755, text(&format!("deploy/debian/{script}"))?)?;
    }
    Ok(())
}

fn text(file: &str) -> anyhow::Result<String> {
    fs::read_to_string(workspace().join(file)).with_context(|| format!("cannot read {file}"))
}

/// With gzip, without a time: the same bytes give the same bytes.
fn packed(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

/// A folder laid out as the system will have it. Permissions are written, whatever the `umask` is.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn empty(root: PathBuf) -> anyhow::Result<Self> {
        super::empty(&root)?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755))?;
        Ok(Self { root })
    }

    fn file(&self, place: &str, mode: u32, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let path = self.root.join(place);
        let folders: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| *folder != self.root).collect();
        for folder in folders.into_iter().rev().filter(|folder| !folder.exists()) {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    /// The files of `deploy` that operators copy from, as they lie there.
    fn recipes(&self) -> anyhow::Result<()> {
        let deploy = workspace().join("deploy");
        for recipe in fs::read_dir(&deploy)? {
            let recipe = recipe?.file_name().to_string_lossy().into_owned();
            if PLACED.contains(&recipe.as_str()) {
                continue;
            }
            for file in fs::read_dir(deploy.join(&recipe))? {
                let file = file?;
                let place = format!("usr/share/portcullis/deploy/{recipe}/{}", file.file_name().to_string_lossy());
                self.file(&place, 0o644, fs::read(file.path())?)?;
            }
        }
        Ok(())
    }
}

/// What the files in a folder take, each rounded up to a KiB as Debian Policy §5.6.20 has it.
fn kib_of(folder: &Path) -> anyhow::Result<u64> {
    let mut kib = 1;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let directory = entry.file_type()?.is_dir();
        kib += if directory { kib_of(&entry.path())? } else { entry.metadata()?.len().div_ceil(1_024) };
    }
    Ok(kib)
}

//! The container image: the binary and nothing else, made by `buildah` from scratch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Release, Target, archive};
use crate::steps::{output_of, run, workspace};

/// Who runs it: nobody's number on any system.
pub(crate) const USER: &str = "65532:65532";

/// Where it looks for its configuration, which the operator mounts there.
pub(crate) const CONFIGURATION: &str = "/etc/portcullis/portcullis.toml";

/// Where it keeps what it knows; a volume.
const STATE: &str = "/var/lib/portcullis";

/// Makes an archive that `docker load` and `podman load` take; gives its path.
pub(crate) fn build(release: &Release, target: Target, binary: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let root = workspace().join("target/distribution/image").join(target.name());
    super::empty(&root)?;
    for folder in ["etc/portcullis", "var/lib", "usr/bin", "own/portcullis"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(binary, root.join("usr/bin/portcullis"))?;

    let written = folder.join(release.file(target, ".docker.tar"));
    // Into one that is there, buildah does not write.
    if written.exists() {
        fs::remove_file(&written)?;
    }
    let container = output_of(buildah().args(["from", "--arch", target.architecture(), "scratch"]))?;
    let container = container.trim();
    let made = filled(release, container, &root, &written);
    run(buildah().args(["rm", container]))?;
    made?;
    archive::settle(release, &written)?;
    Ok(written)
}

/// Copies what belongs in it, and writes it into an archive.
fn filled(release: &Release, container: &str, root: &Path, written: &Path) -> anyhow::Result<()> {
    for (from, to, owner, mode) in [
        ("usr/bin/portcullis", "/usr/bin/portcullis", "0:0", "0755"),
        ("etc/portcullis", "/etc/portcullis", "0:0", "0755"),
        ("var", "/var", "0:0", "0755"),
        // What is in a folder is given away, and not the folder itself.
        ("own", "/var/lib", USER, "0700"),
    ] {
        run(buildah().args(["copy", "--chown", owner, "--chmod", mode, container]).arg(root.join(from)).arg(to))?;
    }
    run(&mut configured(release, container))?;
    let mut commit = buildah();
    // Docker's own format: the other one has no health check.
    commit.args(["commit", "--format", "docker", "--timestamp", &release.epoch.to_string(), "--quiet", container]);
    run(commit.arg(format!("docker-archive:{}:portcullis:{}", written.display(), release.version)))
}

fn configured(release: &Release, container: &str) -> Command {
    let mut config = buildah();
    config.args(["config", "--user", USER, "--volume", STATE, "--port", "8080", "--workingdir", STATE]);
    config.args(["--entrypoint", r#"["/usr/bin/portcullis"]"#]);
    config.args(["--cmd", &format!("serve --config {CONFIGURATION}")]);
    config.args(["--healthcheck", &format!("CMD /usr/bin/portcullis health --config {CONFIGURATION}")]);
    config.args(["--healthcheck-interval", "10s", "--healthcheck-timeout", "5s", "--healthcheck-retries", "3"]);
    config.args(["--label", "org.opencontainers.image.title=portcullis"]);
    config.args(["--label", "org.opencontainers.image.licenses=MIT OR Apache-2.0"]);
    config.arg("--label").arg(format!("org.opencontainers.image.version={}", release.version)).arg(container);
    config
}

/// Storage of its own, in plain folders: nothing of the machine's other images, and no kernel module.
pub(crate) fn buildah() -> Command {
    let storage = workspace().join("target/distribution/containers");
    let mut command = Command::new("buildah");
    command.args(["--storage-driver", "vfs", "--root"]).arg(storage.join("root"));
    command.arg("--runroot").arg(storage.join("run")).env("BUILDAH_FORMAT", "docker");
    command
}

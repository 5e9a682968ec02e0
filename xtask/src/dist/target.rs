//! The kinds of machine that a release is for.

use std::process::Command;

use anyhow::bail;

/// Linux on one kind of processor; what is built needs no library of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86_64,
    /// ARM, 64 bits
    Aarch64,
}

impl Target {
    pub(crate) const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The one that this machine runs by itself.
    pub(crate) fn of_this_machine() -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|target| target.name() == std::env::consts::ARCH) {
            Some(target) => Ok(target),
            None => bail!("there is no release for {}", std::env::consts::ARCH),
        }
    }

    /// In file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// What rustc calls it.
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// What clang calls it.
    pub(crate) fn of_clang(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-musl",
            Self::Aarch64 => "aarch64-linux-musl",
        }
    }

    /// What Debian and container registries call it.
    pub(crate) fn architecture(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// The program that runs its binaries on a machine of another kind; nothing where the machine does so itself.
    pub(crate) fn emulator(self) -> Option<&'static str> {
        let own = self.name() == std::env::consts::ARCH;
        (!own).then_some(match self {
            Self::X86_64 => "qemu-x86_64",
            Self::Aarch64 => "qemu-aarch64",
        })
    }

    /// A command that runs a binary for this target here.
    pub(crate) fn command(self, binary: &std::path::Path) -> Command {
        match self.emulator() {
            None => Command::new(binary),
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.arg(binary);
                command
            }
        }
    }
}

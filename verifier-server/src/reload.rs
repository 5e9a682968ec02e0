//! A new configuration while it runs: swapped whole, or not at all.

mod changes;
mod files;

pub use changes::Changes;
pub(crate) use files::follow;

use crate::clock;
use crate::config::{Config, Listen, Problem, Problems};
use crate::explain::explain;
use crate::http::Verifier;
use crate::secret::{AdminTokens, SecretError, known_admin_tokens, known_masters};
use arc_swap::ArcSwap;
use files::{Mark, Settling, marks};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why the old configuration stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is wrong.
    #[error("{0}")]
    Config(Problems),
    /// The secret is.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// What is only read at the start has changed.
    #[error("{0}")]
    NeedsRestart(Problems),
}

impl ReloadError {
    /// What is wrong, each with its line and what to do, as far as that is known.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Config(problems) | Self::NeedsRestart(problems) => problems.all(),
            Self::Secret(_) => &[],
        }
    }
}

/// A configuration that has come into force.
#[derive(Debug)]
pub struct Reloaded {
    /// The configuration.
    pub config: Arc<Config>,
    /// What is different now, in plain words.
    pub changes: Changes,
}

/// Reads the configuration again.
pub struct Reload {
    file: PathBuf,
    /// Whose configuration it is.
    pub verifier: Arc<Verifier>,
    /// What whoever comes to the admin listener has to show.
    pub tokens: ArcSwap<AdminTokens>,
    /// Locked for the whole of a reload: one at a time, whoever asks for it.
    tried: Mutex<Tried>,
}

/// The files of the configuration that was tried last, whether it came into force or not.
struct Tried {
    files: Vec<PathBuf>,
    marks: Vec<Mark>,
    settling: Settling,
}

impl Tried {
    fn of(files: Vec<PathBuf>) -> Self {
        Self { marks: marks(&files), files, settling: Settling::default() }
    }
}

impl Reload {
    /// Of a verifier that was started with `file`.
    #[must_use]
    pub fn new(file: PathBuf, verifier: Arc<Verifier>, tokens: AdminTokens) -> Self {
        let files = all_files(&file, &verifier.config.load().files);
        Self { file, verifier, tokens: ArcSwap::from_pointee(tokens), tried: Mutex::new(Tried::of(files)) }
    }

    /// Checks the file and puts it in force. The mode stays as it was set by hand, unless the file's has changed. Reads
    /// files: not for a thread that serves.
    ///
    /// # Errors
    /// See [`ReloadError`]; then nothing has changed.
    pub fn run(&self) -> Result<Reloaded, ReloadError> {
        self.run_once(&mut self.tried())
    }

    /// Reloads and says in the log how it went.
    pub fn run_logged(&self) {
        self.log(&self.run());
    }

    /// Says in the log how a reload went.
    pub fn log(&self, outcome: &Result<Reloaded, ReloadError>) {
        match outcome {
            Ok(Reloaded { config, changes }) => {
                for warning in &config.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("reloaded {}: {}", self.file.display(), changes.summary());
                for change in changes.lines() {
                    tracing::info!("{change}");
                }
            }
            Err(error) => tracing::error!("the old configuration stays in force:\n{error}"),
        }
    }

    /// Reloads, and logs, if the files have changed since they were tried last and were left alone since the last look.
    fn run_if_changed(&self) {
        let mut tried = self.tried();
        let now = marks(&tried.files);
        let Tried { marks, settling, .. } = &mut *tried;
        if settling.look(marks, now) && self.verifier.config.load().reload_on_change {
            self.log(&self.run_once(&mut tried));
        }
    }

    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_once(&self, tried: &mut Tried) -> Result<Reloaded, ReloadError> {
        // Taken before anything is read: what changes while it is read is a further change.
        let before = Tried::of(std::mem::take(&mut tried.files));
        let loaded = Config::load(&self.file);
        let named = loaded.as_ref().map_or_else(Problems::files, |config| &config.files);
        *tried = Tried::of(all_files(&self.file, named));
        for (file, mark) in tried.files.iter().zip(&mut tried.marks) {
            if let Some(position) = before.files.iter().position(|known| known == file) {
                *mark = before.marks[position];
            }
        }
        self.put_in_force(loaded.map_err(ReloadError::Config)?)
    }

    fn put_in_force(&self, new: Config) -> Result<Reloaded, ReloadError> {
        let old = self.verifier.config.load_full();
        let fixed = fixed_at_start(&old, &new);
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(Problems::needing_restart(&self.file, fixed)));
        }
        let masters = known_masters(&new.secret_file)?;
        let tokens = known_admin_tokens(&new.admin_token_file)?;
        self.tokens.store(Arc::new(tokens));
        self.verifier.gate.set_masters(masters, clock::now());
        if new.mode != old.mode {
            self.verifier.gate.set_mode(new.mode);
        }
        for site in &new.sites {
            let before = old.sites.iter().find(|before| before.name == site.name);
            if before.is_some_and(|before| before.mode != site.mode) {
                self.verifier.gate.set_mode_of(site, None);
            }
        }
        self.verifier.gate.memory().set_known(&new.known_networks);
        let changes = Changes::between(&explain(&old), &explain(&new));
        let config = Arc::new(new);
        self.verifier.config.store(Arc::clone(&config));
        self.verifier.metrics.forget_rules();
        self.verifier.crawlers.addresses.ask_again();
        Ok(Reloaded { config, changes })
    }
}

fn all_files(file: &std::path::Path, named: &[PathBuf]) -> Vec<PathBuf> {
    std::iter::once(file.to_owned()).chain(named.iter().cloned()).collect()
}

/// The keys that differ and are only read at the start: each with its line in the new file and what is in force.
fn fixed_at_start<'k>(old: &Config, new: &Config) -> Vec<(&'k str, Option<usize>, String)> {
    let mut changed = Vec::new();
    let mut compare = |key: &'k str, differs: bool, in_force: String| {
        if differs {
            changed.push((key, new.key_lines.get(key).copied(), in_force));
        }
    };
    let list = |texts: Vec<String>| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    let listeners = |all: &[Listen]| list(all.iter().map(ToString::to_string).collect());
    compare("listen", old.listen != new.listen, listeners(&old.listen));
    let announced = listeners(&old.listen_proxy_protocol);
    compare("listen_proxy_protocol", old.listen_proxy_protocol != new.listen_proxy_protocol, announced);
    compare("admin", old.admin != new.admin, old.admin.to_string());
    compare("admin_hosts", old.admin_hosts != new.admin_hosts, list(old.admin_hosts.clone()));
    let token_file = old.admin_token_file.display().to_string();
    compare("admin_token_file", old.admin_token_file != new.admin_token_file, token_file);
    let sockets = old.access_log.iter().map(ToString::to_string).collect();
    compare("access_log", old.access_log != new.access_log, list(sockets));
    let state_dir = old.state_dir.as_ref().map_or_else(|| "none".to_owned(), |folder| folder.display().to_string());
    compare("state_dir", old.state_dir != new.state_dir, state_dir);
    compare("table_mib", old.table_mib != new.table_mib, old.table_mib.to_string());
    compare("log", old.log != new.log, old.log.to_string().to_ascii_lowercase());
    compare("log_format", old.log_format != new.log_format, old.log_format.name().to_owned());
    let connect_timeout = old.limits.origin_connect_timeout;
    compare(
        "limits.origin_connect_timeout_seconds",
        connect_timeout != new.limits.origin_connect_timeout,
        connect_timeout.as_secs().to_string(),
    );
    changed
}

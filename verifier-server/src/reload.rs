//! A new configuration while it runs: swapped whole, or not at all.

use crate::clock;
use crate::config::{Config, Problems};
use crate::http::Verifier;
use crate::secret::{SecretError, masters};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Why the old configuration stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file is wrong.
    #[error("{0}")]
    Config(#[from] Problems),
    /// The secret is.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// What is only read at the start has changed.
    #[error("these keys are only read at the start: {0}; restart to change them")]
    NeedsRestart(String),
}

/// Reads the configuration again.
pub struct Reload {
    /// The file it is read from.
    pub file: PathBuf,
    /// Whose configuration it is.
    pub verifier: Arc<Verifier>,
}

/// One reload at a time, whoever asks for it.
static RELOADING: Mutex<()> = Mutex::new(());

impl Reload {
    /// Checks the file and puts it in force. The mode stays as it was set by hand, unless the file's has changed.
    ///
    /// # Errors
    /// See [`ReloadError`]; then nothing has changed.
    pub fn run(&self) -> Result<Arc<Config>, ReloadError> {
        let _one_at_a_time = RELOADING.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Config::load(&self.file)?;
        let old = self.verifier.config.load_full();
        let fixed = fixed_at_start(&old, &new);
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(fixed.join(", ")));
        }
        let masters = masters(&new.secret_file)?;
        self.verifier.gate.set_masters(masters, clock::now());
        if new.mode != old.mode {
            self.verifier.gate.set_mode(new.mode);
        }
        self.verifier.gate.memory().set_known(&new.known_networks);
        let new = Arc::new(new);
        self.verifier.config.store(Arc::clone(&new));
        Ok(new)
    }

    /// Reloads and says in the log how it went.
    pub fn run_logged(&self) {
        match self.run() {
            Ok(config) => {
                for warning in &config.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("reloaded {}", self.file.display());
            }
            Err(error) => tracing::error!("the old configuration stays in force:\n{error}"),
        }
    }
}

fn fixed_at_start(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut changed = Vec::new();
    let mut compare = |key, differs: bool| {
        if differs {
            changed.push(key);
        }
    };
    compare("listen", old.listen != new.listen);
    compare("listen_proxy_protocol", old.listen_proxy_protocol != new.listen_proxy_protocol);
    compare("admin", old.admin != new.admin);
    compare("admin_hosts", old.admin_hosts != new.admin_hosts);
    compare("admin_token_file", old.admin_token_file != new.admin_token_file);
    compare("state_dir", old.state_dir != new.state_dir);
    compare("table_mib", old.table_mib != new.table_mib);
    compare("log", old.log != new.log);
    compare(
        "limits.origin_connect_timeout_seconds",
        old.limits.origin_connect_timeout != new.limits.origin_connect_timeout,
    );
    changed
}

//! From a checked configuration to a serving verifier: bind, read what survived, restrict, serve, drain.

use crate::config::Config;
use crate::gate::networks::{HashKey, Memory, Profile};
use crate::gate::price::SavedPrices;
use crate::gate::table::Table;
use crate::gate::{Gate, LEFT_BY_SECONDS_MAX, Masters, RESUMED_WITHIN_SECONDS, SavedTable, TableFileError};
use crate::http::admin::{self, Admin};
use crate::http::{
    self, BindError, Entrance, HandOverError, HandedOver, Listener, LogBindError, LogReceiver, Server, Verifier, serve,
};
use crate::kept::Kept;
use crate::reload::{self, Reload};
use crate::secret::{self, SecretError};
use crate::telemetry::Metrics;
use crate::{attack_keeper, caller_keeper, clock, crawler_lookup, profile_keeper, random, restrict, state_file};
use puzzle::UnixSeconds;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prices are written at least so often; a busy disk may be late.
const PRICES_WRITTEN_WITHIN_SECONDS: u32 = 15;

/// Why the verifier does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be opened.
    #[error("{0}")]
    Bind(#[from] BindError),
    /// What systemd hands over cannot be used.
    #[error("{0}")]
    HandOver(#[from] HandOverError),
    /// The web server's log cannot come.
    #[error("{0}")]
    Log(#[from] LogBindError),
    /// A secret cannot be used.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// `state_dir` cannot be used.
    #[error("the state_dir {} cannot be used: {reason}", path.display())]
    StateDir {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// The saved table cannot be taken out of it.
    #[error("{0}")]
    Table(#[from] TableFileError),
    /// The metrics clash, which is a defect of this program.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A verifier that serves, and what it needs for its end.
pub struct Running {
    /// The server.
    pub server: Server,
    /// Reads the configuration again.
    pub reload: Arc<Reload>,
    /// Where it listens: visitors' addresses first, the admin's last.
    pub addresses: Vec<String>,
    state_dir: Option<PathBuf>,
}

/// Starts a verifier. Everything that can fail is tried before anything that cannot be taken back.
///
/// # Errors
/// See [`StartError`]. Then nothing listens and no saved table was touched.
pub async fn start(config: Config, file: &Path) -> Result<Running, StartError> {
    let masters = secret::masters(&config.secret_file)?;
    // The token may belong into it.
    if let Some(path) = &config.state_dir {
        usable(path).map_err(|reason| StartError::StateDir { path: path.clone(), reason })?;
    }
    let tokens = secret::admin_tokens(&config.admin_token_file)?;
    let metrics = Metrics::new()?;
    let mut handed_over = HandedOver::from_environment()?;
    let mut entrances = Vec::new();
    for (listen, announced) in config
        .listen
        .iter()
        .map(|listen| (listen, false))
        .chain(config.listen_proxy_protocol.iter().map(|listen| (listen, true)))
    {
        entrances.push(Entrance { listener: Listener::open(listen, &mut handed_over).await?, announced });
    }
    let admin_listener = Listener::open(&config.admin, &mut handed_over).await?;
    for listen in handed_over.left() {
        tracing::warn!(
            "systemd hands over {listen}, which the configuration does not name: whoever connects there waits in vain. \
             Name it in `listen`, or take it out of portcullis.socket"
        );
    }
    let mut log_receivers = Vec::new();
    for socket in &config.access_log {
        log_receivers.push(LogReceiver::bind(socket).await?);
    }
    let listeners = entrances.iter().map(|entrance| &entrance.listener).chain([&admin_listener]);
    let addresses = listeners.map(Listener::address).collect();
    restrict::restrict(&config.limits);

    let saved = saved_prices(&config);
    let (table, table_begins) = table(&config, &masters, &saved).await?;
    let hash_key = hash_key();
    let gate = Gate::new(masters, table, table_begins, config.mode, hash_key, clock::now());
    let gate = gate.with_memory(memory(&config, hash_key));
    let state_dir = config.state_dir.clone();
    let hosts = config.admin_hosts.clone();
    let config = Arc::new(config);
    let verifier = Arc::new(Verifier::new(gate, Arc::clone(&config), metrics));
    verifier.gate.begin(&config);
    resume(&verifier, &config, saved);
    attack_keeper::resume(&verifier, &config);
    if let Some(state_dir) = &state_dir {
        for kept in Kept::ALL {
            kept.resume(&verifier, state_dir);
        }
        for rule in verifier.gate.hand_rules(clock::now()) {
            tracing::warn!("a rule made by hand goes on: {rule}");
        }
        caller_keeper::resume(&verifier, state_dir);
        if let Err(error) = verifier.former_assets.take(state_dir, clock::of_files()) {
            tracing::warn!(
                "what browsers load could not be kept in {}: {error}. Pages that are open during an upgrade may have to be loaded again",
                state_dir.display()
            );
        }
    }
    let reload = Arc::new(Reload::new(file.to_owned(), Arc::clone(&verifier), tokens));
    let admin = Arc::new(Admin::new(Arc::clone(&reload), hosts));
    tokio::spawn(admin::serve(admin, admin_listener));
    tokio::spawn(reload::follow(Arc::clone(&reload)));
    tokio::spawn(crawler_lookup::run(Arc::clone(&verifier)));
    for receiver in log_receivers {
        tokio::spawn(http::receive(Arc::clone(&verifier), receiver));
    }
    if let Some(state_dir) = &state_dir {
        tokio::spawn(profile_keeper::keep(Arc::clone(&verifier), state_dir.clone()));
        tokio::spawn(caller_keeper::keep(Arc::clone(&verifier), state_dir.clone()));
        let (verifier, state_dir) = (Arc::clone(&verifier), state_dir.clone());
        tokio::spawn(async move { verifier.former_assets.expire(&state_dir).await });
    }
    Ok(Running { server: serve(verifier, entrances), reload, addresses, state_dir })
}

impl Running {
    /// Lets requests in progress end, then saves the table.
    pub async fn stop(self) {
        let verifier = Arc::clone(&self.server.verifier);
        self.server.drain().await;
        if let Some(state_dir) = &self.state_dir {
            if let Err(error) = verifier.gate.keep_prices(&verifier.config.load(), state_dir, clock::now()) {
                tracing::error!("the price could not be saved in {}: {error}", state_dir.display());
            }
            match verifier.gate.save_table(state_dir, clock::now()) {
                Ok(count) => tracing::info!("saved {count} clearances in {}", state_dir.display()),
                Err(error) => tracing::error!("the clearances could not be saved in {}: {error}", state_dir.display()),
            }
            attack_keeper::write(&verifier, state_dir);
            profile_keeper::write(&verifier, state_dir);
            caller_keeper::write(&verifier, state_dir);
            for kept in Kept::ALL.into_iter().filter(|kept| kept.changed(&verifier)) {
                if let Err(error) = kept.write(&verifier, state_dir) {
                    tracing::error!("{kept} could not be saved in {}: {error}", state_dir.display());
                }
            }
        }
    }
}

/// What is known of mode and price when the last process ended.
enum LastPrices {
    Saved(SavedPrices),
    /// There is a file and it cannot be used: the gate may have been down.
    Unsure,
    None,
}

/// Reads mode and price as the last process left them.
fn saved_prices(config: &Config) -> LastPrices {
    let Some(state_dir) = &config.state_dir else { return LastPrices::None };
    let file = SavedPrices::file(state_dir);
    match SavedPrices::read(state_dir) {
        Ok(Some(saved)) => LastPrices::Saved(saved),
        Ok(None) => LastPrices::None,
        Err(error) => {
            let age = fs::metadata(&file).and_then(|found| found.modified()).map(|at| at.elapsed().unwrap_or_default());
            let is_recent = age.is_ok_and(|age| age.as_secs() < RESUMED_WITHIN_SECONDS.into());
            let instead = if is_recent {
                "Whether the gate was down is not known: where the mode is auto it begins down, at the least price, for a minute"
            } else {
                "The modes are those of the configuration, and the gate learns anew what the site can do"
            };
            state_file::tell_unused(&file, &error, instead);
            if is_recent { LastPrices::Unsure } else { LastPrices::None }
        }
    }
}

/// Goes on at the price at which the last process ended, if the gate was down.
fn resume(verifier: &Verifier, config: &Config, saved: LastPrices) {
    let gate = &verifier.gate;
    match saved {
        LastPrices::None => return,
        LastPrices::Unsure => gate.resume_unsure(config, verifier.started.elapsed()),
        LastPrices::Saved(saved) => gate.resume(config, &saved, verifier.started.elapsed(), clock::now()),
    }
    if gate.mode() != config.mode {
        tracing::warn!("mode {} as it was set before the last process ended", gate.mode().name());
    }
    for site in config.sites.iter().filter(|site| gate.pricing(config, site).price > 0) {
        tracing::warn!("the gate of `{}` begins down, at {} attempts", site.name, gate.pricing(config, site).price);
    }
}

/// The saved table, or an empty one that begins with the next whole second: what was issued before cannot be told
/// from what was redeemed before. Where the clock has been set back it goes on from where the last process left it.
async fn table(config: &Config, masters: &Masters, last: &LastPrices) -> Result<(Table, UnixSeconds), TableFileError> {
    if let Some(state_dir) = &config.state_dir {
        match SavedTable::take(state_dir, masters, config.table_mib, clock::now()) {
            Ok(Some(saved)) => {
                clock::not_before(saved.goes_on_at);
                return Ok((saved.table, saved.table_begins));
            }
            Ok(None) => {}
            Err(error @ TableFileError::Stays { .. }) => return Err(error),
            Err(error) => tracing::warn!(
                "the saved clearances in {} are not used: {error}. What was bought before has to be bought anew",
                state_dir.display()
            ),
        }
    }
    if let LastPrices::Saved(prices) = last {
        go_on_after(UnixSeconds(prices.written_at));
    }
    tokio::time::sleep(clock::until_next_second()).await;
    Ok((Table::new(config.table_mib), clock::now()))
}

/// The clock goes on from where a process that crashed may have left it: it last wrote its prices at `written_at`.
fn go_on_after(written_at: UnixSeconds) {
    if (1..=LEFT_BY_SECONDS_MAX).contains(&written_at.since(clock::now())) {
        // They are written every few seconds: as much may have been shown since.
        clock::not_before(written_at.plus(PRICES_WRITTEN_WITHIN_SECONDS));
    }
}

/// What was learned of networks before, or an empty profile under a fresh key.
fn memory(config: &Config, hash_key: HashKey) -> Memory {
    let kept = config.state_dir.as_ref().and_then(|state_dir| {
        let instead = "What each network usually brings is learned anew";
        let unused = |error| state_file::tell_unused(&Profile::file(state_dir), &error, instead);
        Profile::read(state_dir).map_err(unused).ok().flatten()
    });
    let loaded = kept.is_some();
    let [purchases, profile] = ["kept purchases", "kept profile"].map(|part| hash_key.part(part));
    let memory = Memory::new(purchases, kept.unwrap_or_else(|| Profile::new(profile)), loaded, clock::now());
    memory.set_known(&config.known_networks);
    memory
}

/// The key of everything that hashes, of this process alone.
fn hash_key() -> HashKey {
    random::bytes().map_or_else(|_| HashKey::of_process(), HashKey)
}

/// Whether files can be made in a folder, which is made if it is missing. A disk that takes nothing now, because it is full or has
/// been made read-only, may have been good an hour ago: the log says so, and the verifier serves.
fn usable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let probe = folder.join(".probe");
    let made = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    match made.as_ref().map_err(io::Error::kind) {
        Err(ErrorKind::ReadOnlyFilesystem | ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            tracing::error!(
                "state_dir {} takes nothing: {}. What is in it is read, and nothing is saved until it does",
                folder.display(),
                made.err().map(|error| error.to_string()).unwrap_or_default()
            );
            Ok(())
        }
        _ => made,
    }
}

//! Writing it, seeing that it works, and putting it back.

use super::journal::{Journal, Phase};
use super::plan::Plan;
use super::proof::{self, Seen};
use super::verifier::{Verifier, journal_folder};
use super::{SetupError, WebServer, commands};
use crate::client;
use crate::config::Config;
use crate::operator::{self, OperatorError};
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;
use rustix::fs::FlockOperation;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a verifier may take to start.
const START_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// The folder with the journal, for one run at a time.
struct Place {
    folder: PathBuf,
    /// Held until the end.
    _lock: File,
}

impl Place {
    fn enter(folder: PathBuf) -> Result<Self, SetupError> {
        if !folder.exists() {
            // The verifier, which is another user, reads its configuration in it.
            let _ = DirBuilder::new().recursive(true).mode(0o755).create(&folder);
        }
        let failed = |error| SetupError::Journal(super::JournalError::Io(folder.clone(), error));
        let lock = File::open(&folder).map_err(failed)?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(SetupError::Locked(folder));
        }
        Ok(Self { folder, _lock: lock })
    }
}

/// Puts back what a run that broke off has left; says so if there was one.
///
/// # Errors
/// See [`SetupError`].
pub(super) async fn mend(verifier: &Verifier) -> Result<Option<String>, SetupError> {
    let folder = journal_folder(&verifier.file);
    if !folder.exists() {
        return Ok(None);
    }
    let place = Place::enter(folder)?;
    match Journal::load(&place.folder)? {
        Some(journal) if journal.phase == Phase::Unfinished => {
            let left = put_back(&journal, &verifier.file).await;
            if !left.is_empty() {
                return Err(SetupError::Left(left));
            }
            Journal::forget(&place.folder)?;
            Ok(Some("An earlier run broke off: what it had written was put back first.".to_owned()))
        }
        _ => Ok(None),
    }
}

/// Writes the plan and sees that it works, or puts everything back.
///
/// # Errors
/// See [`SetupError`].
pub(super) async fn apply(server: WebServer, verifier: &Verifier, plan: Plan) -> Result<String, SetupError> {
    let place = Place::enter(journal_folder(&verifier.file))?;
    let before = Journal::load(&place.folder)?.map(|journal| journal.changes).unwrap_or_default();
    if plan.changes.is_empty() && verifier.change.is_none() {
        return Ok("All of it is there already: nothing was changed.".to_owned());
    }
    let journal = |changes| {
        let all = before.iter().cloned().chain(changes).collect();
        Journal::new(server.name(), &plan.check, &plan.reload, all)
    };
    if verifier.is_new && !answers(&verifier.config).await {
        let mut journal = journal(verifier.change.clone().into_iter().collect::<Vec<_>>());
        journal.phase = Phase::Applied;
        journal.save(&place.folder)?;
        let written = verifier.change.as_ref().map_or(Ok(()), super::change::Change::make);
        let file = verifier.file.display();
        return Err(SetupError::NotRunning(match written {
            Ok(()) => format!(
                "{file} was written, and nothing else. Start the verifier with it, and run this again:\n    \
                 systemctl enable --now portcullis.socket portcullis.service\n    or: portcullis serve --config {file}"
            ),
            Err(error) => format!("{file} cannot be written: {error}"),
        }));
    }
    commands::run(&plan.check).await.map_err(SetupError::WrongBefore)?;
    let mut journal = journal(verifier.change.iter().chain(&plan.changes).cloned().collect::<Vec<_>>());
    journal.save(&place.folder)?;
    match write(verifier, &plan).await {
        Ok(done) => {
            journal.phase = Phase::Applied;
            journal.save(&place.folder)?;
            Ok(done)
        }
        Err(step) => {
            journal.changes.drain(..before.len());
            let left = put_back(&journal, &verifier.file).await;
            journal.changes = before;
            journal.phase = Phase::Applied;
            match (left.is_empty(), journal.changes.is_empty()) {
                (true, true) => Journal::forget(&place.folder)?,
                (true, false) => journal.save(&place.folder)?,
                // What is left is still to be put back.
                (false, _) => {}
            }
            Err(SetupError::PutBack { step, left })
        }
    }
}

/// All steps; the first that fails is told.
async fn write(verifier: &Verifier, plan: &Plan) -> Result<String, String> {
    if let Some(change) = &verifier.change {
        change.make().map_err(|error| format!("{} cannot be written: {error}", change.path.display()))?;
        renew(&verifier.file).await?;
    }
    if !answers(&verifier.config).await {
        return Err(format!(
            "the verifier does not answer at {}. Start it first:\n    systemctl enable --now portcullis.socket \
             portcullis.service\n    or: portcullis serve --config {}",
            verifier.config.admin,
            verifier.file.display()
        ));
    }
    for change in &plan.changes {
        change.make().map_err(|error| format!("{} cannot be written: {error}", change.path.display()))?;
    }
    commands::run(&plan.check).await?;
    commands::run(&plan.reload).await?;
    let mut off = false;
    for ask in &plan.asks {
        let seen = proof::prove(ask, verifier).await;
        off |= seen.map_err(|why| format!("the gate is not in place: {why}\n{}", plan.remedy))? == Seen::Off;
    }
    let seen = match (plan.asks.len(), off) {
        (0, _) => {
            "No server could be asked whether the gate is there: try `portcullis doctor` from outside.".to_owned()
        }
        (_, true) => "The verifier is asked, and switched off: `portcullis mode auto` arms it.".to_owned(),
        (count, false) => format!("The gate is in place: {count} of {count} servers asked show it."),
    };
    Ok(format!("{seen}\nTo take it out again: portcullis setup --remove"))
}

/// Has the verifier take over its configuration.
async fn renew(file: &Path) -> Result<(), String> {
    match operator::reload(file).await {
        Ok(()) => return Ok(()),
        // It is not there, or has to be started anew for what has changed.
        Err(OperatorError::Client(_) | OperatorError::Refused(..)) => {}
        Err(error) => return Err(error.to_string()),
    }
    if !Path::new("/run/systemd/system").exists() {
        return Err(format!("the verifier has to be started anew with {}", file.display()));
    }
    commands::run(&["systemctl", "restart", "portcullis.service"].map(str::to_owned)).await?;
    let config = Config::load(file).map_err(|problems| problems.to_string())?;
    let until = tokio::time::Instant::now() + START_PATIENCE;
    while !answers(&config).await {
        if tokio::time::Instant::now() > until {
            return Err("the verifier was started anew and does not answer: journalctl -u portcullis".to_owned());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Whether the verifier is there.
async fn answers(config: &Config) -> bool {
    let Ok(request) = Request::get("/healthz").header(HOST, "localhost").body(Full::default()) else { return false };
    client::send(&config.admin, request).await.is_ok_and(|answer| answer.status().is_success())
}

/// Puts every file back and has both read them; says what could not be.
async fn put_back(journal: &Journal, verifier: &Path) -> Vec<String> {
    let had_verifier = journal.changes.iter().any(|change| change.path.file_name() == verifier.file_name());
    let left = journal.undo();
    if let Err(error) = commands::run(&journal.check).await {
        eprintln!("portcullis: put back, the web server's own check says: {error}");
    }
    if let Err(error) = commands::run(&journal.reload).await {
        eprintln!("portcullis: put back, but the web server was not told: {error}");
    }
    if had_verifier && verifier.exists() {
        let _ = renew(verifier).await;
    }
    left
}

/// Takes out what was applied.
///
/// # Errors
/// See [`SetupError`].
pub(super) async fn remove(file: &Path) -> Result<String, SetupError> {
    let folder = journal_folder(file);
    if !folder.exists() {
        return Err(SetupError::NothingThere(folder));
    }
    let place = Place::enter(folder)?;
    let Some(journal) = Journal::load(&place.folder)? else { return Err(SetupError::NothingThere(place.folder)) };
    let left = put_back(&journal, file).await;
    if !left.is_empty() {
        return Err(SetupError::Left(left));
    }
    Journal::forget(&place.folder)?;
    Ok(format!("{} is as it was: {} files.", journal.server, journal.changes.len()))
}

//! Writing it, seeing that it works, and putting it back.

use super::journal::{Journal, Phase, Run};
use super::plan::{Plan, Problem};
use super::proof::{self, Seen};
use super::taken_back::TakenBack;
use super::verifier::{Verifier, journal_folder};
use super::{SetupError, WebServer, commands, public};
use crate::client;
use crate::config::Config;
use crate::operator::{self, OperatorError};
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;
use rustix::fs::FlockOperation;
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

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

/// Puts back what a run that broke off has left, and nothing of those before it; says so if there was one.
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
        Some(mut journal) if journal.phase == Phase::Unfinished => {
            let left = put_back(last(&journal), &verifier.file, false).await.left();
            if !left.is_empty() {
                return Err(SetupError::Left(left));
            }
            journal.forget_last(&place.folder)?;
            Ok(Some("An earlier run broke off: what it had written was put back first.".to_owned()))
        }
        _ => Ok(None),
    }
}

/// Why the verifier cannot be taken for `server`: it is already asked by another one, and speaks the language of one alone.
pub(super) fn taken(verifier: &Verifier, journal: &Journal, server: WebServer) -> Option<Problem> {
    // A run that has written the verifier's own configuration, and nothing else, has gated nothing.
    let gates = |run: &&Run| run.changes.iter().any(|change| change.path.file_name() != verifier.file.file_name());
    let other = journal.runs.iter().filter(gates).find(|run| run.server != server.name());
    other.map(|run| Problem {
        file: verifier.file.clone(),
        line: 1,
        what: format!("{} is gated by this verifier, and would be no longer", run.server),
        paste: "portcullis setup --remove   first, or another verifier with a file of its own: --config FILE"
            .to_owned(),
    })
}

/// Writes the plan and sees that it works, or puts everything back.
///
/// # Errors
/// See [`SetupError`].
pub(super) async fn apply(server: WebServer, verifier: &Verifier, plan: Plan) -> Result<String, SetupError> {
    let place = Place::enter(journal_folder(&verifier.file))?;
    let mut journal = Journal::load(&place.folder)?.unwrap_or_else(Journal::new);
    if plan.changes.is_empty() && verifier.change.is_none() {
        return Ok("All of it is there already: nothing was changed.".to_owned());
    }
    let mut run = Run {
        server: server.name().to_owned(),
        check: plan.check.clone(),
        reload: plan.reload.clone(),
        changes: verifier.change.iter().cloned().collect(),
    };
    if verifier.is_new && !answers(&verifier.config).await {
        journal.runs.push(run);
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
    run.changes.extend(plan.changes.iter().cloned());
    journal.runs.push(run);
    journal.phase = Phase::Unfinished;
    journal.save(&place.folder)?;
    let written = tokio::select! {
        written = write(verifier, &plan) => written,
        () = interrupted() => Err("it was interrupted".to_owned()),
    };
    // While it is not noted as done the next run would take it out: that is a step like the others.
    let done = written.and_then(|done| {
        journal.phase = Phase::Applied;
        journal.save(&place.folder).map(|()| done).map_err(|error| error.to_string())
    });
    match done {
        // It is in place by now, whatever is seen from further away.
        Ok(done) => Ok([public::seen(&plan.asks, verifier).await, vec![done]].concat().join("\n")),
        Err(step) => {
            let mut left = put_back(last(&journal), &verifier.file, false).await.left();
            // What is left is still to be put back: the journal says so as it stands.
            if left.is_empty() {
                left.extend(journal.forget_last(&place.folder).err().map(|error| error.to_string()));
            }
            Err(SetupError::PutBack { step, left })
        }
    }
}

/// The last run alone.
fn last(journal: &Journal) -> &[Run] {
    journal.runs.last().map_or(&[], std::slice::from_ref)
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

/// How it went to put something back.
#[derive(Default)]
struct PutBack {
    /// What stands against it: then nothing was.
    left: Vec<String>,
    /// What web servers said of what they found again.
    told: Vec<String>,
}

impl PutBack {
    /// Says what web servers said; gives what stands against it.
    fn left(self) -> Vec<String> {
        self.told.iter().for_each(|told| eprintln!("portcullis: {told}"));
        self.left
    }
}

/// Puts every file of these runs back and has web servers and verifier read them. Where it `has_to_check`, nothing is put back that
/// the web server would not take: it may name a file of ours where nobody has noted it.
async fn put_back(runs: &[Run], verifier: &Path, has_to_check: bool) -> PutBack {
    let mut taken = TakenBack::of(runs, verifier);
    if taken.left.is_empty() {
        let failed = taken.write(&journal_folder(verifier)).err();
        taken.left.extend(failed);
    }
    if !taken.left.is_empty() {
        return PutBack { left: taken.left, ..PutBack::default() };
    }
    let commands: BTreeSet<(&str, &[String], &[String])> =
        runs.iter().map(|run| (run.server.as_str(), run.check.as_slice(), run.reload.as_slice())).collect();
    let mut told = Vec::new();
    for (server, check, _) in &commands {
        let Err(error) = commands::run(check).await else { continue };
        if has_to_check {
            let why = format!("without it, {server} would not take its configuration: {error}");
            return PutBack { left: [vec![why], taken.rewrite()].concat(), ..PutBack::default() };
        }
        told.push(format!("the files are as they were before, and the check of {server} says: {error}"));
    }
    for (server, _, reload) in &commands {
        if let Err(error) = commands::run(reload).await {
            told.push(format!("the files are as they were before, and {server} could not be told: {error}"));
        }
    }
    let had_verifier =
        runs.iter().flat_map(|run| &run.changes).any(|change| change.path.file_name() == verifier.file_name());
    if had_verifier && verifier.exists() {
        let _ = renew(verifier).await;
    }
    taken.tell();
    PutBack { told, ..PutBack::default() }
}

/// Until somebody has it end: Ctrl-C, a stop of the system, a terminal that is gone.
async fn interrupted() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let Ok(mut signals) = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>() else {
        return std::future::pending().await;
    };
    std::future::poll_fn(|context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
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
    let PutBack { left, told } = put_back(&journal.runs, file, true).await;
    if !left.is_empty() {
        return Err(SetupError::Left(left));
    }
    Journal::forget(&place.folder)?;
    if !told.is_empty() {
        return Err(SetupError::NotRead(told));
    }
    let servers: BTreeSet<&str> = journal.runs.iter().map(|run| run.server.as_str()).collect();
    let files: BTreeSet<&Path> =
        journal.runs.iter().flat_map(|run| &run.changes).map(|change| change.path.as_path()).collect();
    let servers: Vec<&str> = servers.into_iter().collect();
    Ok(format!("{}: as it was, {} files.", servers.join(", "), files.len()))
}

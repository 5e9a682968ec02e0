//! The binary `portcullis`: parse → checked configuration → bind → restrict → serve → drain.

use clap::Parser;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use verifier_server::cli::{self, Arguments, BotsTask, Command};
use verifier_server::config::{Config, LogFormat};
use verifier_server::solve::Solved;
use verifier_server::watchdog::Starter;
use verifier_server::{clock, demo, doctor, explain, learn, operator, refresh, setup, solve, startup, telemetry};

/// `EX_CONFIG` of sysexits.h: what is wrong can only be mended by the operator.
const EXIT_CONFIG: u8 = 78;

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => serve(&config).await,
        Command::Demo { port, attack, attack_seconds } => {
            let level = if attack { tracing::Level::ERROR } else { tracing::Level::WARN };
            telemetry::start_logging(level, LogFormat::Text);
            let ended = demo::run(port, attack.then_some(attack_seconds)).await;
            ended.map_or_else(|error| fail(1, error), |()| ExitCode::SUCCESS)
        }
        Command::CheckConfig { file } => match Config::load(&file) {
            Ok(config) => say(explain::explain(&config).trim_end()),
            Err(problems) => fail(EXIT_CONFIG, problems),
        },
        Command::Learn { files, until, profile } => {
            let until = until.unwrap_or_else(clock::now);
            match learn::run(&files, until, &profile, |progress| eprintln!("{progress}")) {
                Ok(learned) => {
                    eprintln!("{}", learned.summary());
                    say(learned.report(&profile).trim_end())
                }
                Err(error) => fail(1, error),
            }
        }
        Command::Status { dry_run, watch: true, config } => {
            operator::watch::watch(&config, dry_run).await.map_or_else(|error| fail(1, error), |()| ExitCode::SUCCESS)
        }
        Command::Explain(arguments) => {
            let cli::ExplainArguments { url, from, method, header: headers, config } = arguments;
            let asked = explain::Asked { url, from, method, headers };
            operator::explain::explain(&config, &asked).await.map_or_else(|error| fail(1, error), say)
        }
        Command::Completions { shell } => say(cli::completions(shell).trim_end()),
        Command::Man => cli::man().map_or_else(|error| fail(1, error), |page| say(page.trim_end())),
        Command::Status { dry_run, watch: false, config } => {
            operator::status(&config, dry_run).await.map_or_else(|error| fail(1, error), say)
        }
        Command::Health { config } => operator::health(&config).await.map_or_else(|error| fail(1, error), say),
        Command::Mode { mode, site, config } => {
            operator::set_mode(&config, &mode, site.as_deref()).await.map_or_else(|error| fail(1, error), say)
        }
        Command::Attacks { config } => operator::attacks::list(&config).await.map_or_else(|error| fail(1, error), say),
        Command::Report(arguments) => {
            operator::report::report(&arguments).await.map_or_else(|error| fail(1, error), say)
        }
        Command::Indicators { number, format, config } => {
            operator::report::indicators(&config, number, format).await.map_or_else(|error| fail(1, error), say)
        }
        Command::Bots { task: BotsTask::Refresh { file, source } } => {
            refresh::run(&file, source).map_or_else(|error| fail(1, error), say)
        }
        Command::Notice(arguments) => operator::notice::run(&arguments).await.map_or_else(|error| fail(1, error), say),
        Command::Pass(arguments) => operator::passes::run(&arguments).await.map_or_else(|error| fail(1, error), say),
        Command::Doctor(arguments) => match doctor::run(&arguments).await {
            Ok(report) => {
                println!("{report}");
                ExitCode::from(u8::from(!report.is_well()))
            }
            Err(error) => fail(2, error),
        },
        Command::Setup(arguments) => Box::pin(setup::run(&arguments)).await.map_or_else(|error| fail(1, error), say),
        Command::Solve { url, base_path, ca } => match solve::run(&url, &base_path, ca.as_deref()).await {
            Ok(Solved::Cookie(cookie)) => say(cookie),
            Ok(Solved::NotNeeded) => {
                eprintln!("{url} needs no work now");
                ExitCode::SUCCESS
            }
            Err(error) => fail(1, error),
        },
    }
}

async fn serve(file: &Path) -> ExitCode {
    // First of all: a signal in the first moment must find us listening.
    let (Ok(mut hangups), Ok(mut terminations)) = (signal(SignalKind::hangup()), signal(SignalKind::terminate()))
    else {
        return fail(1, "cannot listen for signals");
    };
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(problems) => return fail(EXIT_CONFIG, problems),
    };
    telemetry::start_logging(config.log, config.log_format);
    let explained = explain::explain(&config);
    let running = match startup::start(config, file).await {
        Ok(running) => running,
        Err(error) => return fail(EXIT_CONFIG, error),
    };
    for line in explained.lines() {
        if let Some(warning) = line.strip_prefix("warning: ") {
            tracing::warn!("{warning}");
        } else {
            tracing::info!("{line}");
        }
    }
    if let Some((operator, visitors)) = running.addresses.split_last() {
        tracing::info!("serving visitors on {}, the operator on {operator}", visitors.join(", "));
    }
    let starter = Starter::from_environment();
    starter.ready();
    {
        let mut watch = pin!(starter.watch(&running.server));
        loop {
            tokio::select! {
                () = watch.as_mut() => {}
                _ = hangups.recv() => {
                    let reload = Arc::clone(&running.reload);
                    tokio::task::spawn_blocking(move || reload.run_logged());
                }
                _ = terminations.recv() => break,
                _ = tokio::signal::ctrl_c() => break,
            }
        }
    }
    tracing::info!("stopping");
    starter.stopping();
    running.stop().await;
    ExitCode::SUCCESS
}

fn say(text: impl Display) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        // Whoever closes what they read from has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(1, error),
        _ => ExitCode::SUCCESS,
    }
}

fn fail(code: u8, error: impl Display) -> ExitCode {
    eprintln!("portcullis: {error}");
    ExitCode::from(code)
}

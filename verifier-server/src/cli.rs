//! The command line.

use crate::demo::{FLOOD_SECONDS, FLOOD_SECONDS_DEFAULT};
use crate::gate::passes::PASS_HOURS_MAX;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;

/// A gate that drops while a website is under attack.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the verifier
    Serve {
        /// The configuration file
        #[arg(long, default_value = "portcullis.toml")]
        config: PathBuf,
    },
    /// Run a small site with the verifier in front of it, on loopback
    Demo {
        /// The port for visitors; another one is taken if it is busy
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Begin in mode `auto` and show an attack: a bounded flood over loopback that rises, stays and ends
        #[arg(long)]
        attack: bool,
        /// How long the flood lasts, in seconds
        #[arg(
            long,
            value_name = "SECONDS",
            requires = "attack",
            default_value_t = FLOOD_SECONDS_DEFAULT,
            value_parser = clap::value_parser!(u64).range(FLOOD_SECONDS),
        )]
        attack_seconds: u64,
    },
    /// Check a configuration file: every error at once, then what it would do
    CheckConfig {
        /// The configuration file
        file: PathBuf,
    },
    /// Read access logs of the weeks before: write the peacetime profile, and print lines for the configuration
    Learn {
        /// Logs in the common or combined format, also .gz, in any order
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// When the attack began, such as 2026-11-25T02:11:00Z; what came in the hour before it does not count. Left out: now
        #[arg(long, value_name = "TIME", value_parser = until)]
        until: Option<puzzle::UnixSeconds>,
        /// Where the profile is written; it must not be there yet
        #[arg(long, value_name = "OUT", default_value = "profile")]
        profile: PathBuf,
    },
    /// Show what a running verifier does
    Status {
        /// Say as well which programs would be turned away if the gate went down now, with the rules that let them pass
        #[arg(long)]
        dry_run: bool,
        /// Show it again every two seconds, until Ctrl+C
        #[arg(long)]
        watch: bool,
        /// Its configuration file, which says where it listens for the operator
        #[arg(long, default_value = "portcullis.toml")]
        config: PathBuf,
    },
    /// Say what would become of a request now, and why
    Explain(ExplainArguments),
    /// Say by the exit status whether the verifier is there and answers: 0 if it does
    Health {
        /// Its configuration file, which says where it listens for the operator
        #[arg(long, default_value = "portcullis.toml")]
        config: PathBuf,
    },
    /// Set the mode of a running verifier
    Mode {
        /// off, auto or on
        #[arg(value_parser = ["off", "auto", "on"])]
        mode: String,
        /// Its configuration file, which says where it listens for the operator
        #[arg(long, default_value = "portcullis.toml")]
        config: PathBuf,
    },
    /// Make a link that lets a few devices of a colleague keep working while the gate is down
    Pass(PassArguments),
    /// Look after the address ranges of crawlers
    Bots {
        /// What to do with them
        #[command(subcommand)]
        task: BotsTask,
    },
    /// Print what a shell completes, from these definitions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, from these definitions
    Man,
    /// Get a clearance as an API client would, and print the cookie
    Solve {
        /// The page that is wanted
        url: String,
        /// Where the site's gate has its endpoints
        #[arg(long, default_value = "/.portcullis/")]
        base_path: String,
    },
}

/// `portcullis explain`: a request as it would come.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The address that is asked for, such as <https://example.org/login>
    pub url: String,
    /// The client's address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub from: std::net::IpAddr,
    /// The method
    #[arg(long, default_value = "GET")]
    pub method: String,
    /// A header, as 'Name: value'; may be given more than once
    #[arg(long, value_name = "HEADER")]
    pub header: Vec<String>,
    /// The configuration file, which says where the verifier listens for the operator
    #[arg(long, default_value = "portcullis.toml")]
    pub config: PathBuf,
}

/// Shells that complete what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// The completions of a shell, from the definitions in this file.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut Arguments::command(), "portcullis", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page, from the definitions in this file: the program, then each of its commands.
///
/// # Errors
/// If memory cannot be written to.
pub fn man() -> std::io::Result<String> {
    let mut page = Vec::new();
    let mut program = Arguments::command();
    program.build();
    let manual = clap_mangen::Man::new(program.clone()).section("8").manual("Portcullis");
    manual.render(&mut page)?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let of_command = clap_mangen::Man::new(command.clone());
        writeln!(page, ".SH \"portcullis {}\"", command.get_name())?;
        of_command.render_synopsis_section(&mut page)?;
        of_command.render_description_section(&mut page)?;
        of_command.render_options_section(&mut page)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// `portcullis pass`: makes a pass, or lists or revokes those there are.
#[derive(Debug, Args)]
pub struct PassArguments {
    /// Whose it is: a name of your choice, by which it is listed and revoked
    #[arg(required_unless_present_any = ["list", "revoke"])]
    pub name: Option<String>,
    /// How long it lives, in hours
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=i64::from(PASS_HOURS_MAX)))]
    pub hours: u32,
    /// The site, where there are several
    #[arg(long)]
    pub site: Option<String>,
    /// List the passes there are
    #[arg(long, conflicts_with_all = ["name", "revoke", "site"])]
    pub list: bool,
    /// Take a pass back: its devices are refused at once
    #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "site"])]
    pub revoke: Option<String>,
    /// The configuration file, which says where the verifier listens for the operator
    #[arg(long, default_value = "portcullis.toml")]
    pub config: PathBuf,
}

/// What to do with the ranges of crawlers.
#[derive(Debug, Subcommand)]
pub enum BotsTask {
    /// Check a downloaded list, from standard input, and put it in the place of a file
    Refresh {
        /// The file that `[[bot]]` names in `ranges`
        file: PathBuf,
        /// Where the list was downloaded; left out: where the file says that it comes from
        #[arg(long)]
        source: Option<String>,
    },
}

fn until(text: &str) -> Result<puzzle::UnixSeconds, String> {
    crate::calendar::of_operator(text)
        .ok_or_else(|| "write it like 2026-11-25T02:11:00Z or 2026-11-25 03:11+01:00".to_owned())
}

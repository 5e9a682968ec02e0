//! The command line.

use crate::demo::{FLOOD_SECONDS, FLOOD_SECONDS_DEFAULT};
use crate::doctor;
use crate::gate::passes::PASS_HOURS_MAX;
use crate::report::{Format, ListFormat};
use crate::setup::WebServer;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The configuration file, where none is named.
const CONFIGURATION: &str = "portcullis.toml";

/// Where the package has it: for an operator who asks from another folder.
const OF_THE_PACKAGE: &str = "/etc/portcullis/portcullis.toml";

/// A gate that drops while a website is under attack.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version = crate::VERSION)]
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
        #[arg(long, default_value = CONFIGURATION)]
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
        /// Its configuration file, which says where it listens for the operator; where there is none here, that in /etc/portcullis
        #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
        config: PathBuf,
    },
    /// Say what would become of a request now, and why
    Explain(ExplainArguments),
    /// Say by the exit status whether the verifier is there and answers: 0 if it does
    Health {
        /// Its configuration file, which says where it listens for the operator; where there is none here, that in /etc/portcullis
        #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
        config: PathBuf,
    },
    /// Set the mode of a running verifier
    Mode {
        /// off, auto or on
        #[arg(value_parser = ["off", "auto", "on"])]
        mode: String,
        /// Of this site alone, until the mode of all is set
        #[arg(long, value_name = "NAME")]
        site: Option<String>,
        /// Its configuration file, which says where it listens for the operator; where there is none here, that in /etc/portcullis
        #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
        config: PathBuf,
    },
    /// Show, set or take away a notice on the pages of the gate, to be read without solving anything
    Notice(NoticeArguments),
    /// Make a link that lets a few devices of a colleague keep working while the gate is down
    Pass(PassArguments),
    /// List the attacks that were kept, the newest first
    Attacks {
        /// Its configuration file, which says where it listens for the operator, and where attacks are kept
        #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
        config: PathBuf,
    },
    /// Report an attack: for colleagues, for the authorities, for programs
    Report(ReportArguments),
    /// Print the networks of an attack that may be blocked, for the kernel or a server in front
    Indicators {
        /// The number of the attack
        number: u32,
        /// The form of the list
        #[arg(long, default_value = "cidr")]
        format: ListFormat,
        /// The configuration file, which says where the verifier listens for the operator, and whom it trusts
        #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
        config: PathBuf,
    },
    /// Look after the address ranges of crawlers
    Bots {
        /// What to do with them
        #[command(subcommand)]
        task: BotsTask,
    },
    /// Put the gate into the configuration of a web server, or take it out again
    Setup(SetupArguments),
    /// Look from outside whether a site is protected now, and say for each thing that is wrong what to write
    Doctor(DoctorArguments),
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
        /// A file in PEM with the authorities whose certificates are believed; left out: those that the system believes
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
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
    /// The verifier's configuration file, which says where it listens for the operator; where there is none here,
    /// that in /etc/portcullis
    #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
    pub config: PathBuf,
}

/// `portcullis report`: an attack, and how it is told.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The number of the attack, as `portcullis attacks` lists it
    pub number: u32,
    /// The form of the report
    #[arg(long, default_value = "md")]
    pub format: Format,
    /// A file that says whose networks are: `network,asn,name`, a line each
    #[arg(long, value_name = "FILE")]
    pub asn: Option<PathBuf>,
    /// The time zone of local times, such as Europe/Berlin; left out: that of this machine
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// The configuration file, which says where the verifier listens for the operator, and whom it trusts
    #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
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
    /// The verifier's configuration file, which says where it listens for the operator; where there is none here,
    /// that in /etc/portcullis
    #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
    pub config: PathBuf,
}

/// `portcullis notice`: without a text it shows what there is.
#[derive(Debug, Args)]
pub struct NoticeArguments {
    /// One line; words that are addresses, https://… or tel:…, become links
    pub text: Option<String>,
    /// Take the notice away
    #[arg(long, conflicts_with = "text")]
    pub clear: bool,
    /// The site, where there are several
    #[arg(long)]
    pub site: Option<String>,
    /// The language of the text, such as de: a screen reader needs it
    #[arg(long, value_name = "TAG", requires = "text")]
    pub language: Option<String>,
    /// The configuration file, which says where the verifier listens for the operator
    #[arg(long, default_value = CONFIGURATION, value_parser = operators)]
    pub config: PathBuf,
}

/// `portcullis setup`: shows what it would write; writes it with `--apply`; takes it back with `--remove`.
#[derive(Debug, Args)]
pub struct SetupArguments {
    /// The web server
    #[arg(required_unless_present = "remove", conflicts_with = "remove")]
    pub server: Option<WebServer>,
    /// Write it, check it, have the web server read it, and look whether the gate is there; of a failure all is put back
    #[arg(long, conflicts_with = "remove")]
    pub apply: bool,
    /// Put back all that --apply has written
    #[arg(long)]
    pub remove: bool,
    /// Only the sites with this name; may be given more than once. Left out: all of them
    #[arg(long, value_name = "HOST", conflicts_with = "remove")]
    pub site: Vec<String>,
    /// The web server's main configuration file, where it is not where Debian has it
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    pub web_config: Option<PathBuf>,
    /// The command that checks the web server's configuration, where it is not the usual one
    #[arg(long, value_name = "COMMAND", conflicts_with = "remove")]
    pub check: Option<String>,
    /// The command that has the web server read its configuration, where it is not the usual one
    #[arg(long, value_name = "COMMAND", conflicts_with = "remove")]
    pub reload: Option<String>,
    /// The verifier's own configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/portcullis/portcullis.toml")]
    pub config: PathBuf,
}

/// `portcullis doctor`: a site, seen from outside.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// A page of the site, such as <https://example.org/>
    pub url: String,
    /// Before any attack: the page is to be open, and the gate is looked at where it asks for work at all times
    #[arg(long)]
    pub calm: bool,
    /// Where the site's gate has its endpoints
    #[arg(long, default_value = "/.portcullis/")]
    pub base_path: String,
    /// Where the site is, instead of where its name leads: behind a CDN, the server itself
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<std::net::IpAddr>,
    /// From which of this machine's addresses to ask
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<std::net::Ipv4Addr>,
    /// Authorities whose certificates are believed, in PEM; left out: the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The web server in front, whose lines to paste are printed. Left out: what it says it is; if that is nothing known, those of all
    #[arg(long, value_name = "SERVER")]
    pub server: Option<doctor::Kind>,
    /// A port at which the site's own server might be reached; may be given more than once. Left out: the usual ones
    #[arg(long, value_name = "PORT")]
    pub port: Vec<u16>,
    /// The port of plain HTTP
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    pub http_port: u16,
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

/// The file by which an operator finds the verifier: where the default is not in this folder, that of the package. A default that
/// somebody else wrote says whom to send the token to, and which file it is in: it has to be named.
fn operators(text: &str) -> Result<PathBuf, String> {
    let (here, packaged) = (Path::new(text), Path::new(OF_THE_PACKAGE));
    if text != CONFIGURATION {
        return Ok(here.to_path_buf());
    }
    let Ok(found) = std::fs::metadata(here) else {
        return Ok(if packaged.exists() { packaged } else { here }.to_path_buf());
    };
    let users = [0, rustix::process::geteuid().as_raw()];
    if users.contains(&found.uid()) && found.mode() & 0o002 == 0 {
        return Ok(here.to_path_buf());
    }
    Err(format!(
        "the {CONFIGURATION} in this folder is not yours alone to write; if you mean it: --config ./{CONFIGURATION}"
    ))
}

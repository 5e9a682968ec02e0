//! Programs of the web server: its check, its reload.

use std::path::Path;
use std::process::Command;

/// Where systems keep servers, which need not be in everybody's `PATH`.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// Characters of what a program said that are repeated.
const SAID_MAX: usize = 4_000;

/// A command of the operator's, in the words of a shell.
pub(super) fn of_shell(text: &str) -> Vec<String> {
    ["sh", "-c", text].map(str::to_owned).to_vec()
}

/// Runs it to its end.
///
/// # Errors
/// What it said, if it failed.
pub(super) async fn run(command: &[String]) -> Result<(), String> {
    let command = command.to_vec();
    let told = command.join(" ");
    let ended = tokio::task::spawn_blocking(move || {
        let (name, arguments) =
            command.split_first().map_or(("true", [].as_slice()), |(name, rest)| (name.as_str(), rest));
        Command::new(program(name)).args(arguments).output()
    });
    let output = match ended.await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("`{told}` cannot be run: {error}")),
        Err(error) => return Err(format!("`{told}` broke off: {error}")),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said: String = String::from_utf8_lossy(&said).trim().chars().take(SAID_MAX).collect();
    Err(format!("`{told}` failed ({}):\n{said}", output.status))
}

fn program(name: &str) -> String {
    let in_path = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).exists()));
    let elsewhere = FOLDERS.iter().map(|folder| format!("{folder}/{name}")).find(|path| Path::new(path).exists());
    if in_path { name.to_owned() } else { elsewhere.unwrap_or_else(|| name.to_owned()) }
}

//! One chromedriver process and the W3C `WebDriver` protocol over its socket.
//!
//! Hand-made because a driver crate sends CDP commands and reads logs only through its private types, and because the
//! protocol is one JSON object per request.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::wait::{SOON, until_true};

/// A driver with one session; on drop session, driver and browser are gone.
#[derive(Debug)]
pub struct Chromedriver {
    process: Process,
    client: Client,
    session: String,
    profile: String,
}

impl Chromedriver {
    /// Starts a driver in `directory` and a browser with these capabilities and the given profile folder.
    pub fn start(directory: &Path, capabilities: &Value, profile: &str) -> Self {
        let port = ports::free();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", directory).env("TMPDIR", directory);
        let process = Process::start(&mut command, &directory.join("chromedriver.log"));
        let client = Client::new(port, "127.0.0.1");
        until_true(SOON, "chromedriver to listen", || client.connect().is_ok());
        let mut driver = Self { process, client, session: String::new(), profile: profile.to_owned() };
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let answer = driver.send("POST", "/session", &body).unwrap_or_else(|error| panic!("no browser: {error}"));
        driver.session = format!("/session/{}", answer["sessionId"].as_str().unwrap());
        driver
    }

    /// A command of the session: `("POST", "/url", …)`.
    pub fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.send(method, &format!("{}{path}", self.session), body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method, path);
        let request = if method == "POST" { request.body("application/json", body.to_string()) } else { request };
        let reply = request.try_send().map_err(|error| error.to_string())?;
        let mut answer = reply.json();
        match reply.status {
            200 => Ok(answer["value"].take()),
            _ => Err(answer["value"]["message"].as_str().unwrap_or("no message").to_owned()),
        }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Chromium ends; a browser that hangs is ended below.
            let _ = self.command("DELETE", "", &Value::Null);
        }
        self.process.kill();
        // Chromium runs in a group of its own: what still names this profile is ours.
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&arguments).contains(&self.profile)
                && let Some(id) = Pid::from_raw(id)
            {
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }
}

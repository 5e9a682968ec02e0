//! One driver process and the W3C `WebDriver` protocol over its socket.
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
use crate::share::Share;
use crate::wait::{SOON, until_true};

/// A driver with one session; on drop session, driver and browser are gone.
#[derive(Debug)]
pub struct Driver {
    process: Process,
    client: Client,
    session: String,
    directory: String,
    capabilities: Value,
}

impl Driver {
    /// Starts the driver `command`, told its port, and a browser with these capabilities; whatever both leave behind is
    /// in `directory`, and that is their home.
    pub fn start(mut command: Command, directory: &Path, capabilities: &Value) -> Self {
        let port = ports::free();
        command.arg(format!("--port={port}")).env("HOME", directory).env("TMPDIR", directory);
        let process = Process::start(&mut command, &directory.join("driver.log"));
        let client = Client::new(port, "127.0.0.1");
        let what = format!("{} to listen", command.get_program().display());
        until_true(SOON, &what, || client.connect().is_ok());
        let directory = directory.display().to_string();
        let mut driver = Self { process, client, session: String::new(), directory, capabilities: Value::Null };
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let mut answer = driver.send("POST", "/session", &body).unwrap_or_else(|error| panic!("no browser: {error}"));
        driver.session = format!("/session/{}", answer["sessionId"].as_str().unwrap());
        driver.capabilities = answer["capabilities"].take();
        driver
    }

    /// What the browser says of itself.
    pub fn capability(&self, name: &str) -> &Value {
        &self.capabilities[name]
    }

    /// A command of the session: `("POST", "/url", …)`.
    pub fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        self.send(method, &format!("{}{path}", self.session), body)
    }

    /// From now on the browser has a sixth of a core, and who steers it as much as it needs.
    pub fn slow_down(&self) -> Share {
        let (directory, driver) = (self.directory.clone(), Pid::from_raw(self.process.id().cast_signed()));
        Share::of(move || left_in(&directory).into_iter().filter(|id| Some(*id) != driver).collect())
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method, path);
        let request = if method == "POST" { request.body("application/json", body.to_string()) } else { request };
        let reply = request.try_send().map_err(|error| error.to_string())?;
        if reply.status == 405 {
            // A driver that does not know the command says so in its own words.
            return Err(reply.text());
        }
        let mut answer = reply.json();
        match reply.status {
            200 => Ok(answer["value"].take()),
            _ => Err(answer["value"]["message"].as_str().unwrap_or("no message").to_owned()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The browser ends; one that hangs is ended below.
            let _ = self.command("DELETE", "", &Value::Null);
        }
        self.process.kill();
        for id in left_in(&self.directory) {
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// The processes of the browser that has this directory. Browsers run in groups of their own: what names the directory, or
/// lives in it, is theirs.
fn left_in(directory: &str) -> Vec<Pid> {
    let home = format!("HOME={directory}\0");
    let ours = |process: &Path| {
        let read = |name: &str| String::from_utf8_lossy(&fs::read(process.join(name)).unwrap_or_default()).into_owned();
        read("cmdline").contains(directory) || read("environ").contains(&home)
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let id = process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            ours(&process.path()).then_some(id)
        })
        .collect()
}

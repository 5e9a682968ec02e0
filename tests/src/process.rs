//! A child process in a group of its own that never outlives its test, not even a test that panics.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait;

/// A running child; its output goes to a file that a failing test can show.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` in its own process group; stdout and stderr are appended to `output`.
    pub fn start(command: &mut Command, output: &Path) -> Self {
        Self::start_with(command, Stdio::null(), output)
    }

    /// The same with something on its stdin.
    pub fn start_with(command: &mut Command, stdin: Stdio, output: &Path) -> Self {
        use std::os::unix::process::CommandExt as _;
        let file = File::options().create(true).append(true).open(output).unwrap();
        let child = command
            .stdin(stdin)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", command.get_program().display()));
        Self { child, output: output.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGSTOP, and waits until each of its threads stands: until then it may go on answering.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.id());
        wait::until_true(wait::SOON, "every thread to stand", || {
            fs::read_dir(&tasks).unwrap().all(|task| {
                let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
                // The state follows the name, which may hold anything but ends with the last parenthesis.
                stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('T'))
            })
        });
    }

    /// The exit status, once there is one.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the exit.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("process {} to end", self.id());
        wait::until(limit, &what, || self.child.try_wait().unwrap())
    }

    /// Everything it printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// `kill -9`, and reaped.
    pub fn kill(&mut self) {
        // The group may be gone already: then there is nothing to end.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let start = output.char_indices().rev().nth(3000).map_or(0, |(index, _)| index);
            eprintln!("--- end of {} ---\n{}", self.output.display(), &output[start..]);
        }
    }
}

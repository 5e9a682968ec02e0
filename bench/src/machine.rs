//! What the figures were measured on.

use std::fs;
use std::process::Command;

/// Processor, cores, system and compiler, each on a line of a list.
pub(crate) fn described(browsers: Option<&str>) -> String {
    let browsers = browsers.map(|browsers| format!("- Browsers: {browsers}\n")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cores| cores.to_string());
    format!(
        "- Processor: {}, {cores} cores for us\n- System: Linux {}\n- Compiler: {}\n{browsers}",
        processor(),
        kernel(),
        compiler(),
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    match field("cpu family").zip(field("model")) {
        Some((family, number)) => format!("{model} (family {family}, model {number})"),
        None => model,
    }
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(|_| "?".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

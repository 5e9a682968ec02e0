//! The three browser engines: what drives each, and how each is told to be an ordinary visitor on loopback.

use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::browser::Traits;
use crate::process::Process;
use crate::wait::{SOON, until};
use crate::webdriver::Driver;

/// Hosts that are mapped to loopback where a browser has no rule for all of `*.test`.
const HOSTS: &str = "portcullis.test,www.portcullis.test,other.test,elsewhere.test";
/// Where Debian keeps the browser that `WebKitWebDriver` drives.
const MINI_BROWSER: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

/// An engine, by the browser that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// V8 and Blink.
    Chromium,
    /// `SpiderMonkey` and Gecko.
    Firefox,
    /// `JavaScriptCore` and `WebKit`.
    WebKitGtk,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKitGtk];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::WebKitGtk => "WebKitGTK",
        }
    }

    /// Starts Chromium with a new profile in `directory`, where it may connect to `address` too.
    pub(crate) fn start_reaching(directory: &Path, address: &str) -> (Driver, Option<Process>) {
        let capabilities = chromium(&directory.join("profile"), Traits::default(), Some(address));
        (Driver::start(Command::new("chromedriver"), directory, &capabilities), None)
    }

    /// Starts it with a new profile in `directory`, and the display it needs.
    pub(crate) fn start(self, directory: &Path, traits: Traits) -> (Driver, Option<Process>) {
        match self {
            Self::Chromium => {
                let capabilities = chromium(&directory.join("profile"), traits, None);
                (Driver::start(Command::new("chromedriver"), directory, &capabilities), None)
            }
            Self::Firefox => {
                let mut command = Command::new(geckodriver());
                // Chosen by the system, or two of them meet at the same one.
                command.arg("--websocket-port=0");
                (Driver::start(command, directory, &firefox(traits)), None)
            }
            Self::WebKitGtk => {
                let (display, server) = display(directory);
                let mut command = with_hosts(directory, "WebKitWebDriver");
                command.env("DISPLAY", display).env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1");
                if traits.dark {
                    command.env("GTK_THEME", "Adwaita:dark");
                }
                if traits.calm {
                    let settings = directory.join(".config/gtk-3.0");
                    std::fs::create_dir_all(&settings).unwrap();
                    std::fs::write(settings.join("settings.ini"), "[Settings]\ngtk-enable-animations = false\n")
                        .unwrap();
                    command.env("XDG_CONFIG_HOME", directory.join(".config"));
                }
                if traits.without_wasm {
                    command.env("JSC_useWasm", "0").env("JSC_useWebAssembly", "0");
                }
                if traits.without_simd {
                    command.env("JSC_useWasmSIMD", "0").env("JSC_useWebAssemblySIMD", "0");
                }
                (Driver::start(command, directory, &webkit(traits)), Some(server))
            }
        }
    }
}

/// Built by `cargo xtask test` where the machine has none.
fn geckodriver() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/geckodriver");
    if built.exists() { built } else { PathBuf::from("geckodriver") }
}

/// A command in a world of its own, in which [`HOSTS`] are loopback: this browser asks the system for names.
fn with_hosts(directory: &Path, program: &str) -> Command {
    let hosts = directory.join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 localhost {}\n", HOSTS.replace(',', " "))).unwrap();
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "--", "sh", "-c", "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"", "sh"]);
    command.arg(hosts).arg(program);
    command
}

/// A screen that nobody sees, and its name.
fn display(directory: &Path) -> (String, Process) {
    let file = directory.join("display");
    let number = std::fs::File::create(&file).unwrap();
    // Passed on to the server: it writes its number there once it is ready.
    rustix::io::fcntl_setfd(&number, rustix::io::FdFlags::empty()).unwrap();
    let mut command = Command::new("Xvfb");
    command.args(["-displayfd", &number.as_raw_fd().to_string(), "-screen", "0", "1000x800x24", "-nolisten", "tcp"]);
    let server = Process::start(&mut command, &directory.join("xvfb.log"));
    let display = until(SOON, "the display", || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.strip_suffix('\n').map(|number| format!(":{number}"))
    });
    (display, server)
}

fn chromium(profile: &Path, traits: Traits, reached: Option<&str>) -> Value {
    let reached = reached.map(|address| format!(", EXCLUDE {address}")).unwrap_or_default();
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--no-sandbox".into(),
        "--disable-gpu".into(),
        "--disable-dev-shm-usage".into(),
        "--no-first-run".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        "--disable-extensions".into(),
        "--window-size=1000,800".into(),
        // Nothing but loopback, whatever a page names.
        format!("--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1{reached}"),
        format!("--user-data-dir={}", profile.display()),
    ];
    if traits.without_wasm {
        arguments.push("--js-flags=--jitless".into());
    }
    if traits.without_simd {
        arguments.push("--js-flags=--no-enable-sse4-1".into());
    }
    if traits.private {
        arguments.push("--incognito".into());
    }
    let [cookies, script] = [traits.without_cookies, traits.without_script].map(|off| if off { 2 } else { 1 });
    json!({
        "browserName": "chrome",
        "pageLoadStrategy": "normal",
        // Certificates of an authority that a test has made.
        "acceptInsecureCerts": true,
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {
            "args": arguments,
            "prefs": {
                "profile.default_content_setting_values.cookies": cookies,
                "profile.default_content_setting_values.javascript": script,
            },
        },
    })
}

fn firefox(traits: Traits) -> Value {
    json!({
        "browserName": "firefox",
        "acceptInsecureCerts": true,
        "moz:firefoxOptions": {
            "args": ["-headless"],
            "prefs": {
                "network.dns.localDomains": HOSTS,
                "network.cookie.cookieBehavior": if traits.without_cookies { 2 } else { 5 },
                "javascript.options.wasm": !traits.without_wasm,
                "javascript.enabled": !traits.without_script,
                "browser.privatebrowsing.autostart": traits.private,
                // 0 is dark, and 1 is light.
                "layout.css.prefers-color-scheme.content-override": i32::from(!traits.dark),
                "ui.prefersReducedMotion": i32::from(traits.calm),
                // 2 is always the person's own colours, and 0 is those of the page unless the system says otherwise.
                "browser.display.document_color_use": if traits.forced_colours { 2 } else { 0 },
                // Nothing but loopback.
                "network.captive-portal-service.enabled": false,
                "network.connectivity-service.enabled": false,
                "browser.safebrowsing.downloads.enabled": false,
                "app.update.enabled": false,
            },
        },
    })
}

fn webkit(traits: Traits) -> Value {
    let mut arguments = vec!["--automation"];
    if traits.without_cookies {
        arguments.push("--cookies-policy=never");
    }
    // Every window that is steered is a private one here, whatever the traits say.
    json!({"acceptInsecureCerts": true, "webkitgtk:browserOptions": {"binary": MINI_BROWSER, "args": arguments}})
}

//! A real nginx that speaks TLS, with certificates of an authority made for the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::wait::{SOON, until_true};

/// One `server { … }` of it.
#[derive(Debug, Clone)]
pub struct TlsSite<'a> {
    /// The name in its certificate.
    pub name: &'a str,
    /// Lines of its server level. `PORT` in them is where it listens.
    pub lines: String,
}

/// An nginx that listens on one port for every site; the first is there for unknown names.
#[derive(Debug)]
pub struct TlsServer {
    process: Process,
    directory: TempDir,
    /// Where it listens.
    pub port: u16,
}

impl TlsServer {
    /// Makes an authority and the certificates, and starts.
    pub fn start(sites: &[TlsSite<'_>]) -> Self {
        let directory = TempDir::with_prefix("portcullis-tls-").unwrap();
        let root = directory.path();
        // The workers are another user when this runs as root.
        fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        authority(root);
        let port = ports::free();
        let servers = sites.iter().map(|site| {
            certificate(root, site.name);
            let (folder, lines) = (root.display(), site.lines.replace("PORT", &port.to_string()));
            format!(
                "server {{\n    listen 127.0.0.1:{port} ssl;\n    server_name {0};\n    ssl_certificate {folder}/{0}.pem;\n    \
                 ssl_certificate_key {folder}/{0}.key;\n{lines}\n}}\n",
                site.name
            )
        });
        let (folder, servers) = (root.display(), servers.collect::<String>());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {folder}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nevents {{ worker_connections 512; }}\n\
             http {{\n{temporary}    access_log off;\n    client_max_body_size 64m;\n{servers}}}\n"
        );
        fs::write(root.join("nginx.conf"), text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(root).arg("-e").arg(root.join("error.log")).arg("-c").arg(root.join("nginx.conf"));
        let process = Process::start(&mut command, &root.join("nginx.log"));
        let mut server = Self { process, directory, port };
        let client = Client::new(port, "localhost");
        until_true(SOON, "nginx to listen", || {
            assert!(server.process.exited().is_none(), "nginx ended: {}", server.process.output());
            client.connect().is_ok()
        });
        server
    }

    /// The authority's certificate, as a site names it.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }
}

fn authority(folder: &Path) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=test-authority",
    );
}

fn certificate(folder: &Path, name: &str) {
    fs::write(folder.join("names.cnf"), format!("subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n")).unwrap();
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names.cnf -out {name}.pem"
        ),
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

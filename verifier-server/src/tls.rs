//! TLS as a client: to origins, probes, and by `portcullis solve`. The other side's certificate is always verified.

mod pinned;

use sha2::{Digest, Sha256};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Where systems keep the certificates of public authorities, all in one file: Debian and its kin, Red Hat and its kin, SUSE,
/// Alpine and the BSDs.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Bytes of a file with authorities' certificates: systems ship about 200 KiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The system has no authorities.
    #[error("this system has no file with the certificates of public authorities")]
    NoSystemFile,
    /// The file cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// Nothing in the file is a certificate of an authority.
    #[error("{} holds no certificate of an authority in PEM", .0.display())]
    NoCertificates(PathBuf),
    /// The library cannot be set up, which is a defect of this program.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

/// Whose certificates are believed.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    file: PathBuf,
    /// Of the file's content: two of them that believe the same are the same.
    digest: [u8; 32],
}

impl Tls {
    /// Believes the authorities in a file in PEM.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn from_file(file: &Path) -> Result<Self, TlsError> {
        let unreadable = |reason| TlsError::Unreadable { path: file.to_owned(), reason };
        let found = std::fs::metadata(file).map_err(unreadable)?;
        if !found.is_file() || found.len() > FILE_BYTES_MAX {
            return Err(unreadable(io::Error::other(format!("it is no file of up to {FILE_BYTES_MAX} bytes"))));
        }
        let pem = std::fs::read(file).map_err(unreadable)?;
        let mut roots = RootCertStore::empty();
        // What is odd in a system's file is left out; a file without any usable one is an error.
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        if roots.is_empty() {
            return Err(TlsError::NoCertificates(file.to_owned()));
        }
        Ok(Self { config: Arc::new(client(roots)?), file: file.to_owned(), digest: Sha256::digest(&pem).into() })
    }

    /// Believes the public authorities that the system believes.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn of_system() -> Result<Self, TlsError> {
        let file = SYSTEM_FILES.iter().map(Path::new).find(|file| file.exists()).ok_or(TlsError::NoSystemFile)?;
        Self::from_file(file)
    }

    /// The file with the authorities.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }

    /// Speaks TLS on a connection to `host`, which the certificate has to name.
    ///
    /// # Errors
    /// `host` is no name, or the other side does not prove that it is `host`.
    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await
    }
}

/// A client that believes `roots`.
///
/// # Errors
/// [`TlsError::Library`].
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsError::Library(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Tls({})", self.file.display())
    }
}

//! [`Tls`]: the certificate that the server shows, taken over anew whenever its files change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::limits::CONFIG_BYTES_MAX;

/// A certificate with its key, from two files in PEM. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<ServerConfig>,
    /// What the files held at the last look, good or not, so that each state of them is judged and logged once.
    seen: Mutex<[u8; 32]>,
}

/// Why there is no certificate to show. No text of it holds a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The two do not go together, or are of a kind that is not known.
    #[error("the certificate in {} cannot be used with the key in {}: {reason}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the TLS library said.
        reason: String,
    },
}

impl Tls {
    /// Reads a certificate with the authorities above it, the server's own first, and its private key.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let files = read(&certificate, &key);
        let seen = digest(&files);
        let current = ArcSwap::new(config(&certificate, &key, files)?);
        Ok(Self(Arc::new(Inner { certificate, key, current, seen: Mutex::new(seen) })))
    }

    /// Takes over what the files hold now, if that is something new and good; else the certificate before stays, and the log
    /// says why. The files are read whole each time: they are small, and neither a rename nor a clock can hide a change.
    /// Blocks on the disk.
    pub(crate) fn refresh(&self) {
        let Inner { certificate, key, current, seen } = &*self.0;
        let files = read(certificate, key);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = digest(&files);
        if std::mem::replace(&mut *seen, found) == found {
            return;
        }
        match config(certificate, key, files) {
            Ok(config) => {
                current.store(config);
                tracing::info!("another TLS certificate is shown from now on");
            }
            Err(error) => tracing::error!(error = %error, "the TLS certificate was refused; the one before stays"),
        }
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.0.current.load_full()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({})", self.0.certificate.display())
    }
}

type Files = Result<(Vec<u8>, Vec<u8>), TlsError>;

fn read(certificate: &Path, key: &Path) -> Files {
    let read = |path: &Path| {
        crate::config::read_bytes(path, CONFIG_BYTES_MAX)
            .map_err(|reason| TlsError::Read { path: path.to_owned(), reason })
    };
    Ok((read(certificate)?, read(key)?))
}

fn digest(files: &Files) -> [u8; 32] {
    let hasher = match files {
        Ok((certificate, key)) => Sha256::new()
            .chain_update((certificate.len() as u64).to_le_bytes())
            .chain_update(certificate)
            .chain_update(key),
        Err(error) => Sha256::new().chain_update(error.to_string()),
    };
    hasher.finalize().into()
}

fn config(certificate: &Path, key: &Path, files: Files) -> Result<Arc<ServerConfig>, TlsError> {
    let (certificate_pem, key_pem) = files?;
    let wrong = |path: &Path, what| TlsError::Pem { path: path.to_owned(), what };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&certificate_pem)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| wrong(key, "private key"))?;
    let pair = |error: rustls::Error| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

//! TLS from PEM files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// What a listener needs to speak TLS.
#[derive(Clone)]
pub struct Tls {
    /// For HTTP, whose versions it names.
    pub(super) http: TlsAcceptor,
    /// For every other protocol: it names none, so that a client that names its own is not turned away.
    other: TlsAcceptor,
}

/// Certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or holds no such PEM section.
    #[error("{what} cannot be read from {}: {}", path.display(), in_words(source))]
    Read {
        /// "the certificate" or "the private key".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the PEM reader said.
        source: pem::Error,
    },
    /// Both can be read and do not fit together, or are of an unknown kind.
    #[error("certificate and key cannot be used together: {0}")]
    Pair(#[from] rustls::Error),
}

fn in_words(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "the file holds none in PEM form".to_owned(),
        other => other.to_string(),
    }
}

impl Tls {
    /// Reads a certificate chain (own certificate first) and its private key.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn from_pem_files(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |what, path: &Path, source| TlsError::Read { what, path: path.to_owned(), source };
        let chain = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
            .map_err(|source| read("the certificate", cert, source))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|source| read("the private key", key, source))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let other = TlsAcceptor::from(Arc::new(config.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { http: TlsAcceptor::from(Arc::new(config)), other })
    }

    /// Shakes hands on a stream of another protocol, such as mail after `STARTTLS`.
    ///
    /// # Errors
    /// When the other side does not, or breaks off.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn accept<S>(&self, stream: S) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<S>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        self.other.accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_is_named_with_what_is_missing_in_it() {
        let no_pem = tempfile::NamedTempFile::new().unwrap();
        let error = Tls::from_pem_files(no_pem.path(), no_pem.path()).unwrap_err().to_string();
        assert!(error.ends_with("the file holds none in PEM form"), "{error}");
    }

    #[test]
    fn a_missing_certificate_is_named_with_its_file() {
        let missing = Path::new("/nowhere/cert.pem");
        let error = Tls::from_pem_files(missing, missing).unwrap_err().to_string();
        assert!(error.starts_with("the certificate cannot be read from /nowhere/cert.pem"), "{error}");
    }
}

//! TLS to a store: whom it trusts, and the one cryptography library that performs it.

use std::{fmt, io, path::Path, sync::Arc};

use anynode_core::store::{Error, ErrorKind};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Stream;

/// Whom a connection trusts. A server is always asked for its certificate, which has to be
/// for the name it was called by; nothing turns that off.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the authorities of this machine, or only those in the PEM file `authorities`.
    ///
    /// # Errors
    /// `Config` when the file cannot be read or holds none, or the machine has none.
    pub(crate) fn trusting(authorities: Option<&Path>, store: &'static str) -> Result<Self, Error> {
        let roots = match authorities {
            Some(file) => roots_in(file, store)?,
            None => roots_of_this_machine(store)?,
        };
        // Named here, because a program may hold two and then neither is the default.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(store, "TLS cannot be set up").with_source(error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        Ok(Self { config })
    }

    /// The configuration, for a driver that speaks TLS itself.
    #[cfg(feature = "postgres")]
    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Speaks TLS over a connection to this host.
    ///
    /// # Errors
    /// When the host cannot be the name of a certificate, or the handshake fails.
    pub(super) async fn over(&self, tcp: TcpStream, host: &str) -> io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.connect(name, tcp).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn roots_in(file: &Path, store: &'static str) -> Result<RootCertStore, Error> {
    let unreadable = "the file of `tls_ca` cannot be read as PEM certificates";
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(store, unreadable).with_source(error))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(refused(store, "the file of `tls_ca` holds no certificate"));
    }
    Ok(roots)
}

fn roots_of_this_machine(store: &'static str) -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let message = "this machine trusts no authority; install its certificates (package \
                       ca-certificates) or name a file by `tls_ca`";
        return Err(refused(store, message));
    }
    Ok(roots)
}

fn refused(store: &'static str, detail: &'static str) -> Error {
    Error::new(ErrorKind::Config, store, "open").with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("ca.pem");
        let refused = |expected: &str| {
            let error = Tls::trusting(Some(&file), "redis").expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(expected), "{error}");
        };
        refused("cannot be read");
        std::fs::write(&file, "no certificate").expect("written");
        refused("holds no certificate");
    }
}

//! A private authority, and the certificate of a server on this machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::place;

/// The files of a server's certificate.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// Whom clients have to trust.
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

// === impl Certificate ===

impl Certificate {
    /// Writes the certificate of `localhost` and 127.0.0.1 into this directory, for servers that
    /// run as this process or as nobody.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) fn write(directory: &Path) -> Result<Self, Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        let name = "anynode-lab's own authority";
        authority.distinguished_name.push(DnType::CommonName, name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate()?;
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        Ok(Self {
            authority: file(directory, "authority.pem", &authority_pem, 0o644)?,
            certificate: file(directory, "certificate.pem", &certificate.pem(), 0o644)?,
            key: file(directory, "key.pem", &key.serialize_pem(), 0o600)?,
        })
    }
}

fn file(directory: &Path, name: &str, text: &str, mode: u32) -> Result<PathBuf, Error> {
    let path = directory.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, Permissions::from_mode(mode))?;
    place::give_away(&path)?;
    Ok(path)
}

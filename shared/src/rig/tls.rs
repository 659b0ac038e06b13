//! TLS 1.2 and 1.3 by rustls with aws-lc, the provider named explicitly: crates beside us may compile another one in.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM, or not of the right kind.
    #[error("the {what} is not readable PEM: {why}")]
    Pem {
        /// Which input.
        what: &'static str,
        /// What the reader says.
        why: String,
    },
    /// rustls refuses the combination.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
    /// The client verifier cannot be built.
    #[error("client certificates: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// Leaf first.
    pub certificate: &'a str,
    /// PKCS#8.
    pub key: &'a str,
}

/// Makes aws-lc the process's provider. Called once by each program's start; a repeat changes nothing.
pub fn install_provider() {
    drop(aws_lc_rs::default_provider().install_default());
}

/// A server's side; with `client_authority` every client must show a certificate of it.
///
/// # Errors
/// [`TlsError`] when a PEM is unreadable or key and certificate do not fit.
pub fn server(identity: Identity<'_>, client_authority: Option<&str>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let (chain, key) = read(identity)?;
    let mut config = match client_authority {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider()).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    }
    .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A client's side: trusts `authority` alone and shows `identity` if there is one.
///
/// # Errors
/// [`TlsError`] when a PEM is unreadable or key and certificate do not fit.
pub fn client(authority: &str, identity: Option<Identity<'_>>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(authority)?);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read(identity)?;
            builder.with_client_auth_cert(chain, key)?
        }
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|e| TlsError::Pem { what, why: e.to_string() })?;
    if found.is_empty() { Err(TlsError::Pem { what, why: "no certificate in it".into() }) } else { Ok(found) }
}

fn roots(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates("authority", pem)? {
        store.add(certificate)?;
    }
    Ok(store)
}

fn read(identity: Identity<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())
        .map_err(|e| TlsError::Pem { what: "key", why: e.to_string() })?;
    Ok((certificates("certificate", identity.certificate)?, key))
}

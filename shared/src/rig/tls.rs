//! TLS 1.2 and 1.3 by rustls with aws-lc, the provider named explicitly: crates beside us may compile another one in.

use std::sync::Arc;

pub use rustls::{ClientConfig, ServerConfig};
use rustls::{
    RootCertStore,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use crate::ids::BoxId;

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

/// A client's side towards public servers: trusts every authority of a bundle that it can read. A system's bundle may hold
/// some that it cannot.
///
/// # Errors
/// [`TlsError`] when there is none.
pub fn public_client(bundle: &str) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates("bundle of authorities", bundle)?).0 == 0 {
        return Err(TlsError::Pem { what: "bundle of authorities", why: "no authority in it".into() });
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The host's side between two boxes: TLS 1.3 alone, every guest shows a certificate of `authority`, and nothing is
/// resumed, so that whoever comes back is judged again. It speaks each of `protocols`.
///
/// # Errors
/// [`TlsError`] when a PEM is unreadable or key and certificate do not fit.
pub fn host(identity: Identity<'_>, authority: &str, protocols: &[&[u8]]) -> Result<ServerConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authority)?), provider()).build()?;
    let (chain, key) = read(identity)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The guest's side between two boxes.
///
/// # Errors
/// [`TlsError`] when a PEM is unreadable or key and certificate do not fit.
pub fn guest(identity: Identity<'_>, authority: &str, protocol: &[u8]) -> Result<ClientConfig, TlsError> {
    let (chain, key) = read(identity)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(authority)?)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The box that a verified chain names: its one common name, written as we write it.
pub fn box_of(chain: Option<&[CertificateDer<'_>]>) -> Option<BoxId> {
    let (_, certificate) = X509Certificate::from_der(chain?.first()?).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next().filter(|_| names.next().is_none())?.as_str().ok()?;
    name.parse().ok().filter(|id: &BoxId| id.to_string() == name)
}

/// The host under which a certificate of a box also holds for every name one label longer (`*.host`), if there is one.
///
/// # Errors
/// [`TlsError::Pem`] when the chain is not readable.
pub fn host_above_others(chain: &str) -> Result<Option<String>, TlsError> {
    let of = |der: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = &certificate.subject_alternative_name().ok()??.value.general_names;
        let held = |host: &str| names.iter().any(|name| matches!(name, GeneralName::DNSName(name) if *name == host));
        names.iter().find_map(|name| {
            let GeneralName::DNSName(name) = name else { return None };
            name.strip_prefix("*.").filter(|host| held(host)).map(str::to_ascii_lowercase)
        })
    };
    Ok(certificates("certificate", chain)?.first().and_then(of))
}

/// The host name in a certificate of a box: its first name that is not this machine's for itself.
///
/// # Errors
/// [`TlsError::Pem`] when it has none.
pub fn host_name(chain: &str) -> Result<ServerName<'static>, TlsError> {
    let of = |der: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = &certificate.subject_alternative_name().ok()??.value.general_names;
        let name = names.iter().find_map(|name| {
            if let GeneralName::DNSName(name) = name { Some(*name).filter(|name| *name != "localhost") } else { None }
        })?;
        ServerName::try_from(name.to_owned()).ok()
    };
    let found = certificates("certificate", chain)?.first().and_then(of);
    found.ok_or_else(|| TlsError::Pem { what: "certificate", why: "no host name in it".into() })
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

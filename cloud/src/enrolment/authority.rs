//! The territory's certificate authority and the coordinator's own secrets.
//!
//! A root key signs one issuing key; the issuing key signs everything else. Boxes and tablets pin the root (`ca.pem`),
//! so that the issuing key can be replaced; the root key's file may be taken off the machine once the issuing
//! certificate is made. Leaf certificates of the coordinator itself are made anew at each start: nothing pins them, and
//! one that is never old needs no renewal. Names in certificates are ours: of a request only the key is used.

mod outside;

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use preau_shared::{
    dice::Dice,
    ids::{BoxId, IdError},
    keys::{KeyError, PublicKey, SigningKey},
    rig::keep,
    time::{Clock, Stamp},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
    date_time_ymd,
};
use time::OffsetDateTime;

/// The folder of the authority's files, in the coordinator's own.
pub(crate) const AUTHORITY: &str = "authority";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Life of the root certificate.
pub(crate) const ROOT_LIFE: Duration = Duration::from_secs(20 * 366 * 24 * 60 * 60);
/// Life of the issuing certificate.
pub(crate) const ISSUING_LIFE: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
/// Life of certificates for web servers: the box's on its local network, the coordinator's own.
pub(crate) const SERVER_LIFE: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Life of a box's MQTT certificate.
pub(crate) const MQTT_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Certificates begin so long before they are made: clocks differ.
const BACKDATED: Duration = DAY;
/// Largest certificate request looked at, in bytes of PEM.
const MAX_REQUEST_BYTES: usize = 8 * 1024;

/// Why the authority cannot do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A file is not what this program wrote.
    #[error("{path} is damaged: restore the folder `authority` from a backup")]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The library refuses.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A certificate request is too large, unreadable or not signed by its own key.
    #[error("the certificate request cannot be used")]
    Request,
}

impl From<IdError> for AuthorityError {
    fn from(_: IdError) -> Self {
        Self::Request
    }
}

/// PEM chain (leaf first) and PEM key, in memory and, for the broker, in files.
#[derive(Clone)]
pub(crate) struct Leaf {
    /// Leaf, then issuing.
    pub(crate) chain: String,
    /// PKCS#8.
    pub(crate) key: String,
    /// Where the chain stands.
    pub(crate) chain_file: PathBuf,
    /// Where the key stands.
    pub(crate) key_file: PathBuf,
}

/// A certificate made for somebody else's key.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    /// Leaf, then issuing, PEM.
    pub(crate) chain: String,
    /// When it ends.
    pub(crate) ends: Stamp,
    /// Its serial number, by which it can be revoked.
    pub(crate) serial: Vec<u8>,
}

/// The authority, and what the coordinator proves itself with.
pub(crate) struct Authority {
    /// PEM of the root: what everybody pins.
    pub(crate) root: String,
    /// Where it stands, for the broker and for whoever installs a box.
    pub(crate) root_file: PathBuf,
    /// The coordinator's HTTPS and MQTT server.
    pub(crate) server: Leaf,
    /// The coordinator as an MQTT client.
    pub(crate) client: Leaf,
    /// The coordinator's name as an origin, as an MQTT client, and in its certificate.
    pub(crate) coordinator_id: BoxId,
    /// Keyed hash of badges.
    pub(crate) badge_key: [u8; 32],
    writer_seed: [u8; 32],
    evidence_secret: [u8; 32],
    issuing: Issuer<'static, KeyPair>,
    issuing_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority(of coordinator {})", self.coordinator_id)
    }
}

impl Authority {
    /// Reads the authority in `dir` or, at the first start, makes it. `names` are host names and addresses of the
    /// coordinator beside `localhost` and `127.0.0.1`; its certificate also holds for what stands below a host name.
    ///
    /// # Errors
    /// [`AuthorityError`], each with the file and what to do.
    pub(crate) fn open(
        dir: &Path,
        territory: &str,
        names: &[String],
        clock: &dyn Clock,
        dice: &dyn Dice,
    ) -> Result<Self, AuthorityError> {
        let folder = dir.join(AUTHORITY);
        keep::secret_folder(&folder).map_err(|why| AuthorityError::File { path: folder.clone(), why })?;
        let now = clock.stamp();
        let (root, issuing_pem, issuing_key) = chain(&folder, territory, now, dice)?;
        let root_file = dir.join("ca.pem");
        write(&root_file, root.as_bytes(), keep::public)?;
        let issuing = Issuer::from_ca_cert_pem(&issuing_pem, issuing_key)
            .map_err(|_| AuthorityError::Damaged { path: folder.join("issuing.pem") })?;
        let coordinator_id = BoxId::from_bytes(secret(&folder.join("coordinator.id"), dice)?);
        let seal = |name: &str, params: CertificateParams| leaf(&folder, name, params, &issuing, &issuing_pem);
        let mut sans: Vec<String> = vec!["localhost".into(), "127.0.0.1".into()];
        for name in names {
            sans.push(name.clone());
            // A tablet asks for names over TLS under its own name below one of ours.
            if name.parse::<IpAddr>().is_err() && !name.starts_with("*.") {
                sans.push(format!("*.{name}"));
            }
        }
        let server = seal("server", server_params("coordinator", &sans, now, dice)?)?;
        let client = seal("mqtt", client_params(coordinator_id, SERVER_LIFE, now, dice))?;
        Ok(Self {
            root,
            root_file,
            server,
            client,
            coordinator_id,
            badge_key: secret(&folder.join("badge.key"), dice)?,
            writer_seed: secret(&folder.join("writer.seed"), dice)?,
            evidence_secret: secret(&folder.join("evidence.key"), dice)?,
            issuing,
            issuing_pem,
        })
    }

    /// Another coordinator as an MQTT client, under its own name.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub(crate) fn member(&self, dir: &Path, name: BoxId, now: Stamp, dice: &dyn Dice) -> Result<Leaf, AuthorityError> {
        let params = client_params(name, SERVER_LIFE, now, dice);
        leaf(&dir.join(AUTHORITY), "mqtt", params, &self.issuing, &self.issuing_pem)
    }

    /// The key that signs the coordinator's runs.
    ///
    /// # Errors
    /// [`AuthorityError::Key`].
    pub(crate) fn writer_key(&self) -> Result<SigningKey, AuthorityError> {
        Ok(SigningKey::from_seed(&self.writer_seed)?)
    }

    /// Its public half, that boxes keep.
    ///
    /// # Errors
    /// [`AuthorityError::Key`].
    pub(crate) fn writer_public(&self) -> Result<PublicKey, AuthorityError> {
        Ok(self.writer_key()?.public())
    }

    /// The secret under which evidence about people is hashed; it never leaves the coordinator.
    pub(crate) fn evidence_secret(&self) -> [u8; 32] {
        self.evidence_secret
    }

    /// A box's MQTT certificate for the key of `request` (PKCS#10, PEM).
    ///
    /// # Errors
    /// [`AuthorityError::Request`] when it is not a request, or not signed by its own key.
    pub(crate) fn issue_mqtt(
        &self,
        request: &str,
        box_id: BoxId,
        now: Stamp,
        dice: &dyn Dice,
    ) -> Result<Issued, AuthorityError> {
        self.issue(request, client_params(box_id, MQTT_LIFE, now, dice), now.after(MQTT_LIFE))
    }

    /// A box's certificate for its local network, for `localhost`, `127.0.0.1`, `host` and the names below it, on which
    /// sessions have an origin of their own.
    ///
    /// # Errors
    /// As for [`Self::issue_mqtt`].
    pub(crate) fn issue_lan(
        &self,
        request: &str,
        box_id: BoxId,
        host: &str,
        now: Stamp,
        dice: &dyn Dice,
    ) -> Result<Issued, AuthorityError> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), host.to_owned(), format!("*.{host}")];
        let params = server_params(&box_id.to_string(), &names, now, dice)?;
        self.issue(request, params, now.after(SERVER_LIFE))
    }

    fn issue(&self, request: &str, params: CertificateParams, ends: Stamp) -> Result<Issued, AuthorityError> {
        let key = request_key(request)?;
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let certificate = params.signed_by(&key, &self.issuing)?;
        Ok(Issued { chain: format!("{}{}", certificate.pem(), self.issuing_pem), ends, serial })
    }
}

/// The key of a certificate request, as a value that identifies it.
///
/// # Errors
/// [`AuthorityError::Request`].
pub(crate) fn request_key(request: &str) -> Result<impl PublicKeyData + use<>, AuthorityError> {
    if request.len() > MAX_REQUEST_BYTES {
        return Err(AuthorityError::Request);
    }
    // Reading checks that the request is signed by the key it asks for.
    let read = CertificateSigningRequestParams::from_pem(request).map_err(|_| AuthorityError::Request)?;
    Ok(read.public_key)
}

/// Root and issuing certificates and the issuing key; made when there is no root certificate yet.
fn chain(
    folder: &Path,
    territory: &str,
    now: Stamp,
    dice: &dyn Dice,
) -> Result<(String, String, KeyPair), AuthorityError> {
    let at = |name: &str| folder.join(name);
    if read(&at("root.pem"))?.is_none() {
        let root_key = KeyPair::generate()?;
        let root_params = ca_params(&format!("Préau {territory}, racine"), 1, ROOT_LIFE, now, dice);
        let root = root_params.self_signed(&root_key)?;
        let issuing_key = KeyPair::generate()?;
        let issuing = ca_params(&format!("Préau {territory}"), 0, ISSUING_LIFE, now, dice)
            .signed_by(&issuing_key, &Issuer::from_params(&root_params, &root_key))?;
        write(&at("root.key"), root_key.serialize_pem().as_bytes(), keep::secret)?;
        write(&at("issuing.key"), issuing_key.serialize_pem().as_bytes(), keep::secret)?;
        write(&at("issuing.pem"), issuing.pem().as_bytes(), keep::secret)?;
        // Last: its presence says that the others are there.
        write(&at("root.pem"), root.pem().as_bytes(), keep::secret)?;
    }
    let key = KeyPair::from_pem(&text(&at("issuing.key"))?)
        .map_err(|_| AuthorityError::Damaged { path: at("issuing.key") })?;
    Ok((text(&at("root.pem"))?, text(&at("issuing.pem"))?, key))
}

fn leaf(
    folder: &Path,
    name: &str,
    params: CertificateParams,
    issuing: &Issuer<'static, KeyPair>,
    issuing_pem: &str,
) -> Result<Leaf, AuthorityError> {
    let key = KeyPair::generate()?;
    let chain = format!("{}{issuing_pem}", params.signed_by(&key, issuing)?.pem());
    let leaf = Leaf {
        chain,
        key: key.serialize_pem(),
        chain_file: folder.join(format!("{name}.pem")),
        key_file: folder.join(format!("{name}.key")),
    };
    write(&leaf.key_file, leaf.key.as_bytes(), keep::secret)?;
    write(&leaf.chain_file, leaf.chain.as_bytes(), keep::secret)?;
    Ok(leaf)
}

fn ca_params(name: &str, path_length: u8, life: Duration, now: Stamp, dice: &dyn Dice) -> CertificateParams {
    let mut params = params(name, life, now, dice);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(
    name: &str,
    sans: &[String],
    now: Stamp,
    dice: &dyn Dice,
) -> Result<CertificateParams, AuthorityError> {
    let mut params = params(name, SERVER_LIFE, now, dice);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for san in sans {
        params.subject_alt_names.push(self::san(san)?);
    }
    Ok(params)
}

fn san(name: &str) -> Result<SanType, AuthorityError> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into()?),
    })
}

fn client_params(id: BoxId, life: Duration, now: Stamp, dice: &dyn Dice) -> CertificateParams {
    let mut params = params(&id.to_string(), life, now, dice);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(name: &str, life: Duration, now: Stamp, dice: &dyn Dice) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let made = moment(now);
    params.not_before = made - BACKDATED;
    params.not_after = made + life;
    // Twenty bytes at most, positive (RFC 5280 §4.1.2.2).
    let mut serial = [0; 16];
    dice.fill(&mut serial);
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    params
}

/// A date beyond what certificates can say would panic: the clock is held between 2020 and 2200.
fn moment(at: Stamp) -> OffsetDateTime {
    let since_1970 = u64::try_from(at.0.clamp(1_577_836_800_000, 7_258_118_400_000)).unwrap_or_default();
    date_time_ymd(1970, 1, 1) + Duration::from_millis(since_1970)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AuthorityError> {
    keep::read(path).map_err(|why| AuthorityError::File { path: path.to_owned(), why })
}

fn text(path: &Path) -> Result<String, AuthorityError> {
    let bytes = read(path)?.ok_or_else(|| AuthorityError::Damaged { path: path.to_owned() })?;
    String::from_utf8(bytes).map_err(|_| AuthorityError::Damaged { path: path.to_owned() })
}

fn write(path: &Path, bytes: &[u8], how: fn(&Path, &[u8]) -> io::Result<()>) -> Result<(), AuthorityError> {
    how(path, bytes).map_err(|why| AuthorityError::File { path: path.to_owned(), why })
}

/// Reads `N` secret bytes or, the first time, draws them.
fn secret<const N: usize>(path: &Path, dice: &dyn Dice) -> Result<[u8; N], AuthorityError> {
    if let Some(found) = read(path)? {
        return found.try_into().map_err(|_| AuthorityError::Damaged { path: path.to_owned() });
    }
    let mut drawn = [0; N];
    dice.fill(&mut drawn);
    write(path, &drawn, keep::secret)?;
    Ok(drawn)
}

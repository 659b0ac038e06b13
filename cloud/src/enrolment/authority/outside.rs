//! What the authority makes for an outside broker: its certificate, and the list of certificates that are revoked.

use std::{net::IpAddr, path::Path, time::Duration};

use preau_shared::{dice::Dice, time::Stamp};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyPair, PublicKeyData as _, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate, pem::parse_x509_pem};

use super::{Authority, AuthorityError, BACKDATED, DAY, ISSUING_LIFE, leaf, moment, read, server_params};
use crate::{broker::mosquitto, store::certificates::Revoked};

/// A broker's certificate is made anew when it ends within this time; it is looked at at each start.
const RENEWED_BEFORE: Duration = Duration::from_secs(200 * DAY.as_secs());

impl Authority {
    /// Certificate and key of an outside broker reached under these names, in `folder`: the ones that stand there while
    /// they fit and are good for another [`RENEWED_BEFORE`], else new ones.
    ///
    /// # Errors
    /// [`AuthorityError`] when a name is none, or a file cannot be written.
    pub(crate) fn broker_server(
        &self,
        folder: &Path,
        names: &[String],
        now: Stamp,
        dice: &dyn Dice,
    ) -> Result<(), AuthorityError> {
        let chain = read(&folder.join(mosquitto::CERTIFICATE))?.unwrap_or_default();
        let key =
            read(&folder.join(mosquitto::KEY))?.and_then(|pem| KeyPair::from_pem(&String::from_utf8(pem).ok()?).ok());
        let until = now.after(RENEWED_BEFORE);
        if chain.ends_with(self.issuing_pem.as_bytes()) && key.is_some_and(|key| is_good(&chain, &key, names, until)) {
            return Ok(());
        }
        let params = server_params("broker", names, now, dice)?;
        leaf(folder, mosquitto::STEM, params, &self.issuing, &self.issuing_pem).map(drop)
    }

    /// The list of certificates that must not be accepted any more (RFC 5280 §5), PEM. It ends with the issuing
    /// certificate: a list past its end would shut every box out.
    ///
    /// # Errors
    /// [`AuthorityError::Certificate`].
    pub(crate) fn revocation_list(&self, revoked: &[Revoked], now: Stamp) -> Result<String, AuthorityError> {
        let entry = |certificate: &Revoked| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&certificate.serial),
            revocation_time: moment(certificate.since),
            reason_code: Some(RevocationReason::PrivilegeWithdrawn),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: moment(now) - BACKDATED,
            next_update: moment(now) + ISSUING_LIFE,
            crl_number: SerialNumber::from(u64::try_from(now.0).unwrap_or_default()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuing)?.pem()?)
    }
}

/// Whether a server's chain is for this key and exactly these names, and ends after `until`.
fn is_good(chain: &[u8], key: &KeyPair, names: &[String], until: Stamp) -> bool {
    let Ok((_, pem)) = parse_x509_pem(chain) else { return false };
    let Ok((_, certificate)) = parse_x509_certificate(&pem.contents) else { return false };
    let Ok(Some(named)) = certificate.subject_alternative_name() else { return false };
    let named: Option<Vec<String>> = named.value.general_names.iter().map(text_of).collect();
    named.is_some_and(|named| named == names)
        && certificate.public_key().raw == key.subject_public_key_info()
        && certificate.validity().not_after.timestamp().saturating_mul(1_000) > until.0
}

fn text_of(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        return Some((*name).to_owned());
    }
    let GeneralName::IPAddress(bytes) = name else { return None };
    let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

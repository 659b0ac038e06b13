//! A box's claim: from a code on paper to certificates, and its revocation.
//!
//! A code is 80 random bits, single-use, good for 30 days, kept as a hash. The first box that shows it binds it to its
//! four keys; both sides then show three words made of those keys. Once a person has confirmed them (or at once, where
//! the code says so) the box is admitted in one commit: its row, its certificates, its signing key in the school's
//! document. The same keys with the same code get the same answer for ever: a box that lost the answer asks again.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use preau_shared::{
    badge::key_at,
    dice::Dice,
    documents::School,
    ids::{BoxId, ClaimId, Uai},
    keys::{PublicKey, sha256},
    refusal::Refusal,
    replica::{SealPublic, Shelf},
    rig::{
        reply::Problem,
        shelves::{self, Author, ShelfError},
        writer::StoreError,
    },
    time::{Clock, Stamp},
    wire::{Claim, ClaimAnswer, ClaimGrant, is_slug},
};
use rcgen::PublicKeyData as _;

use super::{
    authority::{Authority, AuthorityError, request_key},
    gone::Crier,
    seals::{Seals, tell_school},
    tries::Tries,
    words,
};
use crate::{
    broker::rights::{Admitted, Member},
    coordinator::project::Projection,
    store::{
        Database, Tx,
        boxes::{self, BoxRow},
        certificates,
        claims::{self, ClaimRow, Granted},
        schools, seals,
    },
};

/// A code is good for so long.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Rows of ended codes are kept so long.
const RETENTION: Duration = CODE_LIFE;
/// Random bytes of a code: 16 characters in four groups.
const CODE_BYTES: usize = 10;
/// Longest text looked at as a code.
const MAX_CODE_TEXT: usize = 40;

/// Why there is no grant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolmentError {
    /// Unknown, used by another box, ended, or of a revoked box. Never says which: that would help a guesser.
    #[error("the claim code is wrong, used or ended")]
    Refused,
    /// Too many wrong codes from this address.
    #[error("too many wrong codes")]
    Wait(Duration),
    /// The claim is not of the described form.
    #[error("{0}")]
    Malformed(&'static str),
    /// There is no such school, box or claim.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The authority failed.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The shelf failed.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl From<EnrolmentError> for Problem {
    fn from(error: EnrolmentError) -> Self {
        match error {
            EnrolmentError::Refused => Self::new(Refusal::ClaimRefused),
            EnrolmentError::Wait(left) => Self::new(Refusal::LockedOut).retry_after(left.as_secs().max(1)),
            EnrolmentError::Malformed(what) => Self::new(Refusal::Malformed).detail(what),
            EnrolmentError::NotFound(_) => Self::new(Refusal::NotFound),
            EnrolmentError::Authority(AuthorityError::Request) => {
                Self::new(Refusal::Malformed).detail("mqtt_request, lan_request: PKCS#10, PEM")
            }
            EnrolmentError::Authority(error) => Self::failed(&error),
            EnrolmentError::Store(error @ StoreError::Elsewhere(_))
            | EnrolmentError::Shelf(ShelfError::Store(error @ StoreError::Elsewhere(_))) => {
                Self::new(Refusal::Overloaded).retry_after(1).detail(error.to_string())
            }
            EnrolmentError::Store(error) => Self::storage(&error),
            EnrolmentError::Shelf(error) => Self::failed(&error),
        }
    }
}

/// A claim that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Which.
    pub(crate) claim_id: ClaimId,
    /// For which school.
    pub(crate) uai: Uai,
    /// What the box shows.
    pub(crate) words: [String; 3],
}

/// What a grant says beside certificates.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The territory's slug.
    pub(crate) territory: String,
    /// Boxes are `<slug>.box.<domain>`.
    pub(crate) domain: String,
    /// `host:port` of the broker, as boxes reach it.
    pub(crate) mqtt: String,
    /// MQTT keep-alive, seconds.
    pub(crate) keep_alive_s: u16,
}

/// The door through which boxes come and go.
#[derive(Clone)]
pub(crate) struct Enrolment {
    pub(crate) store: Database,
    pub(crate) author: Arc<Author>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) admitted: Admitted,
    pub(crate) seals: Seals,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    pub(crate) terms: Arc<Terms>,
    pub(crate) tries: Arc<Tries>,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolment")
    }
}

/// The four keys of a claim.
struct Keys {
    signing: PublicKey,
    seal: SealPublic,
    mqtt: Vec<u8>,
    lan: Vec<u8>,
}

impl Keys {
    fn read(claim: &Claim) -> Result<Self, EnrolmentError> {
        let signing = HEXLOWER.decode(claim.signing_key.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let signing = PublicKey(signing.ok_or(EnrolmentError::Malformed("signing_key: 64 hexadecimal digits"))?);
        let seal = HEXLOWER.decode(claim.seal_key.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let seal = SealPublic(seal.ok_or(EnrolmentError::Malformed("seal_key: 64 hexadecimal digits"))?);
        let mqtt = request_key(&claim.mqtt_request)?.subject_public_key_info();
        let lan = request_key(&claim.lan_request)?.subject_public_key_info();
        Ok(Self { signing, seal, mqtt, lan })
    }
    fn all(&self) -> [&[u8]; 4] {
        [&self.signing.0, &self.seal.0, &self.mqtt, &self.lan]
    }
    fn words(&self) -> [String; 3] {
        words::three(&self.all())
    }
    fn hash(&self) -> [u8; 32] {
        sha256(&self.all().map(sha256).concat())
    }
}

/// What one commit settles.
enum Settled {
    Pending(ClaimId),
    Granted(ClaimId, Uai, Granted),
}

impl Enrolment {
    /// Makes a code for a box of this school. `automatic` grants without a person's confirmation. The code is given
    /// back this once and is written down nowhere.
    ///
    /// # Errors
    /// [`EnrolmentError::NotFound`] when there is no such open school.
    pub(crate) async fn issue(&self, uai: Uai, automatic: bool) -> Result<String, EnrolmentError> {
        self.code(uai, automatic, None).await
    }

    /// A new box for a dead one: the old one is shut out and a code for its school is made, in one commit. Taking its
    /// rights here and cutting its connection is the caller's ([`crate::app::App::revoke`]).
    ///
    /// # Errors
    /// [`EnrolmentError::NotFound`] when there is no such open school, or the box is not this school's.
    pub(crate) async fn replace(&self, uai: Uai, old: BoxId, automatic: bool) -> Result<String, EnrolmentError> {
        self.code(uai, automatic, Some(old)).await
    }

    async fn code(&self, uai: Uai, automatic: bool, instead_of: Option<BoxId>) -> Result<String, EnrolmentError> {
        let mut bytes = [0; CODE_BYTES];
        self.dice.fill(&mut bytes);
        let plain = BASE32_NOPAD.encode(&bytes);
        let hash = code_hash(&plain).ok_or(EnrolmentError::Refused)?;
        let now = self.clock.stamp();
        let row = ClaimRow {
            claim_id: ClaimId::draw(self.dice.as_ref()),
            uai,
            automatic,
            issued_at: now,
            ends_at: now.after(CODE_LIFE),
            keys_hash: None,
            request: None,
            confirmed_at: None,
            granted: None,
        };
        let kept = i64::try_from(RETENTION.as_millis()).unwrap_or(i64::MAX);
        let act = move |connection: &Tx| {
            let school = schools::find(connection, &row.uai)?.filter(|school| !school.deleted);
            school.ok_or(EnrolmentError::NotFound("school"))?;
            if let Some(old) = instead_of {
                let known = boxes::find(connection, old)?.filter(|known| known.uai == row.uai);
                known.ok_or(EnrolmentError::NotFound("box"))?;
                boxes::revoke(connection, old, now)?;
            }
            claims::purge(connection, Stamp(now.0.saturating_sub(kept)))?;
            Ok(claims::issue(connection, &hash, &row)?)
        };
        self.store.commit::<_, EnrolmentError>(act).await?;
        Ok(grouped(&plain))
    }

    /// Answers `POST /api/v1/claims`: with the words and, once they are confirmed, the grant.
    ///
    /// # Errors
    /// [`EnrolmentError`]; each but a failure of ours is the caller's to mend.
    pub(crate) async fn receive(&self, claim: Claim, from: IpAddr) -> Result<ClaimAnswer, EnrolmentError> {
        if let Some(left) = self.tries.wait(from, self.clock.elapsed()) {
            return Err(EnrolmentError::Wait(left));
        }
        let keys = Keys::read(&claim)?;
        let (words, seal) = (keys.words(), keys.seal);
        let settled = match code_hash(&claim.code) {
            Some(hash) => {
                let this = self.clone();
                self.store.commit(move |connection| this.settle(connection, &hash, &keys, &claim)).await
            }
            None => Err(EnrolmentError::Refused),
        };
        match settled {
            Ok(Settled::Pending(claim_id)) => Ok(ClaimAnswer { claim_id, words, grant: None }),
            Ok(Settled::Granted(claim_id, uai, granted)) => {
                let grant = self.admit(uai, granted, seal).await?;
                Ok(ClaimAnswer { claim_id, words, grant: Some(grant) })
            }
            Err(error) => {
                if matches!(error, EnrolmentError::Refused) {
                    self.tries.wrong(from, self.clock.elapsed());
                }
                Err(error)
            }
        }
    }

    /// Claims that wait for somebody to compare the words.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn waiting(&self) -> Result<Vec<Waiting>, EnrolmentError> {
        let now = self.clock.stamp();
        let rows = self.store.read(move |connection| claims::waiting(connection, now)).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let claim: Claim = serde_json::from_str(row.request.as_deref()?).ok()?;
                let words = Keys::read(&claim).ok()?.words();
                Some(Waiting { claim_id: row.claim_id, uai: row.uai, words })
            })
            .collect())
    }

    /// A person compared the words. The box learns it at its next question.
    ///
    /// # Errors
    /// [`EnrolmentError::NotFound`] when no such claim waits.
    pub(crate) async fn confirm(&self, claim_id: ClaimId) -> Result<(), EnrolmentError> {
        let now = self.clock.stamp();
        self.store
            .commit(move |connection| {
                let row = claims::find(connection, claim_id)?.filter(|row| row.keys_hash.is_some());
                row.ok_or(EnrolmentError::NotFound("claim"))?;
                Ok(claims::confirm(connection, claim_id, now)?)
            })
            .await
    }

    /// Shuts a box out for good, durably first, and tells the other boxes of its school. Cutting its connection is the
    /// caller's ([`crate::app::App::revoke`]).
    ///
    /// # Errors
    /// [`EnrolmentError::NotFound`] when there is no such box.
    pub(crate) async fn revoke(&self, box_id: BoxId) -> Result<(), EnrolmentError> {
        let now = self.clock.stamp();
        let known =
            self.store.commit::<_, StoreError>(move |connection| boxes::revoke(connection, box_id, now)).await?;
        if !known {
            return Err(EnrolmentError::NotFound("box"));
        }
        self.admitted.revoke(box_id);
        self.seals.forget(box_id);
        let (database, author, clock) = (self.store.clone(), self.author.clone(), self.clock.clone());
        if let Err(error) = (Crier { database, author, clock }).tell(&mut BTreeSet::new()).await {
            tracing::error!(%box_id, %error, "the school's other boxes are not told yet of the revocation");
        }
        Ok(())
    }

    /// One commit: the code becomes these keys' own and, when nothing is to wait for, they become a box.
    fn settle(&self, connection: &Tx, hash: &[u8; 32], keys: &Keys, claim: &Claim) -> Result<Settled, EnrolmentError> {
        let now = self.clock.stamp();
        let row = claims::by_code(connection, hash)?.ok_or(EnrolmentError::Refused)?;
        if row.keys_hash.is_some_and(|bound| bound != keys.hash()) {
            return Err(EnrolmentError::Refused);
        }
        if let Some(granted) = row.granted {
            let still = boxes::find(connection, granted.box_id)?.is_some_and(|b| b.revoked_at.is_none());
            return if still {
                Ok(Settled::Granted(row.claim_id, row.uai, granted))
            } else {
                Err(EnrolmentError::Refused)
            };
        }
        if row.ends_at < now {
            return Err(EnrolmentError::Refused);
        }
        if row.keys_hash.is_none() {
            let kept = Claim { code: String::new(), ..claim.clone() };
            let request = serde_json::to_string(&kept).map_err(|_| EnrolmentError::Malformed("the claim"))?;
            claims::bind(connection, row.claim_id, &keys.hash(), &request)?;
        }
        if !row.automatic && row.confirmed_at.is_none() {
            return Ok(Settled::Pending(row.claim_id));
        }
        let granted = self.grant(connection, &row, keys, claim)?;
        Ok(Settled::Granted(row.claim_id, row.uai, granted))
    }

    fn grant(&self, connection: &Tx, row: &ClaimRow, keys: &Keys, claim: &Claim) -> Result<Granted, EnrolmentError> {
        let now = self.clock.stamp();
        let dice = self.dice.as_ref();
        let box_id = BoxId::draw(dice);
        let shelf = Shelf::School(row.uai.clone());
        let doc = School::doc(&row.uai);
        let fields = shelves::document(connection, &shelf, &doc)?.ok_or(EnrolmentError::NotFound("school"))?;
        let mut school = School::from_fields(&doc, &fields).ok_or(EnrolmentError::NotFound("school"))?;
        let host = format!("{}.box.{}", host_label(&school), self.terms.domain);
        let mqtt = self.authority.issue_mqtt(&claim.mqtt_request, box_id, now, dice)?;
        let lan = self.authority.issue_lan(&claim.lan_request, box_id, &host, now, dice)?;
        school.box_keys.insert(box_id, keys.signing);
        shelves::edit(connection, &self.author, &shelf, now, &school.edit(), &Projection)?;
        boxes::admit(
            connection,
            &BoxRow {
                box_id,
                uai: row.uai.clone(),
                signing_key: keys.signing,
                mqtt_ends: mqtt.ends,
                admitted_at: now,
                revoked_at: None,
                last_contact: None,
            },
        )?;
        seals::announce(connection, box_id, 0, &keys.seal)?;
        tell_school(connection, &self.author, &row.uai, now)?;
        certificates::issued(connection, &mqtt.serial, box_id, (mqtt.ends, now))?;
        let granted = Granted { box_id, mqtt_chain: mqtt.chain, lan_chain: lan.chain };
        claims::grant(connection, row.claim_id, &granted)?;
        Ok(granted)
    }

    /// After the commit: the box may speak, and gets all it needs. Secrets are put in here and stored in no table.
    async fn admit(&self, uai: Uai, granted: Granted, seal: SealPublic) -> Result<ClaimGrant, EnrolmentError> {
        let (box_id, of) = (granted.box_id, uai.clone());
        let read = self.store.read::<_, StoreError>(move |connection| {
            Ok((boxes::find(connection, box_id)?, schools::find(connection, &of)?))
        });
        let (row, school) = read.await?;
        let row = row.filter(|row| row.revoked_at.is_none()).ok_or(EnrolmentError::Refused)?;
        let school = school.ok_or(EnrolmentError::NotFound("school"))?;
        self.seals.admit(granted.box_id, seal);
        let (seal_number, seal_key) = self.seals.newest().map_err(AuthorityError::from)?;
        self.admitted.admit(granted.box_id, Member { uai: uai.clone(), signing_key: row.signing_key });
        let badge_key = key_at(&uai, &self.authority.badge_key);
        Ok(ClaimGrant {
            box_id: granted.box_id,
            uai,
            school_name: school.name,
            slug: school.slug,
            territory: self.terms.territory.clone(),
            mqtt_certificate: granted.mqtt_chain,
            lan_certificate: granted.lan_chain,
            authority: self.authority.root.clone(),
            coordinator_id: self.authority.coordinator_id,
            writer_key: HEXLOWER.encode(&self.authority.writer_public()?.0),
            seal_key: HEXLOWER.encode(&seal_key.0),
            seal_number,
            badge_key: HEXLOWER.encode(&badge_key),
            mqtt: self.terms.mqtt.clone(),
            keep_alive_s: self.terms.keep_alive_s,
        })
    }
}

/// The first label of the box's host name: the slug or, where that is none, the UAI.
fn host_label(school: &School) -> String {
    if is_slug(&school.slug) { school.slug.clone() } else { school.uai.as_str().to_ascii_lowercase() }
}

/// What is stored of a code; `None` when the text is none. Case, spaces and dashes do not matter, and the digits that
/// base32 leaves out are read as the letters they look like.
fn code_hash(text: &str) -> Option<[u8; 32]> {
    if text.len() > MAX_CODE_TEXT {
        return None;
    }
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        })
        .collect();
    let bytes = BASE32_NOPAD.decode(plain.as_bytes()).ok().filter(|bytes| bytes.len() == CODE_BYTES)?;
    let mut hashed = b"preau claim code 1\0".to_vec();
    hashed.extend(bytes);
    Some(sha256(&hashed))
}

fn grouped(plain: &str) -> String {
    let characters: Vec<char> = plain.chars().collect();
    characters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests;

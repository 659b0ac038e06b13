//! Numbers of the protocol, and names as they stand in a message.

/// A header (RFC 1035 §4.1.1).
pub const HEADER_BYTES: usize = 12;
/// The most bytes of a name, lengths and root included (RFC 1035 §2.3.4).
pub const MAX_NAME_BYTES: usize = 255;
/// The most bytes of a label.
const MAX_LABEL_BYTES: u8 = 63;
/// The class of the Internet (RFC 1035 §3.2.4).
pub const CLASS_IN: u16 = 1;

/// Record types (IANA, *Resource Record (RR) TYPEs*).
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// An alias of one name.
    pub const CNAME: u16 = 5;
    /// Where a zone begins.
    pub const SOA: u16 = 6;
    /// A host's machine; the answer to [`ANY`] (RFC 8482).
    pub const HINFO: u16 = 13;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// An alias of everything under a name (RFC 6672).
    pub const DNAME: u16 = 39;
    /// Extended DNS (RFC 6891).
    pub const OPT: u16 = 41;
    /// Where a service is (RFC 9460).
    pub const SVCB: u16 = 64;
    /// Where a web site is (RFC 9460).
    pub const HTTPS: u16 = 65;
    /// The first of those that are asked for and do not exist: transfers, signatures, mailboxes.
    pub const FIRST_QUESTION: u16 = 249;
    /// The last of them.
    pub const LAST_QUESTION: u16 = 254;
    /// Whatever there is.
    pub const ANY: u16 = 255;
}

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §6.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// It is answered, perhaps with nothing.
    NoError,
    /// The question cannot be read.
    FormErr,
    /// The answer cannot be had now.
    ServFail,
    /// There is no such name.
    NxDomain,
    /// That is not done here.
    NotImp,
    /// That is not done for whoever asks.
    Refused,
    /// A version of EDNS that is not spoken here.
    BadVers,
}

impl Code {
    /// The four bits of the header.
    pub(super) const fn low(self) -> u8 {
        match self {
            Self::NoError | Self::BadVers => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
        }
    }
    /// The eight bits before them, which EDNS carries.
    pub(super) const fn high(self) -> u8 {
        match self {
            Self::BadVers => 1,
            Self::NoError | Self::FormErr | Self::ServFail | Self::NxDomain | Self::NotImp | Self::Refused => 0,
        }
    }
}

/// Two bytes of a message, as a number.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Four bytes of a message, as a number.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A name as it stands in a message; none where a label is too long.
pub(super) fn name(folded: &str) -> Option<Vec<u8>> {
    let mut wire = Vec::with_capacity(folded.len().saturating_add(2));
    for label in folded.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).ok().filter(|length| *length <= MAX_LABEL_BYTES)?);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    Some(wire)
}

/// A message that asks for a name's records of one type; none where the name cannot be.
pub fn question(folded: &str, kind: u16) -> Option<Vec<u8>> {
    let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(name(folded)?);
    message.extend(kind.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    Some(message)
}

/// One step through a name.
pub(super) enum Step {
    /// A label, and where the next step is.
    Label { from: usize, to: usize },
    /// The rest stands elsewhere (RFC 1035 §4.1.4).
    Pointer(usize),
    /// The name is over; what follows it stands here.
    End(usize),
}

/// What stands at a place of a name; none where no name can be.
pub(super) fn step(bytes: &[u8], at: usize) -> Option<Step> {
    let length = *bytes.get(at)?;
    let next = at.saturating_add(1);
    match length {
        0 => Some(Step::End(next)),
        1..=MAX_LABEL_BYTES => {
            let to = next.saturating_add(usize::from(length));
            (to <= bytes.len()).then_some(Step::Label { from: next, to })
        }
        0xc0.. => u16_at(bytes, at).map(|pointer| Step::Pointer(usize::from(pointer & 0x3fff))),
        _ => None,
    }
}

/// Where what follows a name begins.
pub(super) fn past_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        match step(bytes, at)? {
            Step::Label { to, .. } => at = to,
            Step::Pointer(_) => return at.checked_add(2),
            Step::End(next) => return Some(next),
        }
        if at.saturating_sub(start) > MAX_NAME_BYTES {
            return None;
        }
    }
}

/// The name that stands at a place, folded: lower case, without the final dot. None where none is, or one that no host has
/// (a dot, a space, a control in a label). Pointers lead back only, so that there is an end.
pub(super) fn folded(bytes: &[u8], mut at: usize) -> Option<String> {
    let (mut name, mut first) = (String::new(), at);
    loop {
        match step(bytes, at)? {
            Step::End(_) => return Some(name),
            Step::Pointer(to) if to < first => (at, first) = (to, to),
            Step::Pointer(_) => return None,
            Step::Label { from, to } => {
                if !name.is_empty() {
                    name.push('.');
                }
                for byte in bytes.get(from..to)? {
                    name.push(char::from(fold(*byte)?));
                }
                at = to;
            }
        }
        if name.len() > MAX_NAME_BYTES {
            return None;
        }
    }
}

/// A byte of a label, in lower case; none where no host name has it.
pub(super) fn fold(byte: u8) -> Option<u8> {
    (byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\')).then(|| byte.to_ascii_lowercase())
}

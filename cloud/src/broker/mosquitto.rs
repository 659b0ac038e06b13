//! What Mosquitto is told, so that it grants what the broker inside grants: the rights by pattern, and the whole
//! configuration. Pure texts; written for Mosquitto 2.0 (mosquitto.conf(5)), the version that the tests start.
//!
//! What it cannot do, and what stands in its place:
//! - It confirms every subscription, also one to `#`; what the subscriber may not read is then not delivered to it.
//! - It confirms a message that may not be published (MQTT 3.1.1 has no other answer) and drops it.
//! - A pattern knows the box and not its school: the coordinator refuses a message under another school's UAI.
//! - Nobody may keep a session or leave a will at our own broker. Here both are possible, within a box's own topics.
//! - A revoked box is refused at once by the coordinator, whatever the broker does. Its certificate stands on the
//!   revocation list and its name is denied everything in the rights; Mosquitto reads both files at a reload (SIGHUP):
//!   from then on it lets no new connection in and leaves an open one deaf and mute.

use std::{collections::BTreeSet, fmt::Write as _, net::SocketAddr, path::PathBuf};

use preau_shared::{
    ids::BoxId,
    keys::sha256,
    wire::{Direction, MAX_PACKET_BYTES},
};

use super::embedded::{COORDINATOR_QUEUE, INFLIGHT};

/// Name of the file of rights in the folder of the outside broker.
pub const ACL: &str = "acl";
/// The territory authority, to which every client's certificate must belong.
pub const AUTHORITY: &str = "ca.pem";
/// The broker's own certificate chain.
pub const CERTIFICATE: &str = "server.pem";
/// Its key.
pub const KEY: &str = "server.key";
/// What the names of both begin with.
pub(crate) const STEM: &str = "server";
/// Certificates of revoked boxes.
pub const REVOKED: &str = "crl.pem";

/// Bytes that wait for one client, at most. The coordinator hears every box at once and needs them; a box never has more
/// than the coordinator's window on its way.
pub const QUEUE_BYTES: u64 = 256 * 1024 * 1024;
/// A session that somebody kept against our wish is forgotten after so long.
const KEPT_SESSION: &str = "1h";

/// Coordinators of one territory, at most: each has a name of its own, since a broker lets a name connect once.
pub const MEMBERS: u8 = 8;

/// The name of one of several coordinators; the first one's is the coordinator's own.
pub fn member(coordinator: BoxId, number: u8) -> BoxId {
    if number <= 1 {
        return coordinator;
    }
    let hash = sha256(format!("member {number} of {coordinator}").as_bytes());
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = hash;
    BoxId::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// Who may say and hear what: the coordinator by its certificate's name, every box by a pattern over its own, nobody
/// else anything. `shut_out` are revoked boxes whose certificate has not ended.
pub fn acl(territory: &str, coordinator: BoxId, shut_out: &BTreeSet<BoxId>) -> String {
    let of_all = |direction| levels(territory, "+", direction);
    let own = |direction| levels(territory, "%u", direction);
    let mut text = format!(
        "# Rights of the territory {territory}: what is not written here is denied.\n\
         # Written by Préau; changes are lost. Mosquitto reads it again at a reload (SIGHUP).\n\n\
         # The coordinator, by the name in its certificate; then those that may stand beside it.\n"
    );
    for number in 1..=MEMBERS {
        let _ = write!(
            text,
            "user {}\ntopic read {}\ntopic read {}\ntopic write {}\n",
            member(coordinator, number),
            of_all(Direction::Up),
            of_all(Direction::Presence),
            of_all(Direction::Down),
        );
    }
    for box_id in shut_out {
        let _ = write!(text, "\n# Revoked.\nuser {box_id}\ntopic deny #\n");
    }
    let _ = write!(
        text,
        "\n# A box, by the name in its certificate: its own topics.\n\
         pattern write {}\npattern write {}\npattern read {}\n",
        own(Direction::Up),
        own(Direction::Presence),
        own(Direction::Down),
    );
    text
}

/// A topic of one box (or of its pattern) in any school.
fn levels(territory: &str, who: &str, direction: Direction) -> String {
    format!("preau/1/{territory}/+/{who}/{}", direction.word())
}

/// Where and as whom Mosquitto runs.
#[derive(Debug, Clone)]
pub struct Site {
    /// The territory's slug.
    pub territory: String,
    /// Its address.
    pub listen: SocketAddr,
    /// Folder with the files that the coordinator writes.
    pub files: PathBuf,
    /// Account that it runs under when it is started as root; its own default is `mosquitto`.
    pub account: Option<String>,
    /// Connections at once: boxes and coordinators.
    pub connections: u32,
}

/// The whole `mosquitto.conf`.
pub fn conf(site: &Site) -> String {
    let file = |name: &str| site.files.join(name).display().to_string();
    let account = site.account.as_ref().map(|name| format!("user {name}\n")).unwrap_or_default();
    let address = match site.listen.ip() {
        ip if ip.is_unspecified() => String::new(),
        ip => format!(" {ip}"),
    };
    format!(
        "# Mosquitto 2.0 as the broker of the territory {territory}. Written by `preau broker conf`.\n\
         # A revoked box: the coordinator writes {ACL} and {REVOKED} anew; send SIGHUP then (with systemd, a path unit\n\
         # on {REVOKED} that runs `systemctl reload mosquitto`). Reload also after {CERTIFICATE} was renewed.\n\n\
         {account}\
         per_listener_settings false\n\
         allow_anonymous false\n\
         acl_file {acl}\n\
         allow_zero_length_clientid false\n\n\
         # Nothing is kept: what must last is in the databases of both ends.\n\
         persistence false\n\
         retain_available false\n\
         persistent_client_expiration {KEPT_SESSION}\n\
         queue_qos0_messages false\n\
         sys_interval 0\n\n\
         # Limits.\n\
         max_packet_size {MAX_PACKET_BYTES}\n\
         message_size_limit {MAX_PACKET_BYTES}\n\
         max_inflight_messages {INFLIGHT}\n\
         max_queued_messages {COORDINATOR_QUEUE}\n\
         max_queued_bytes {QUEUE_BYTES}\n\
         set_tcp_nodelay true\n\n\
         log_dest stderr\n\
         log_type error\n\
         log_type warning\n\
         log_type notice\n\
         log_type information\n\n\
         # Every client shows a certificate of the territory authority; the name in it is its user name and client id.\n\
         listener {port}{address}\n\
         protocol mqtt\n\
         max_connections {connections}\n\
         max_qos 1\n\
         max_topic_alias 0\n\
         cafile {authority}\n\
         certfile {certificate}\n\
         keyfile {key}\n\
         crlfile {revoked}\n\
         tls_version tlsv1.3\n\
         require_certificate true\n\
         use_identity_as_username true\n\
         use_username_as_clientid true\n",
        territory = site.territory,
        acl = file(ACL),
        port = site.listen.port(),
        connections = site.connections,
        authority = file(AUTHORITY),
        certificate = file(CERTIFICATE),
        key = file(KEY),
        revoked = file(REVOKED),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> BoxId {
        BoxId::from_bytes([n; 16])
    }

    #[test]
    fn rights_name_the_coordinator_the_revoked_and_a_pattern() {
        let text = acl("belfort", id(9), &[id(3)].into());
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
        let coordinators = (1..=MEMBERS).flat_map(|number| {
            [
                format!("user {}", member(id(9), number)),
                "topic read preau/1/belfort/+/+/up".into(),
                "topic read preau/1/belfort/+/+/presence".into(),
                "topic write preau/1/belfort/+/+/down".into(),
            ]
        });
        let others = [
            format!("user {}", id(3)),
            "topic deny #".into(),
            "pattern write preau/1/belfort/+/%u/up".into(),
            "pattern write preau/1/belfort/+/%u/presence".into(),
            "pattern read preau/1/belfort/+/%u/down".into(),
        ];
        assert_eq!(lines, coordinators.chain(others).collect::<Vec<_>>());
        assert_eq!(member(id(9), 1), id(9));
        assert_ne!(member(id(9), 2), member(id(9), 3));
    }

    #[test]
    fn every_client_must_show_a_certificate_and_nothing_is_kept() {
        let site = Site {
            territory: "belfort".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8_883)),
            files: "/etc/mosquitto/preau".into(),
            account: None,
            connections: 100,
        };
        let text = conf(&site);
        for line in [
            "require_certificate true",
            "use_identity_as_username true",
            "use_username_as_clientid true",
            "allow_anonymous false",
            "persistence false",
            "listener 8883 127.0.0.1",
            "crlfile /etc/mosquitto/preau/crl.pem",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        let everywhere = Site { listen: SocketAddr::from(([0, 0, 0, 0], 8_883)), ..site };
        assert!(conf(&everywhere).contains("\nlistener 8883\n"));
    }
}

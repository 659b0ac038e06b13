//! Each server's configuration and command line: one thread, a cache, no validation, no log, one upstream.

use std::{ffi::OsString, fs, net::SocketAddr, path::Path};

use anyhow::Result;

use super::{ground::Ground, packages::program};

/// A server that is measured.
#[derive(Clone, Copy)]
pub struct Peer {
    /// What it is called in tables.
    pub name: &'static str,
    /// Its package and its program.
    pub package: (&'static str, &'static str),
    /// The end of the names of list files that it maps.
    pub maps: &'static str,
    /// Writes its configuration into a folder of its own; the words after its program.
    configure: fn(&Ground, &Path, SocketAddr) -> Result<Vec<OsString>>,
}

/// All that are measured beside ours.
pub const PEERS: [Peer; 5] = [
    Peer { name: "unbound", package: ("unbound", "unbound"), maps: "no list", configure: unbound },
    Peer { name: "dnsmasq", package: ("dnsmasq-base", "dnsmasq"), maps: "no list", configure: dnsmasq },
    Peer { name: "knot-resolver", package: ("knot-resolver", "kresd"), maps: "no list", configure: knot_resolver },
    Peer {
        name: "pdns-recursor",
        package: ("pdns-recursor", "pdns_recursor"),
        maps: "no list",
        configure: pdns_recursor,
    },
    Peer { name: "dnsdist", package: ("dnsdist", "dnsdist"), maps: ".cdb", configure: dnsdist },
];

impl Peer {
    /// Its whole command, its files written.
    ///
    /// # Errors
    /// When it is not here and cannot be installed, or a file cannot be written.
    pub fn command(&self, ground: &Ground, listen: SocketAddr) -> Result<Vec<OsString>> {
        let (package, name) = self.package;
        let home = ground.dir.join(self.name);
        fs::create_dir_all(&home)?;
        let mut words = vec![program(name, package)?.into()];
        words.extend((self.configure)(ground, &home, listen)?);
        Ok(words)
    }
}

/// Ours, as it is started for measurements from outside.
///
/// # Errors
/// When its folder cannot be made.
pub fn ours(ground: &Ground, preau: &Path, (listen, more): (SocketAddr, &[&str])) -> Result<Vec<OsString>> {
    let state = ground.dir.join("state");
    fs::create_dir_all(&state)?;
    let (listen, upstream, lists) = (listen.to_string(), ground.upstream.to_string(), ground.dir.join("lists"));
    let words = vec![
        preau.into(),
        "edge".into(),
        "serve-dns".into(),
        "--listen".into(),
        listen.into(),
        "--upstream".into(),
        upstream.into(),
        "--lists".into(),
        lists.into(),
        "--state".into(),
        state.into(),
        "--threads".into(),
        "1".into(),
    ];
    Ok(words.into_iter().chain(more.iter().map(|word| (*word).into())).collect())
}

fn unbound(ground: &Ground, home: &Path, listen: SocketAddr) -> Result<Vec<OsString>> {
    let (zones, config, up) = (ground.local_zones()?, home.join("unbound.conf"), ground.upstream);
    let text = format!(
        "server:\n num-threads: 1\n interface: {}@{}\n do-ip6: no\n access-control: 127.0.0.0/8 allow\n chroot: \"\"\n \
         username: \"\"\n directory: \"{home}\"\n pidfile: \"{home}/pid\"\n use-syslog: no\n verbosity: 0\n do-daemonize: no\n \
         module-config: \"iterator\"\n do-not-query-localhost: no\n msg-cache-size: 64m\n rrset-cache-size: 128m\n \
         outgoing-range: 4096\n num-queries-per-thread: 2048\n qname-minimisation: no\n minimal-responses: yes\n\
         include: \"{zones}\"\nremote-control:\n control-enable: no\n\
         forward-zone:\n name: \".\"\n forward-addr: {}@{}\n",
        listen.ip(),
        listen.port(),
        up.ip(),
        up.port(),
        home = home.display(),
        zones = zones.display(),
    );
    fs::write(&config, text)?;
    Ok(vec!["-d".into(), "-c".into(), config.into()])
}

fn dnsmasq(ground: &Ground, home: &Path, listen: SocketAddr) -> Result<Vec<OsString>> {
    let (names, config, up) = (ground.local_names()?, home.join("dnsmasq.conf"), ground.upstream);
    let text = format!(
        "port={}\nlisten-address={}\nbind-interfaces\nno-resolv\nno-hosts\nserver={}#{}\ncache-size=100000\n\
         cache-rr=HTTPS\ndns-forward-max=2000\nuser=root\npid-file={}\nconf-file={}\n",
        listen.port(),
        listen.ip(),
        up.ip(),
        up.port(),
        home.join("pid").display(),
        names.display(),
    );
    fs::write(&config, text)?;
    Ok(vec!["--keep-in-foreground".into(), "--log-facility=-".into(), "-C".into(), config.into()])
}

fn knot_resolver(ground: &Ground, home: &Path, listen: SocketAddr) -> Result<Vec<OsString>> {
    let (zone, config, up) = (ground.policy_zone()?, home.join("kresd.conf"), ground.upstream);
    let text = format!(
        "net.listen('{}', {}, {{ kind = 'dns' }})\ntrust_anchors.remove('.')\ncache.size = 100 * MB\nlog_level('crit')\n\
         for _, name in ipairs({{'ta_update', 'ta_signal_query', 'priming', 'detect_time_skew', 'detect_time_jump'}}) do \
         pcall(modules.unload, name) end\n\
         policy.add(policy.rpz(policy.DENY, '{}', false))\npolicy.add(policy.all(policy.STUB('{}@{}')))\n",
        listen.ip(),
        listen.port(),
        zone.display(),
        up.ip(),
        up.port(),
    );
    fs::write(&config, text)?;
    Ok(vec!["--noninteractive".into(), "--config".into(), config.into(), home.into()])
}

fn pdns_recursor(ground: &Ground, home: &Path, listen: SocketAddr) -> Result<Vec<OsString>> {
    let (zone, policy, up) = (ground.policy_zone()?, home.join("policy.lua"), ground.upstream);
    fs::write(&policy, format!("rpzFile(\"{}\", {{policyName=\"black\"}})\n", zone.display()))?;
    let text = format!(
        "local-address={}\nlocal-port={}\nforward-zones-recurse=.={up}\ndont-query=\ndnssec=off\nthreads=1\n\
         pdns-distributes-queries=no\nreuseport=no\nlua-config-file={}\nquiet=yes\ndaemon=no\nloglevel=3\n\
         disable-syslog=yes\nallow-from=127.0.0.0/8\nsocket-dir={home}\nsecurity-poll-suffix=\nwebserver=no\n\
         write-pid=no\nmax-cache-entries=1000000\nmax-packetcache-entries=500000\n",
        listen.ip(),
        listen.port(),
        policy.display(),
        home = home.display(),
    );
    fs::write(home.join("recursor.conf"), text)?;
    Ok(vec![format!("--config-dir={}", home.display()).into()])
}

fn dnsdist(ground: &Ground, home: &Path, listen: SocketAddr) -> Result<Vec<OsString>> {
    let (database, config, up) = (ground.constant_database()?, home.join("dnsdist.conf"), ground.upstream);
    let text = format!(
        "setLocal('{listen}', {{reusePort=false}})\nsetACL('127.0.0.0/8')\nsetSecurityPollSuffix('')\n\
         newServer({{address='{up}', name='upstream', sockets=1}})\nsetServerPolicy(firstAvailable)\n\
         getPool(''):setCache(newPacketCache(500000, {{maxTTL=86400}}))\n\
         names = newCDBKVStore('{}', 0)\n\
         addAction(KeyValueStoreLookupRule(names, KeyValueLookupKeySuffix()), RCodeAction(DNSRCode.NXDOMAIN))\n",
        database.display(),
    );
    fs::write(&config, text)?;
    Ok(vec!["--supervised".into(), "--disable-syslog".into(), "--config".into(), config.into()])
}

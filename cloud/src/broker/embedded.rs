//! The broker inside the coordinator: rmqtt's core behind mutual TLS, with [`Rights`] as its only rule.
//!
//! Nothing is persisted and nothing retained: what must last is in the databases of both ends. Two listeners: one for
//! boxes with a small queue, one on loopback for the coordinator itself, whose queue must take what all boxes say at
//! once (a full queue loses acknowledged messages without a word, `facts/replication.md` §9).

use std::{net::SocketAddr, num::NonZeroU16, path::Path, time::Duration};

use async_trait::async_trait;
use preau_shared::{ids::BoxId, rig::task::Tasks, wire::MAX_PACKET_BYTES};
use rmqtt::{
    codec::v5::SubscribeAckReason,
    context::ServerContext,
    hook::{Handler, HookResult, Parameter, ReturnType, Type},
    net::{Builder, Listener},
    server::MqttServer,
    session::Session,
    types::{AuthResult, ConnectInfo, Id, PublishAclResult, QoS, SubscribeAclResult},
};

use super::rights::{Caller, Rights};
use crate::enrolment::Authority;

/// Boxes at once on one coordinator; beyond it new ones are refused. About 34 KiB of memory each
/// (`facts/replication.md` §9); more boxes want a broker of their own.
pub(crate) const MAX_BOXES: usize = 10_000;
/// Connections to the inner listener: the coordinator's, and its next one while the last is being noticed.
const MAX_INNER: usize = 4;
/// TLS and CONNECT under way at once.
pub(crate) const MAX_HANDSHAKES: usize = 200;
/// Messages that wait for one box.
pub(crate) const BOX_QUEUE: usize = 64;
/// Messages that wait for the coordinator.
pub(crate) const COORDINATOR_QUEUE: usize = 4_096;
/// TLS and CONNECT may take so long.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages on their way to one client without a PUBACK.
pub(crate) const INFLIGHT: u16 = 32;
/// A box whose CONNECT was under way when it was revoked is found by a second look, after it must have ended.
const LOOK_AGAIN: Duration = Duration::from_secs(HANDSHAKE_TIMEOUT.as_secs() + 1);
/// A connection that is busy is tried again so often, and so long after.
const CUT_TRIES: u32 = 20;
const CUT_PAUSE: Duration = Duration::from_millis(100);
const BOXES_LISTENER: u16 = 1;
const COORDINATOR_LISTENER: u16 = 2;

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    /// The address is taken, or not ours.
    #[error("mqtt: {address} is in use by another program, or not an address of this machine: {why}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        why: String,
    },
    /// The certificates cannot be used.
    #[error("mqtt: {0}")]
    Tls(String),
}

/// A running broker.
#[derive(Clone)]
pub(crate) struct Broker {
    context: ServerContext,
    tasks: Tasks,
    /// Where boxes connect.
    pub(crate) address: SocketAddr,
    /// Where the coordinator connects, on loopback.
    pub(crate) inner: SocketAddr,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broker({})", self.address)
    }
}

impl Broker {
    /// Binds both listeners and serves until the program stops.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub(crate) async fn start(
        address: SocketAddr,
        authority: &Authority,
        rights: Rights,
        tasks: &Tasks,
    ) -> Result<Self, BrokerError> {
        // Load is judged by our own limits; the library's check would refuse boxes whenever the machine is busy.
        let context = ServerContext::new().task_exec_workers(64).task_exec_queue_max(10_000).busy_check_enable(false);
        let context = context.build().await;
        let rules = context.extends.hook_mgr().register();
        for kind in [Type::ClientAuthenticate, Type::MessagePublishCheckAcl, Type::ClientSubscribeCheckAcl] {
            rules.add(kind, Box::new(Doorkeeper(rights.clone()))).await;
        }
        // Before any listener runs: the library allows what no handler denies.
        rules.start().await;
        let boxes = listen("boxes", address, (MAX_BOXES, BOX_QUEUE), authority)?;
        let inner = listen("coordinator", ([127, 0, 0, 1], 0).into(), (MAX_INNER, COORDINATOR_QUEUE), authority)?;
        let addresses = (local(&boxes)?, local(&inner)?);
        let server = MqttServer::new(context.clone())
            .listener_by_id(boxes, BOXES_LISTENER)
            .listener_by_id(inner, COORDINATOR_LISTENER)
            .build();
        let mut stop = tasks.stopping();
        tasks.spawn("mqtt broker", async move {
            // The handlers live as long as their register.
            let _rules = rules;
            tokio::select! {
                ended = server.run() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the broker ended");
                    }
                }
                () = stop.wait() => {}
            }
        });
        Ok(Self { context, tasks: tasks.clone(), address: addresses.0, inner: addresses.1 })
    }

    /// Cuts the connection of a box, now and once more when a CONNECT that was under way must have ended. It may come
    /// back only if [`Rights`] still let it.
    pub(crate) async fn cut(&self, box_id: BoxId) {
        self.cut_once(box_id).await;
        let (later, mut stop) = (self.clone(), self.tasks.stopping());
        self.tasks.spawn("cut again", async move {
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => later.cut_once(box_id).await,
                () = stop.wait() => {}
            }
        });
    }

    async fn cut_once(&self, box_id: BoxId) {
        let shared = self.context.extends.shared().await;
        for _ in 0..CUT_TRIES {
            let entry = shared.entry(Id::from(self.context.node.id(), box_id.to_string().into()));
            if !entry.is_connected().await {
                return;
            }
            let cut = match entry.try_lock().await {
                Ok(mut entry) => entry.kick(true, true, true).await.map(drop),
                Err(error) => Err(error),
            };
            match cut {
                Ok(()) => return,
                // Another message or connection of the same box is being worked on.
                Err(error) => tracing::debug!(%box_id, %error, "the connection of a box is busy"),
            }
            tokio::time::sleep(CUT_PAUSE).await;
        }
        tracing::error!(%box_id, "the connection of a revoked box could not be cut: it is refused at its next message");
    }
}

fn listen(
    name: &str,
    address: SocketAddr,
    (connections, queue): (usize, usize),
    authority: &Authority,
) -> Result<Listener, BrokerError> {
    let text = |path: &Path| Some(path.to_string_lossy().into_owned());
    let builder = Builder::new()
        .name(name)
        .laddr(address)
        .nodelay(true)
        .reuseaddr(Some(true))
        .max_connections(connections)
        .max_handshaking_limit(MAX_HANDSHAKES)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .max_packet_size(u32::try_from(MAX_PACKET_BYTES).unwrap_or(u32::MAX))
        .max_inflight(NonZeroU16::new(INFLIGHT).unwrap_or(NonZeroU16::MIN))
        .max_mqueue_len(queue)
        .max_clientid_len(32)
        .max_topic_levels(6)
        .max_subscriptions(4)
        .max_qos_allowed(QoS::AtLeastOnce)
        .allow_anonymous(false)
        .allow_zero_keepalive(false)
        .session_expiry_interval(Duration::ZERO)
        .max_session_expiry_interval(Duration::from_secs(1))
        .tls_cross_certificate(true)
        .cert_cn_as_username(true)
        .tls_cert(text(&authority.server.chain_file))
        .tls_key(text(&authority.server.key_file))
        .tls_client_ca_certs(text(&authority.root_file));
    let bound = builder.bind().map_err(|e| BrokerError::Bind { address, why: e.to_string() })?;
    bound.tls().map_err(|e| BrokerError::Tls(e.to_string()))
}

fn local(listener: &Listener) -> Result<SocketAddr, BrokerError> {
    listener.local_addr().map_err(|e| BrokerError::Tls(e.to_string()))
}

/// Asks [`Rights`] for each connection, message and subscription.
struct Doorkeeper(Rights);

#[expect(elided_lifetimes_in_paths, reason = "the trait is written so, and async_trait needs the same form")]
#[async_trait]
impl Handler for Doorkeeper {
    async fn hook(&self, parameter: &Parameter, before: Option<HookResult>) -> ReturnType {
        // Registered for these three questions; the others are not ours to answer.
        if let Parameter::ClientAuthenticate(connect) = parameter {
            // Never a superuser: those skip the other two questions.
            let may = self.may_connect(connect);
            let verdict = if may { AuthResult::Allow(false, None) } else { AuthResult::NotAuthorized };
            return (false, Some(HookResult::AuthResult(verdict)));
        }
        if let Parameter::MessagePublishCheckAcl(session, message) = parameter {
            let may = !message.retain && self.0.may_publish(name(session), &message.topic);
            let verdict = if may { PublishAclResult::allow() } else { PublishAclResult::rejected(true, None) };
            return (false, Some(HookResult::PublishAclResult(verdict)));
        }
        if let Parameter::ClientSubscribeCheckAcl(session, wish) = parameter {
            let verdict = if self.0.may_subscribe(name(session), &wish.topic_filter) {
                SubscribeAclResult::new_success(wish.opts.qos(), None)
            } else {
                SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized)
            };
            return (false, Some(HookResult::SubscribeAclResult(verdict)));
        }
        (true, before)
    }
}

impl Doorkeeper {
    fn may_connect(&self, connect: &ConnectInfo) -> bool {
        // MQTT 3.1.1 only: what version 5 adds (aliases, delayed wills, properties) is no use to us and more to check.
        let ConnectInfo::V3(id, connect) = connect else { return false };
        self.0.may_connect(Caller {
            name: connect.username.as_ref().map(AsRef::as_ref),
            client_id: &id.client_id,
            clean: connect.clean_session,
            leaves_will: connect.last_will.is_some(),
        })
    }
}

/// The certificate's name, which the listener put in the place of whatever user name the client sent.
fn name(session: &Session) -> &str {
    session.id.username.as_ref().map_or("", |name| name.as_ref())
}

#[cfg(test)]
mod tests;

//! Asking the upstream: little patience, and none at all for a while when it has gone silent, so that a tablet hears
//! "not now" at once instead of waiting through every name of a page.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::Record,
    serialize::binary::{BinDecodable as _, BinDecoder},
};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
};

use crate::{
    dns::{Found, Question},
    time::Elapsed,
};

/// The longest wait for an answer when there is nothing else to give.
const PATIENCE: Duration = Duration::from_millis(1_800);
/// The longest wait when an answer past its time is at hand (RFC 8767 §5).
const PATIENCE_WITH_STALE: Duration = Duration::from_millis(500);
/// One try takes so long at most.
const ONE_TRY: Duration = Duration::from_millis(850);
/// After so many silences in a row, the upstream is left alone for [`REST`].
const SILENCES: u32 = 6;
/// How long it is left alone.
const REST: Duration = Duration::from_secs(2);

/// The upstream does not answer, or not usefully.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreachable;

/// The resolvers to ask.
pub(super) struct Upstream {
    resolver: TokioResolver,
    silence: Mutex<Silence>,
}

#[derive(Debug, Default)]
struct Silence {
    in_a_row: u32,
    /// Until when it is left alone.
    rests: Elapsed,
}

impl Upstream {
    pub(super) fn new(addresses: &[SocketAddr]) -> Result<Self, NetError> {
        let servers = addresses.iter().map(|address| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = ONE_TRY;
        options.attempts = 1;
        options.edns0 = true;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true;
        options.max_active_requests = 512;
        Ok(Self { resolver: builder.build()?, silence: Mutex::default() })
    }

    /// Asks. `has_stale`: whether the caller has something else to give.
    pub(super) async fn ask(
        &self,
        question: &Question<'_>,
        has_stale: bool,
        now: Elapsed,
    ) -> Result<Found, Unreachable> {
        if self.rests(now) {
            return Err(Unreachable);
        }
        let patience = if has_stale { PATIENCE_WITH_STALE } else { PATIENCE };
        let query = Query::read(&mut BinDecoder::new(question.asked())).map_err(|_| Unreachable)?;
        let answer = tokio::time::timeout(patience, self.resolver.lookup(query.name.clone(), query.query_type)).await;
        let heard = match answer {
            Err(_) => Err(true),
            Ok(Ok(lookup)) => Ok((ResponseCode::NoError, lookup.answers().to_vec(), None)),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(no))))
                if matches!(no.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
            {
                Ok((no.response_code, Vec::new(), no.soa.map(|soa| negative(*soa, no.negative_ttl))))
            }
            // A resolver that says it cannot is not silent.
            Ok(Err(NetError::Dns(_))) => Err(false),
            Ok(Err(_)) => Err(true),
        };
        self.learn(heard.as_ref().err() == Some(&true), now.after(patience));
        let (code, answers, authority) = heard.map_err(|_| Unreachable)?;
        // As it will be sent: records that point into the question before them.
        let mut message = Message::new(question.id, MessageType::Response, OpCode::Query);
        message.metadata.response_code = code;
        message.add_query(query);
        message.add_answers(answers);
        message.add_authorities(authority);
        let bytes = message.to_vec().map_err(|_| Unreachable)?;
        Found::read(question.asked(), &bytes).ok_or(Unreachable)
    }

    fn rests(&self, now: Elapsed) -> bool {
        now < self.silence.lock().unwrap_or_else(PoisonError::into_inner).rests
    }

    fn learn(&self, silent: bool, now: Elapsed) {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.in_a_row = if silent { silence.in_a_row.saturating_add(1) } else { 0 };
        if silence.in_a_row >= SILENCES {
            silence.rests = now.after(REST);
        } else {
            silence.rests = Elapsed::default();
        }
    }
}

fn negative(soa: Record<hickory_proto::rr::rdata::SOA>, ttl: Option<u32>) -> Record {
    let mut record = soa.into_record_of_rdata();
    record.ttl = ttl.unwrap_or(record.ttl);
    record
}

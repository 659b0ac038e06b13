//! DNS look-ups over UDP (RFC 1035) from a tablet's own address.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use tokio::{net::UdpSocket, time::timeout};

use super::news::Verdict;

/// A tablet does not wait longer for a name.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Largest answer over UDP that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4_096;

/// Asks `dns` for the IPv4 address of `name`.
pub(super) async fn ask(dns: SocketAddr, from: IpAddr, name: &str) -> Verdict {
    let exchange = async {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        question.add_query(Query::query(Name::from_ascii(name).ok()?, RecordType::A));
        let socket = UdpSocket::bind((from, 0)).await.ok()?;
        socket.connect(dns).await.ok()?;
        socket.send(&question.to_vec().ok()?).await.ok()?;
        let mut buffer = vec![0; MAX_ANSWER_BYTES];
        loop {
            let length = socket.recv(&mut buffer).await.ok()?;
            let answer = Message::from_vec(buffer.get(..length)?).ok()?;
            if answer.metadata.id == question.metadata.id {
                return Some(verdict(&answer));
            }
        }
    };
    timeout(PATIENCE, exchange).await.ok().flatten().unwrap_or(Verdict::Unanswered)
}

/// The filter refuses by "no such name" or by an address that leads nowhere.
fn verdict(answer: &Message) -> Verdict {
    let address = answer
        .answers
        .iter()
        .find_map(|record| if let RData::A(address) = &record.data { Some(address.0) } else { None });
    match (answer.metadata.response_code, address) {
        (ResponseCode::NoError, Some(address)) if !address.is_unspecified() => Verdict::Allowed,
        (ResponseCode::NoError | ResponseCode::NXDomain | ResponseCode::Refused, _) => Verdict::Blocked,
        _ => Verdict::Unanswered,
    }
}

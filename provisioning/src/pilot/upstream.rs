//! A resolver on loopback that knows every name: what the boxes ask instead of the Internet, so that nothing leaves the
//! machine. It stands on the far side of a school's line and is silent while that is cut.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_proto::{
    op::{Message, MessageType},
    rr::{RData, Record, RecordType, rdata},
};
use tokio::{net::UdpSocket, sync::watch};

use super::relay::Line;

/// Seconds that an answer may be kept: short, so that an outage is felt.
const TTL_S: u32 = 10;
/// Largest question that is read, in bytes.
const MAX_QUESTION_BYTES: usize = 1_232;

/// Answers on `address` while `line` lets questions through.
pub(super) async fn open(address: SocketAddr, line: watch::Receiver<Line>) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address).await?;
    tokio::spawn(async move {
        let mut buffer = vec![0; MAX_QUESTION_BYTES];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer).await {
            if !line.borrow().is_cut()
                && let Some(answer) = buffer.get(..length).and_then(answer)
            {
                drop(socket.send_to(&answer, asker).await);
            }
        }
    });
    Ok(())
}

/// Every name has an IPv4 address of the documentation range (RFC 5737) and no other record.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    if query.query_type() == RecordType::A {
        let last = query.name().to_ascii().bytes().fold(1_u8, |sum, b| sum.wrapping_mul(31).wrapping_add(b)).max(1);
        let address = RData::A(rdata::A(Ipv4Addr::new(192, 0, 2, last)));
        answer.add_answer(Record::from_rdata(query.name().clone(), TTL_S, address));
    }
    answer.add_query(query);
    answer.to_vec().ok()
}

#[cfg(test)]
mod tests {
    use hickory_proto::{op::Query, rr::Name};

    use super::*;

    #[test]
    fn every_name_has_an_address_of_the_documentation_range() {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii("musee.example.").expect("name"), RecordType::A));
        let bytes = answer(&question.to_vec().expect("bytes")).expect("answer");
        let answer = Message::from_vec(&bytes).expect("message");
        assert_eq!(answer.metadata.id, question.metadata.id);
        assert!(matches!(&answer.answers[0].data, RData::A(a) if a.0.octets()[..3] == [192, 0, 2]));
        assert_eq!(super::answer(b"rubbish"), None);
    }
}

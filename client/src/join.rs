//! List replies that span several messages, put together.

use types::RejectReason;
use types::limits::{ASSETS_MAX, MARKETS_MAX, OPEN_ORDERS_PER_ACCOUNT_MAX};
use types::wire::Kind;
use types::wire::query::{
    BalanceRecord, MarketStateRecord, OpenOrderRecord, Reference, ReferenceRecord, ReplyHead,
    parse_reply,
};

use crate::message::Message;

/// Puts list replies together that come in several messages. The server sends the messages of one
/// reply one after the other, so at most one reply is incomplete.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    partial: Option<Message>,
}

impl Joiner {
    /// Takes one message; `None` if more of its reply is to come.
    pub(crate) fn take(
        &mut self,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<Option<Message>, RejectReason> {
        let more = match kind {
            Kind::Balances => self.take_balances(bytes)?,
            Kind::OpenOrders => self.take_open_orders(bytes)?,
            Kind::Reference => self.take_reference(bytes)?,
            Kind::MarketStates => self.take_market_states(bytes)?,
            Kind::UnknownNonce => self.take_unknown_nonce(bytes)?,
            _ => return Err(RejectReason::UnexpectedMessage),
        };
        Ok(if more { None } else { self.partial.take() })
    }

    /// The reply that this message goes on with, or the one that it begins.
    fn partial(&mut self, empty: Message) -> &mut Message {
        self.partial.get_or_insert(empty)
    }

    fn take_balances(&mut self, bytes: &[u8]) -> Result<bool, RejectReason> {
        let (head, records) = parse_reply::<BalanceRecord>(bytes, Kind::Balances)?;
        let Message::Balances {
            request, balances, ..
        } = self.partial(Message::Balances {
            request: head.request(),
            sequence: head.sequence(),
            balances: Vec::new(),
        })
        else {
            return Err(RejectReason::UnexpectedMessage);
        };
        check_next(&head, *request, balances.len() + records.len(), ASSETS_MAX)?;
        balances.extend_from_slice(records);
        Ok(head.more())
    }

    fn take_open_orders(&mut self, bytes: &[u8]) -> Result<bool, RejectReason> {
        let (head, records) = parse_reply::<OpenOrderRecord>(bytes, Kind::OpenOrders)?;
        let Message::OpenOrders {
            request, orders, ..
        } = self.partial(Message::OpenOrders {
            request: head.request(),
            sequence: head.sequence(),
            orders: Vec::new(),
        })
        else {
            return Err(RejectReason::UnexpectedMessage);
        };
        let limit = OPEN_ORDERS_PER_ACCOUNT_MAX as usize;
        check_next(&head, *request, orders.len() + records.len(), limit)?;
        for record in records {
            orders.push(record.order().ok_or(RejectReason::Malformed)?);
        }
        Ok(head.more())
    }

    fn take_reference(&mut self, bytes: &[u8]) -> Result<bool, RejectReason> {
        let (head, records) = parse_reply::<ReferenceRecord>(bytes, Kind::Reference)?;
        let Message::Reference {
            request, reference, ..
        } = self.partial(Message::Reference {
            request: head.request(),
            sequence: head.sequence(),
            reference: Reference::default(),
        })
        else {
            return Err(RejectReason::UnexpectedMessage);
        };
        let known = reference.assets.len() + reference.markets.len();
        check_next(
            &head,
            *request,
            known + records.len(),
            ASSETS_MAX + MARKETS_MAX,
        )?;
        for record in records {
            reference.add(record)?;
        }
        Ok(head.more())
    }

    fn take_market_states(&mut self, bytes: &[u8]) -> Result<bool, RejectReason> {
        let (head, records) = parse_reply::<MarketStateRecord>(bytes, Kind::MarketStates)?;
        let Message::MarketStates {
            request, markets, ..
        } = self.partial(Message::MarketStates {
            request: head.request(),
            sequence: head.sequence(),
            markets: Vec::new(),
        })
        else {
            return Err(RejectReason::UnexpectedMessage);
        };
        check_next(&head, *request, markets.len() + records.len(), MARKETS_MAX)?;
        for record in records {
            markets.push(record.state().ok_or(RejectReason::Malformed)?);
        }
        Ok(head.more())
    }

    fn take_unknown_nonce(&mut self, bytes: &[u8]) -> Result<bool, RejectReason> {
        let (head, records) = parse_reply::<BalanceRecord>(bytes, Kind::UnknownNonce)?;
        if self.partial.is_some() || head.more() || !records.is_empty() {
            return Err(RejectReason::Malformed);
        }
        self.partial = Some(Message::UnknownNonce {
            request: head.request(),
            sequence: head.sequence(),
        });
        Ok(false)
    }
}

/// Refuses a message that goes on with another reply, or beyond what any reply can hold.
fn check_next(
    head: &ReplyHead,
    request: u64,
    records: usize,
    limit: usize,
) -> Result<(), RejectReason> {
    if head.request() != request {
        return Err(RejectReason::UnexpectedMessage);
    }
    if records > limit {
        return Err(RejectReason::Oversize);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use types::command::{MarketStatus, Resting, SelfTrade, StopLeg, Trigger, TriggerCondition};
    use types::genesis::development;
    use types::wire::query::{MarketState, OpenOrder, encode_reply};
    use types::wire::split_message;
    use types::{
        AssetId, Atoms, BaseLots, ClientOrderId, LogTime, MarketId, OrderId, SequenceNumber, Side,
        Ticks,
    };

    use super::*;

    /// Feeds whole messages to a joiner and returns what comes out.
    fn join(bytes: &[u8]) -> Result<Vec<Message>, RejectReason> {
        let mut buffer = BytesMut::from(bytes);
        let mut joiner = Joiner::default();
        let mut joined = Vec::new();
        while let Some((kind, message)) = split_message(&mut buffer)? {
            joined.extend(joiner.take(kind, &message)?);
        }
        Ok(joined)
    }

    /// A protected iceberg that is armed and will have a stop beside it.
    fn order(number: u64) -> OpenOrder {
        OpenOrder {
            order_id: OrderId::new(number),
            client_order_id: ClientOrderId::new(number),
            market: MarketId::new(1),
            side: Side::Ask,
            price: Ticks::new(1),
            remaining: BaseLots::new(9),
            resting: Resting {
                expires_at: LogTime::new(2),
                display: BaseLots::new(3),
                stop: Some(StopLeg {
                    trigger: Ticks::new(5),
                    limit: Ticks::new(6),
                    self_trade: SelfTrade::CancelMaker,
                }),
                protected: true,
            },
            trigger: Some(Trigger {
                condition: TriggerCondition::Stop,
                price: Ticks::new(4),
            }),
        }
    }

    #[test]
    fn a_long_list_comes_as_one_message() {
        let orders: Vec<_> = (0..5_000).map(order).collect();
        let records: Vec<_> = orders.iter().map(OpenOrderRecord::from).collect();
        let mut bytes = Vec::new();
        let sequence = SequenceNumber::new(9);
        encode_reply(Kind::OpenOrders, 7, sequence, &records, &mut bytes);
        let expected = Message::OpenOrders {
            request: 7,
            sequence,
            orders,
        };
        assert_eq!(join(&bytes), Ok(vec![expected]));
    }

    #[test]
    fn a_reference_survives_the_wire() {
        let reference = Reference::of(&development());
        let mut bytes = Vec::new();
        let sequence = SequenceNumber::ZERO;
        let records = reference.records();
        encode_reply(Kind::Reference, 1, sequence, &records, &mut bytes);
        let expected = Message::Reference {
            request: 1,
            sequence,
            reference,
        };
        assert_eq!(join(&bytes), Ok(vec![expected]));
    }

    #[test]
    fn as_many_markets_as_may_be_come_as_one_message() {
        let state = |number| MarketState {
            market: MarketId::new(number),
            status: MarketStatus::CancelOnly,
            last: Some(Ticks::new(1)),
            indicative: None,
        };
        let markets: Vec<_> = (0..1_024).map(state).collect();
        let records: Vec<_> = markets.iter().map(MarketStateRecord::from).collect();
        let mut bytes = Vec::new();
        let sequence = SequenceNumber::new(9);
        encode_reply(Kind::MarketStates, 7, sequence, &records, &mut bytes);
        let expected = Message::MarketStates {
            request: 7,
            sequence,
            markets,
        };
        assert_eq!(join(&bytes), Ok(vec![expected]));
    }

    #[test]
    fn replies_do_not_mix_and_have_an_end() {
        let orders = vec![OpenOrderRecord::from(&order(1)); 2_000];
        let balance = BalanceRecord::new(AssetId::new(0), Atoms::ZERO, Atoms::ZERO);
        let sequence = SequenceNumber::ZERO;
        let mut bytes = Vec::new();
        encode_reply(Kind::OpenOrders, 1, sequence, &orders, &mut bytes);
        let mut buffer = BytesMut::from(&bytes[..]);
        let (_, first) = split_message(&mut buffer).unwrap().unwrap();
        let unexpected = Err(RejectReason::UnexpectedMessage);

        let mut bytes = first.to_vec();
        encode_reply(Kind::OpenOrders, 2, sequence, &orders, &mut bytes);
        assert_eq!(join(&bytes), unexpected);

        let mut bytes = first.to_vec();
        encode_reply(Kind::Balances, 1, sequence, &[balance], &mut bytes);
        assert_eq!(join(&bytes), unexpected);

        let mut bytes = Vec::new();
        encode_reply(Kind::Balances, 1, sequence, &[balance; 257], &mut bytes);
        assert_eq!(join(&bytes), Err(RejectReason::Oversize));
    }
}

//! Events as fixed records, so that a block's events are one slice to hash.

use zerocopy::little_endian::{I128, U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{
    AccountOpened, Armed, Deposited, Done, DoneReason, Event, Fill, Indicative, KeyChanged, Party,
    PolicySet, Reduced, Rested, RestingTaker, StatusChanged, Transferred, Triggered, Withdrawn,
};
use crate::auth::PublicKey;
use crate::command::{MarketStatus, Resting, SelfTrade, StopLeg, Trigger, TriggerCondition};
use crate::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, GroupId, KeyEpoch, KeyId, LogTime,
    MarketId, OrderId, SequenceNumber, Side, Ticks,
};

/// The canonical 128 bytes of one [`Event`], little-endian. Fields that a kind does not have are
/// zero. What an order brings to its rest stands in the taker's fields of its record.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct EventRecord {
    kind: u8,
    side: u8,
    reason: u8,
    flag: u8,
    market: U16,
    asset: U16,
    sequence: U64,
    price: U64,
    quantity: U64,
    order_id: U64,
    taker_order_id: U64,
    account: U32,
    taker_account: U32,
    client_order_id: U64,
    taker_client_order_id: U64,
    remaining: U64,
    trigger_price: U64,
    expires_at: U64,
    maker_fee: I128,
    amount: U128,
}

const _: () = assert!(size_of::<EventRecord>() == 128);

const KIND_FILL: u8 = 1;
const KIND_RESTED: u8 = 2;
const KIND_DONE: u8 = 3;
const KIND_TRANSFERRED: u8 = 4;
const KIND_ARMED: u8 = 5;
const KIND_TRIGGERED: u8 = 6;
const KIND_REDUCED: u8 = 7;
const KIND_STATUS_CHANGED: u8 = 8;
const KIND_INDICATIVE: u8 = 9;
const KIND_KEY_CHANGED: u8 = 10;
const KIND_POLICY_SET: u8 = 11;
const KIND_ACCOUNT_OPENED: u8 = 12;
const KIND_DEPOSITED: u8 = 13;
const KIND_WITHDRAWN: u8 = 14;

/// Flags of a fill.
const MAKER_REFRESHED: u8 = 1;
const IN_AUCTION: u8 = 1 << 1;
const TAKER_REFRESHED: u8 = 1 << 2;
/// Flags of how an order rests. They stand where a fill has its taker's account.
const PROTECTED: u32 = 1;
const HAS_STOP: u32 = 1 << 1;
const STOP_SELF_TRADE_SHIFT: u32 = 8;

impl EventRecord {
    const EMPTY: Self = Self {
        kind: 0,
        side: 0,
        reason: 0,
        flag: 0,
        market: U16::ZERO,
        asset: U16::ZERO,
        sequence: U64::ZERO,
        price: U64::ZERO,
        quantity: U64::ZERO,
        order_id: U64::ZERO,
        taker_order_id: U64::ZERO,
        account: U32::ZERO,
        taker_account: U32::ZERO,
        client_order_id: U64::ZERO,
        taker_client_order_id: U64::ZERO,
        remaining: U64::ZERO,
        trigger_price: U64::ZERO,
        expires_at: U64::ZERO,
        maker_fee: I128::ZERO,
        amount: U128::ZERO,
    };

    /// The typed view. Panics on bytes that no [`Event`] encodes to: records are made from events
    /// only, and never read from strangers.
    pub fn event(&self) -> Event {
        match self.kind {
            KIND_FILL => Event::Fill(self.fill()),
            KIND_RESTED => Event::Rested(self.rested()),
            KIND_ARMED => Event::Armed(self.armed()),
            KIND_TRIGGERED => Event::Triggered(self.triggered()),
            KIND_REDUCED => Event::Reduced(self.reduced()),
            KIND_DONE => Event::Done(self.done()),
            KIND_TRANSFERRED => Event::Transferred(self.transferred()),
            KIND_STATUS_CHANGED => Event::StatusChanged(self.status_changed()),
            KIND_INDICATIVE => Event::Indicative(self.indicative()),
            KIND_KEY_CHANGED => Event::KeyChanged(self.key_changed()),
            KIND_POLICY_SET => Event::PolicySet(self.policy_set()),
            KIND_ACCOUNT_OPENED => Event::AccountOpened(self.account_opened()),
            KIND_DEPOSITED => Event::Deposited(self.deposited()),
            KIND_WITHDRAWN => Event::Withdrawn(self.withdrawn()),
            kind => unreachable!("event record of kind {kind}: records are made from events"),
        }
    }

    /// The command or entry that did it.
    pub const fn sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.sequence.get())
    }

    /// Whether it tells of a key or an account that comes or goes: few do.
    pub const fn is_of_access(&self) -> bool {
        matches!(
            self.kind,
            KIND_KEY_CHANGED | KIND_POLICY_SET | KIND_ACCOUNT_OPENED
        )
    }

    fn fill(&self) -> Fill {
        Fill {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            taker_side: self.side(),
            price: Ticks::new(self.price.get()),
            quantity: BaseLots::new(self.quantity.get()),
            maker: self.owner(),
            taker: Party {
                account: AccountId::new(self.taker_account.get()),
                order_id: OrderId::new(self.taker_order_id.get()),
                client_order_id: ClientOrderId::new(self.taker_client_order_id.get()),
            },
            maker_remaining: BaseLots::new(self.remaining.get()),
            maker_refreshed: self.flag & MAKER_REFRESHED != 0,
            auction: (self.flag & IN_AUCTION != 0).then(|| RestingTaker {
                remaining: BaseLots::new(self.trigger_price.get()),
                refreshed: self.flag & TAKER_REFRESHED != 0,
            }),
            maker_fee: self.maker_fee.get(),
            taker_fee: Atoms::new(self.amount.get()),
        }
    }

    fn rested(&self) -> Rested {
        Rested {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            side: self.side(),
            price: Ticks::new(self.price.get()),
            quantity: BaseLots::new(self.quantity.get()),
            resting: self.resting(),
            owner: self.owner(),
        }
    }

    fn armed(&self) -> Armed {
        Armed {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            side: self.side(),
            trigger: Trigger {
                condition: if self.flag == TriggerCondition::Stop as u8 {
                    TriggerCondition::Stop
                } else {
                    TriggerCondition::TakeProfit
                },
                price: Ticks::new(self.trigger_price.get()),
            },
            resting: self.resting(),
            price: Ticks::new(self.price.get()),
            quantity: BaseLots::new(self.quantity.get()),
            owner: self.owner(),
        }
    }

    fn triggered(&self) -> Triggered {
        Triggered {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            side: self.side(),
            price: Ticks::new(self.price.get()),
            quantity: BaseLots::new(self.quantity.get()),
            owner: self.owner(),
        }
    }

    fn reduced(&self) -> Reduced {
        Reduced {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            side: self.side(),
            reason: self.reason(),
            price: Ticks::new(self.price.get()),
            by: BaseLots::new(self.quantity.get()),
            remaining: BaseLots::new(self.remaining.get()),
            owner: self.owner(),
        }
    }

    fn done(&self) -> Done {
        Done {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            side: self.side(),
            reason: self.reason(),
            price: Ticks::new(self.price.get()),
            remaining: BaseLots::new(self.remaining.get()),
            owner: self.owner(),
            held: self.flag != 0,
        }
    }

    fn transferred(&self) -> Transferred {
        Transferred {
            sequence: SequenceNumber::new(self.sequence.get()),
            from: AccountId::new(self.account.get()),
            to: AccountId::new(self.taker_account.get()),
            asset: AssetId::new(self.asset.get()),
            amount: Atoms::new(self.amount.get()),
        }
    }

    fn status_changed(&self) -> StatusChanged {
        StatusChanged {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            status: MarketStatus::from_code(self.flag).expect("records are made from events"),
        }
    }

    fn indicative(&self) -> Indicative {
        let price = self.price.get();
        Indicative {
            sequence: SequenceNumber::new(self.sequence.get()),
            market: MarketId::new(self.market.get()),
            price: (price > 0).then_some(Ticks::new(price)),
            volume: self.amount.get(),
            surplus: self.maker_fee.get(),
        }
    }

    fn key_changed(&self) -> KeyChanged {
        let mut public = [0; 32];
        let words = [
            self.price,
            self.quantity,
            self.order_id,
            self.taker_order_id,
        ];
        public.copy_from_slice(words.as_bytes());
        KeyChanged {
            sequence: SequenceNumber::new(self.sequence.get()),
            account: AccountId::new(self.account.get()),
            key: KeyId::new(self.taker_account.get()),
            epoch: KeyEpoch::new(self.client_order_id.get() as u32),
            public: PublicKey::new(public),
            is_revoked: self.flag != 0,
        }
    }

    fn policy_set(&self) -> PolicySet {
        PolicySet {
            sequence: SequenceNumber::new(self.sequence.get()),
            account: AccountId::new(self.account.get()),
            key: KeyId::new(self.taker_account.get()),
            silence_ns: self.quantity.get(),
        }
    }

    fn account_opened(&self) -> AccountOpened {
        let words = [self.price, self.quantity, self.order_id];
        let owner = words.as_bytes().first_chunk();
        AccountOpened {
            sequence: SequenceNumber::new(self.sequence.get()),
            account: AccountId::new(self.account.get()),
            group: GroupId::new(self.taker_account.get()),
            owner: *owner.expect("three words have 20 bytes"),
        }
    }

    fn deposited(&self) -> Deposited {
        Deposited {
            sequence: SequenceNumber::new(self.sequence.get()),
            account: AccountId::new(self.account.get()),
            asset: AssetId::new(self.asset.get()),
            amount: Atoms::new(self.amount.get()),
        }
    }

    fn withdrawn(&self) -> Withdrawn {
        let Deposited {
            sequence,
            account,
            asset,
            amount,
        } = self.deposited();
        Withdrawn {
            sequence,
            account,
            asset,
            amount,
        }
    }

    fn side(&self) -> Side {
        if self.side == Side::Bid as u8 {
            Side::Bid
        } else {
            Side::Ask
        }
    }

    fn reason(&self) -> DoneReason {
        DoneReason::from_code(self.reason).expect("records are made from events")
    }

    fn owner(&self) -> Party {
        Party {
            account: AccountId::new(self.account.get()),
            order_id: OrderId::new(self.order_id.get()),
            client_order_id: ClientOrderId::new(self.client_order_id.get()),
        }
    }

    fn resting(&self) -> Resting {
        let flags = self.taker_account.get();
        let stop = || StopLeg {
            trigger: Ticks::new(self.taker_order_id.get()),
            limit: Ticks::new(self.taker_client_order_id.get()),
            self_trade: SelfTrade::from_code((flags >> STOP_SELF_TRADE_SHIFT) as u8)
                .expect("records are made from events"),
        };
        Resting {
            expires_at: LogTime::new(self.expires_at.get()),
            display: BaseLots::new(self.remaining.get()),
            stop: (flags & HAS_STOP != 0).then(stop),
            protected: flags & PROTECTED != 0,
        }
    }

    fn with_resting(self, resting: &Resting) -> Self {
        let mut record = Self {
            remaining: U64::new(resting.display.get()),
            expires_at: U64::new(resting.expires_at.get()),
            taker_account: U32::new(if resting.protected { PROTECTED } else { 0 }),
            ..self
        };
        if let Some(stop) = resting.stop {
            let self_trade = (stop.self_trade as u32) << STOP_SELF_TRADE_SHIFT;
            record.taker_account |= HAS_STOP | self_trade;
            record.taker_order_id = U64::new(stop.trigger.get());
            record.taker_client_order_id = U64::new(stop.limit.get());
        }
        record
    }

    fn with_owner(self, owner: &Party) -> Self {
        Self {
            order_id: U64::new(owner.order_id.get()),
            account: U32::new(owner.account.get()),
            client_order_id: U64::new(owner.client_order_id.get()),
            ..self
        }
    }
}

impl From<&Fill> for EventRecord {
    #[inline]
    fn from(fill: &Fill) -> Self {
        let mut flag = if fill.maker_refreshed {
            MAKER_REFRESHED
        } else {
            0
        };
        let mut taker_remaining = BaseLots::ZERO;
        if let Some(taker) = fill.auction {
            flag |= IN_AUCTION | if taker.refreshed { TAKER_REFRESHED } else { 0 };
            taker_remaining = taker.remaining;
        }
        Self {
            kind: KIND_FILL,
            side: fill.taker_side as u8,
            flag,
            trigger_price: U64::new(taker_remaining.get()),
            market: U16::new(fill.market.get()),
            sequence: U64::new(fill.sequence.get()),
            price: U64::new(fill.price.get()),
            quantity: U64::new(fill.quantity.get()),
            taker_order_id: U64::new(fill.taker.order_id.get()),
            taker_account: U32::new(fill.taker.account.get()),
            taker_client_order_id: U64::new(fill.taker.client_order_id.get()),
            remaining: U64::new(fill.maker_remaining.get()),
            maker_fee: I128::new(fill.maker_fee),
            amount: U128::new(fill.taker_fee.get()),
            ..Self::EMPTY
        }
        .with_owner(&fill.maker)
    }
}

impl From<&Rested> for EventRecord {
    fn from(rested: &Rested) -> Self {
        Self {
            kind: KIND_RESTED,
            side: rested.side as u8,
            market: U16::new(rested.market.get()),
            sequence: U64::new(rested.sequence.get()),
            price: U64::new(rested.price.get()),
            quantity: U64::new(rested.quantity.get()),
            ..Self::EMPTY
        }
        .with_resting(&rested.resting)
        .with_owner(&rested.owner)
    }
}

impl From<&Armed> for EventRecord {
    fn from(armed: &Armed) -> Self {
        Self {
            kind: KIND_ARMED,
            side: armed.side as u8,
            flag: armed.trigger.condition as u8,
            market: U16::new(armed.market.get()),
            sequence: U64::new(armed.sequence.get()),
            price: U64::new(armed.price.get()),
            quantity: U64::new(armed.quantity.get()),
            trigger_price: U64::new(armed.trigger.price.get()),
            ..Self::EMPTY
        }
        .with_resting(&armed.resting)
        .with_owner(&armed.owner)
    }
}

impl From<&Triggered> for EventRecord {
    fn from(triggered: &Triggered) -> Self {
        Self {
            kind: KIND_TRIGGERED,
            side: triggered.side as u8,
            market: U16::new(triggered.market.get()),
            sequence: U64::new(triggered.sequence.get()),
            price: U64::new(triggered.price.get()),
            quantity: U64::new(triggered.quantity.get()),
            ..Self::EMPTY
        }
        .with_owner(&triggered.owner)
    }
}

impl From<&Reduced> for EventRecord {
    fn from(reduced: &Reduced) -> Self {
        Self {
            kind: KIND_REDUCED,
            side: reduced.side as u8,
            reason: reduced.reason as u8,
            market: U16::new(reduced.market.get()),
            sequence: U64::new(reduced.sequence.get()),
            price: U64::new(reduced.price.get()),
            quantity: U64::new(reduced.by.get()),
            remaining: U64::new(reduced.remaining.get()),
            ..Self::EMPTY
        }
        .with_owner(&reduced.owner)
    }
}

impl From<&Done> for EventRecord {
    fn from(done: &Done) -> Self {
        Self {
            kind: KIND_DONE,
            side: done.side as u8,
            reason: done.reason as u8,
            flag: u8::from(done.held),
            market: U16::new(done.market.get()),
            sequence: U64::new(done.sequence.get()),
            price: U64::new(done.price.get()),
            remaining: U64::new(done.remaining.get()),
            ..Self::EMPTY
        }
        .with_owner(&done.owner)
    }
}

/// The bytes of the key stand in price, quantity and both order ids.
impl From<&KeyChanged> for EventRecord {
    fn from(changed: &KeyChanged) -> Self {
        let (words, _) = changed.public.as_bytes().as_chunks::<8>();
        let word = |index: usize| U64::from_bytes(words[index]);
        Self {
            kind: KIND_KEY_CHANGED,
            flag: u8::from(changed.is_revoked),
            sequence: U64::new(changed.sequence.get()),
            price: word(0),
            quantity: word(1),
            order_id: word(2),
            taker_order_id: word(3),
            account: U32::new(changed.account.get()),
            taker_account: U32::new(changed.key.get()),
            client_order_id: U64::new(changed.epoch.get().into()),
            ..Self::EMPTY
        }
    }
}

impl From<&PolicySet> for EventRecord {
    fn from(set: &PolicySet) -> Self {
        Self {
            kind: KIND_POLICY_SET,
            sequence: U64::new(set.sequence.get()),
            quantity: U64::new(set.silence_ns),
            account: U32::new(set.account.get()),
            taker_account: U32::new(set.key.get()),
            ..Self::EMPTY
        }
    }
}

/// The bytes of the owner stand in price, quantity and order id, behind them zeros.
impl From<&AccountOpened> for EventRecord {
    fn from(opened: &AccountOpened) -> Self {
        let mut words = [U64::ZERO; 3];
        words.as_mut_bytes()[..opened.owner.len()].copy_from_slice(&opened.owner);
        Self {
            kind: KIND_ACCOUNT_OPENED,
            sequence: U64::new(opened.sequence.get()),
            price: words[0],
            quantity: words[1],
            order_id: words[2],
            account: U32::new(opened.account.get()),
            taker_account: U32::new(opened.group.get()),
            ..Self::EMPTY
        }
    }
}

impl From<&Deposited> for EventRecord {
    fn from(deposited: &Deposited) -> Self {
        Self {
            kind: KIND_DEPOSITED,
            asset: U16::new(deposited.asset.get()),
            sequence: U64::new(deposited.sequence.get()),
            account: U32::new(deposited.account.get()),
            amount: U128::new(deposited.amount.get()),
            ..Self::EMPTY
        }
    }
}

impl From<&Withdrawn> for EventRecord {
    fn from(withdrawn: &Withdrawn) -> Self {
        Self {
            kind: KIND_WITHDRAWN,
            asset: U16::new(withdrawn.asset.get()),
            sequence: U64::new(withdrawn.sequence.get()),
            account: U32::new(withdrawn.account.get()),
            amount: U128::new(withdrawn.amount.get()),
            ..Self::EMPTY
        }
    }
}

impl From<&Transferred> for EventRecord {
    fn from(transferred: &Transferred) -> Self {
        Self {
            kind: KIND_TRANSFERRED,
            asset: U16::new(transferred.asset.get()),
            sequence: U64::new(transferred.sequence.get()),
            account: U32::new(transferred.from.get()),
            taker_account: U32::new(transferred.to.get()),
            amount: U128::new(transferred.amount.get()),
            ..Self::EMPTY
        }
    }
}

impl From<&StatusChanged> for EventRecord {
    fn from(changed: &StatusChanged) -> Self {
        Self {
            kind: KIND_STATUS_CHANGED,
            flag: changed.status as u8,
            market: U16::new(changed.market.get()),
            sequence: U64::new(changed.sequence.get()),
            ..Self::EMPTY
        }
    }
}

impl From<&Indicative> for EventRecord {
    fn from(indicative: &Indicative) -> Self {
        Self {
            kind: KIND_INDICATIVE,
            market: U16::new(indicative.market.get()),
            sequence: U64::new(indicative.sequence.get()),
            price: U64::new(indicative.price.map_or(0, Ticks::get)),
            maker_fee: I128::new(indicative.surplus),
            amount: U128::new(indicative.volume),
            ..Self::EMPTY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQUENCE: SequenceNumber = SequenceNumber::new(7);
    const MARKET: MarketId = MarketId::new(3);

    fn party(number: u32) -> Party {
        Party {
            account: AccountId::new(number),
            order_id: OrderId::new(u64::from(number) << 33),
            client_order_id: ClientOrderId::new(u64::MAX - u64::from(number)),
        }
    }

    #[test]
    fn trades_and_transfers_survive_their_record() {
        for side in Side::BOTH {
            let fill = Fill {
                sequence: SEQUENCE,
                market: MARKET,
                taker_side: side,
                price: Ticks::new(11),
                quantity: BaseLots::new(12),
                maker: party(1),
                taker: party(2),
                maker_remaining: BaseLots::new(13),
                maker_refreshed: side == Side::Ask,
                auction: None,
                maker_fee: -14,
                taker_fee: Atoms::new(u128::MAX),
            };
            assert_eq!(EventRecord::from(&fill).event(), Event::Fill(fill));
            let auction = Some(RestingTaker {
                remaining: BaseLots::new(15),
                refreshed: side == Side::Bid,
            });
            let fill = Fill { auction, ..fill };
            assert_eq!(EventRecord::from(&fill).event(), Event::Fill(fill));
        }
        for status in MarketStatus::ALL {
            let changed = StatusChanged {
                sequence: SEQUENCE,
                market: MARKET,
                status,
            };
            let record = EventRecord::from(&changed);
            assert_eq!(record.event(), Event::StatusChanged(changed));
        }
        for price in [None, Some(Ticks::new(3))] {
            let indicative = Indicative {
                sequence: SEQUENCE,
                market: MARKET,
                price,
                volume: u128::MAX,
                surplus: -1,
            };
            let record = EventRecord::from(&indicative);
            assert_eq!(record.event(), Event::Indicative(indicative));
        }
        let transferred = Transferred {
            sequence: SEQUENCE,
            from: AccountId::new(5),
            to: AccountId::new(6),
            asset: AssetId::new(7),
            amount: Atoms::new(8),
        };
        let record = EventRecord::from(&transferred);
        assert_eq!(record.event(), Event::Transferred(transferred));
    }

    #[test]
    fn what_crosses_the_edge_survives_its_record() {
        let opened = AccountOpened {
            sequence: SEQUENCE,
            account: AccountId::new(5),
            group: GroupId::new(6),
            owner: std::array::from_fn(|index| index as u8 + 1),
        };
        let record = EventRecord::from(&opened);
        assert_eq!(record.event(), Event::AccountOpened(opened));
        let deposited = Deposited {
            sequence: SEQUENCE,
            account: AccountId::new(5),
            asset: AssetId::new(7),
            amount: Atoms::new(8),
        };
        let record = EventRecord::from(&deposited);
        assert_eq!(record.event(), Event::Deposited(deposited));
        let withdrawn = Withdrawn {
            sequence: SEQUENCE,
            account: AccountId::new(5),
            asset: AssetId::new(7),
            amount: Atoms::MAX,
        };
        let record = EventRecord::from(&withdrawn);
        assert_eq!(record.event(), Event::Withdrawn(withdrawn));
    }

    #[test]
    fn orders_that_open_survive_their_record() {
        let stop = StopLeg {
            trigger: Ticks::new(29),
            limit: Ticks::new(30),
            self_trade: SelfTrade::Decrement,
        };
        for (side, stop, protected) in [
            (Side::Bid, None, true),
            (Side::Ask, Some(stop), false),
            (Side::Bid, Some(stop), true),
        ] {
            let resting = Resting {
                expires_at: LogTime::new(28),
                display: BaseLots::new(19),
                stop,
                protected,
            };
            let rested = Rested {
                sequence: SEQUENCE,
                market: MARKET,
                side,
                price: Ticks::new(15),
                quantity: BaseLots::new(16),
                resting,
                owner: party(3),
            };
            assert_eq!(EventRecord::from(&rested).event(), Event::Rested(rested));
            for condition in [TriggerCondition::Stop, TriggerCondition::TakeProfit] {
                let price = Ticks::new(20);
                let armed = Armed {
                    sequence: SEQUENCE,
                    market: MARKET,
                    side,
                    trigger: Trigger { condition, price },
                    price: Ticks::new(21),
                    quantity: BaseLots::new(22),
                    resting,
                    owner: party(9),
                };
                assert_eq!(EventRecord::from(&armed).event(), Event::Armed(armed));
            }
        }
    }

    #[test]
    fn orders_that_change_or_end_survive_their_record() {
        for side in Side::BOTH {
            let triggered = Triggered {
                sequence: SEQUENCE,
                market: MARKET,
                side,
                price: Ticks::new(23),
                quantity: BaseLots::new(24),
                owner: party(10),
            };
            let record = EventRecord::from(&triggered);
            assert_eq!(record.event(), Event::Triggered(triggered));
            let reduced = Reduced {
                sequence: SEQUENCE,
                market: MARKET,
                side,
                reason: DoneReason::SelfTrade,
                price: Ticks::new(25),
                by: BaseLots::new(26),
                remaining: BaseLots::new(27),
                owner: party(11),
            };
            assert_eq!(EventRecord::from(&reduced).event(), Event::Reduced(reduced));
            for reason in (1..=u8::MAX).filter_map(DoneReason::from_code) {
                let done = Done {
                    sequence: SEQUENCE,
                    market: MARKET,
                    side,
                    reason,
                    price: Ticks::new(17),
                    remaining: BaseLots::new(18),
                    owner: party(4),
                    held: side == Side::Bid,
                };
                assert_eq!(EventRecord::from(&done).event(), Event::Done(done));
            }
        }
    }
}

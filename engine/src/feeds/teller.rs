//! What each feed is told of what happens: by market to the public, by account to its owner.

use matching::{BookEvent, Indication, ShownOrder};
use types::outcome::Event;
use types::wire::ack::{FillReport, Role};
use types::wire::ended::EndedReport;
use types::wire::feed::{
    AccountEvent, Channel, FeedId, FeedPosition, L2Event, L3Action, L3Event, TradeEvent, TradeNews,
};
use types::{MarketId, SequenceNumber};
use zerocopy::{Immutable, IntoBytes};

use super::drafts::Drafts;
use super::positions::Positions;
use super::record::{self, best_event};

/// Writes down what happens, feed by feed. Each kind of event is pushed as what it is, so that its
/// length and its channel are known where it is copied: this is done for every command.
pub(super) struct Teller<'a, Sink> {
    pub(super) positions: &'a mut Positions,
    pub(super) drafts: &'a mut Drafts,
    pub(super) sink: &'a mut Sink,
}

impl<Sink: FnMut(FeedId, FeedPosition, &[u8])> Teller<'_, Sink> {
    /// What the public learns of a market.
    #[inline]
    pub(super) fn tell_market(
        &mut self,
        market: MarketId,
        sequence: SequenceNumber,
        event: &BookEvent,
    ) {
        let mut tell_order = |action, order: &ShownOrder| {
            let event = L3Event::new(sequence, action, record::order_record(order));
            self.push(FeedId::Market(Channel::L3, market), &event);
        };
        match event {
            BookEvent::Added(order) => tell_order(L3Action::Added, order),
            BookEvent::Shrunk(order) => tell_order(L3Action::Shrunk, order),
            BookEvent::Removed(order) => tell_order(L3Action::Removed, order),
            BookEvent::LevelChanged { side, level } => {
                let event = L2Event::new(sequence, record::level_record(*side, level));
                self.push(FeedId::Market(Channel::L2, market), &event);
            }
            BookEvent::BestChanged { side, best } => {
                let event = best_event(sequence, *side, *best);
                self.push(FeedId::Market(Channel::L1, market), &event);
            }
            BookEvent::Traded(traded) => {
                self.tell_news(market, sequence, &record::trade(traded));
            }
            BookEvent::StatusChanged(status) => {
                self.tell_news(market, sequence, &TradeNews::Status(*status));
            }
            BookEvent::Indicated(indication) => {
                let price = |it: Indication| (it.price, it.volume, it.surplus);
                let news = TradeNews::Indicative(indication.map(price));
                self.tell_news(market, sequence, &news);
            }
        }
    }

    /// What those learn whose orders it was about.
    #[inline]
    pub(super) fn tell_accounts(&mut self, event: &Event) {
        if let Event::Fill(fill) = event {
            for (party, role) in [(&fill.maker, Role::Maker), (&fill.taker, Role::Taker)] {
                let report = AccountEvent::from(&FillReport::new(fill, role));
                self.push(FeedId::Account(party.account), &report);
            }
        } else if let Some((owner, ended)) = EndedReport::of_event(event) {
            let report = AccountEvent::from(&ended);
            self.push(FeedId::Account(owner), &report);
        }
    }

    fn tell_news(&mut self, market: MarketId, sequence: SequenceNumber, news: &TradeNews) {
        let event = TradeEvent::new(sequence, news);
        self.push(FeedId::Market(Channel::Trades, market), &event);
    }

    #[inline]
    fn push<Record: IntoBytes + Immutable>(&mut self, feed: FeedId, event: &Record) {
        self.drafts.push(feed, event, self.positions, self.sink);
    }
}

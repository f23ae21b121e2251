//! The lines of `keel subscribe`: an object each, printed as JSON or as words.

use client::FeedMessage;
use serde_json::{Value, json};
use types::SequenceNumber;
use types::genesis::MarketSpec;
use types::wire::feed::{
    AccountEvent, AccountReport, BestRecord, FeedEvents, FeedGap, FeedId, FeedMark, FeedSnapshot,
    LevelRecord, Lines, OrderRecord, Records, TradeEvent, TradeNews,
};
use types::wire::query::{IndicativePrice, Reference};

use super::super::client::reply;
use super::super::print_line;

/// Prints what comes, and counts events.
pub(super) struct Writer<'a> {
    reference: &'a Reference,
    is_json: bool,
    /// How many events are still wanted; `None`: all.
    wanted: Option<u64>,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(reference: &'a Reference, is_json: bool, wanted: Option<u64>) -> Self {
        Self {
            reference,
            is_json,
            wanted,
        }
    }

    /// Whether no event is wanted any more.
    pub(super) fn is_done(&self) -> bool {
        self.wanted == Some(0)
    }

    /// Prints one message that was found right.
    pub(super) fn write(&mut self, message: &FeedMessage) {
        match message {
            FeedMessage::Events(events) => self.events(&events.view()),
            FeedMessage::Snapshot(part) => self.snapshot(&part.view()),
            FeedMessage::Checkpoint(mark) => self.print(&marked("checkpoint", mark)),
            FeedMessage::Gap(gap) => self.print(&missed(gap)),
        }
    }

    /// A line each; the last one has the running hash, for only a whole message has one.
    fn events(&mut self, events: &FeedEvents<'_>) {
        let mut objects: Vec<Value> = match &events.records {
            Records::Trades(list) => list.iter().map(|it| self.news(events.feed, it)).collect(),
            Records::L1(list) => {
                let bests = list.iter();
                let bests = bests.map(|it| (it.sequence(), self.best(events.feed, it.best())));
                bests.map(as_of).collect()
            }
            Records::L2(list) => {
                let levels = list.iter();
                let levels = levels.map(|it| (it.sequence(), self.level(events.feed, it.level())));
                levels.map(as_of).collect()
            }
            Records::L3(list) => {
                let orders = list.iter().map(|it| {
                    let mut object = self.order(events.feed, it.order());
                    object["event"] = json!(it.action().name());
                    (it.sequence(), object)
                });
                orders.map(as_of).collect()
            }
            Records::Account(list) => list.iter().map(|it| self.report(it)).collect(),
        };
        if let Some(last) = objects.last_mut() {
            last["hash"] = json!(events.hash.to_string());
        }
        for (number, mut object) in (events.sequence..).zip(objects) {
            if self.is_done() {
                return;
            }
            object["number"] = json!(number);
            self.print(&object);
            self.wanted = self.wanted.map(|wanted| wanted - 1);
        }
    }

    /// The head of each part, and a line for each of the book's.
    fn snapshot(&self, part: &FeedSnapshot<'_>) {
        self.print(&marked("snapshot", &part.mark));
        let feed = part.mark.feed;
        let lines: Vec<Value> = match &part.lines {
            Lines::None => Vec::new(),
            Lines::L1(lines) => lines.iter().map(|it| self.best(feed, it)).collect(),
            Lines::L2(lines) => lines.iter().map(|it| self.level(feed, it)).collect(),
            Lines::L3(lines) => lines.iter().map(|it| self.order(feed, it)).collect(),
        };
        for line in &lines {
            self.print(line);
        }
    }

    fn news(&self, feed: FeedId, event: &TradeEvent) -> Value {
        let spec = self.market(feed);
        let object = match event.news() {
            TradeNews::Trade {
                maker,
                taker_side,
                price,
                quantity,
                in_auction,
            } => json!({
                "event": "trade",
                "side": taker_side.name(),
                "price": spec.format_price(price),
                "quantity": spec.format_quantity(quantity),
                "maker": maker.get(),
                "auction": in_auction,
            }),
            TradeNews::Status(status) => json!({"event": "status", "status": status.name()}),
            TradeNews::Indicative(None) => json!({"event": "indicative"}),
            TradeNews::Indicative(Some((price, volume, surplus))) => {
                let indicative = IndicativePrice {
                    price,
                    volume,
                    surplus,
                };
                let mut object = reply::indicative(spec, &indicative);
                object["event"] = json!("indicative");
                object
            }
        };
        as_of((event.sequence(), object))
    }

    fn best(&self, feed: FeedId, best: &BestRecord) -> Value {
        let mut object = json!({"event": "best", "side": best.side().name()});
        if let Some((price, quantity)) = best.best() {
            let spec = self.market(feed);
            object["price"] = json!(spec.format_price(price));
            object["quantity"] = json!(spec.format_quantity(quantity));
        }
        object
    }

    fn level(&self, feed: FeedId, level: &LevelRecord) -> Value {
        let spec = self.market(feed);
        json!({
            "event": "level",
            "side": level.side().name(),
            "price": spec.format_price(level.price()),
            "quantity": spec.format_quantity(level.quantity()),
            "orders": level.orders(),
        })
    }

    fn order(&self, feed: FeedId, order: &OrderRecord) -> Value {
        let spec = self.market(feed);
        json!({
            "event": "order",
            "order_id": order.order_id().get(),
            "side": order.side().name(),
            "price": spec.format_price(order.price()),
            "quantity": spec.format_quantity(order.shown()),
        })
    }

    fn report(&self, event: &AccountEvent) -> Value {
        let object = match event.report() {
            AccountReport::Fill(report) => reply::fill_event(self.reference, &report),
            AccountReport::Ended(report) => reply::ended_event(self.reference, &report),
        };
        object.expect("an account trades in markets of its network")
    }

    fn market(&self, feed: FeedId) -> &'a MarketSpec {
        &self.reference.markets[feed.subject() as usize]
    }

    fn print(&self, object: &Value) {
        match self.is_json {
            true => print_line(&object.to_string()),
            false => print_line(&words(object)),
        }
    }
}

fn as_of((sequence, mut object): (SequenceNumber, Value)) -> Value {
    object["sequence"] = json!(sequence.get());
    object
}

fn marked(event: &str, mark: &FeedMark) -> Value {
    let mut object = json!({
        "event": event,
        "number": mark.position.sequence,
        "hash": mark.position.hash.to_string(),
        "sequence": mark.sequence.get(),
    });
    if mark.feed.channel().has_book() {
        object["book_hash"] = json!(mark.book_hash.to_string());
    }
    object
}

fn missed(gap: &FeedGap) -> Value {
    let mut object = json!({"event": "gap", "reason": gap.reason.name(), "after": gap.after});
    if gap.through != 0 {
        object["through"] = json!(gap.through);
    }
    object
}

/// Number and event first, then what else there is, by name.
fn words(object: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let first = ["number", "event"];
    let heads = first.iter().filter_map(|name| object.get(name)).map(text);
    let fields = object.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !first.contains(&name.as_str()));
    let fields = fields.map(|(name, value)| format!("{name}={}", text(value)));
    heads.chain(fields).collect::<Vec<_>>().join(" ")
}

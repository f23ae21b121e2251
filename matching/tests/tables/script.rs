//! Runs the steps of a table: one line of words, one line of answer.

use crate::common::{Trio, plain, taker};
use matching::{Crossing, Indication, Maker, Meeting, RestingOrder, Stopped, Taker};
use types::command::SelfTrade;
use types::{AccountId, BaseLots, ClientOrderId, LogTime, OrderId, Side, Ticks};

/// Runs the steps and compares each answer.
pub(crate) fn check(steps: &[(&str, &str)]) {
    let mut books = Trio::new(1, 10);
    for (number, (step, expected)) in steps.iter().enumerate() {
        let answer = run(&mut books, &Words::new(step));
        assert_eq!(answer, *expected, "step {number}: {step}");
        books.assert_same();
    }
}

fn run(books: &mut Trio, words: &Words<'_>) -> String {
    match words.verb() {
        "rest" => {
            books.rest(&words.order());
            String::new()
        }
        "take" => take(books, &words.taker(books)),
        "fillable" => books.fillable(&words.taker(books)).to_string(),
        "crosses" => books
            .crosses(words.side(), Ticks::new(words.last()))
            .to_string(),
        "order" => optional(books.order(words.id()).map(full)),
        "cancel" => optional(books.cancel(words.id()).map(full)),
        "reduce" => {
            let by = BaseLots::new(words.after("by").expect("the step says by how much"));
            optional(books.reduce(words.id(), by).map(full))
        }
        "requeue" => {
            let (remaining, price) = words.size();
            books.requeue(words.id(), price, remaining);
            String::new()
        }
        "expire" => ids(&books.expire(words.now(), words.fills_max())),
        "cancel_all" => ids(&books.cancel_all(words.account(), words.sides(), words.prices())),
        "pull" => ids(&books.pull(words.account())),
        "guard" => {
            let lots = words.after("lots").expect("the step says how many lots");
            books.fuses.0.insert(words.account(), lots);
            String::new()
        }
        "collect" => {
            books.collect();
            String::new()
        }
        "indication" => {
            let last = words.after("last").map(Ticks::new);
            optional(books.indication(last).map(indicated))
        }
        "uncross" => {
            let crossings = books.uncross(words.fills_max());
            let more = if books.is_collecting() { "; more" } else { "" };
            list(crossings.iter().map(crossed)) + more
        }
        "labelled" => optional(books.labelled(words.account(), words.label())),
        "open" => books.open_orders(words.account()).to_string(),
        "top" => {
            let [bid, ask] = Side::BOTH.map(|side| books.best(side));
            let price = |price: Option<Ticks>| price.map_or("-".to_owned(), |it| it.to_string());
            format!("{} / {}", price(bid), price(ask))
        }
        "orders" => list(books.orders(words.side()).into_iter().map(short)),
        "levels" => list(books.levels(words.side()).into_iter().map(|level| {
            let hides = suffix("hides", level.hidden.get());
            format!(
                "{}@{} x{}{hides}",
                level.quantity, level.price, level.orders
            )
        })),
        verb => panic!("no such step: {verb}"),
    }
}

fn take(books: &mut Trio, taker: &Taker) -> String {
    let (taken, meetings) = books.take(taker);
    let meetings = list(meetings.iter().map(met));
    let stopped = match taken.stopped {
        None => "",
        Some(Stopped::FillLimit) => " capped",
        Some(Stopped::SelfTrade) => " self trade",
    };
    let left = match taken.stopped {
        None => String::new(),
        Some(_) => suffix("left", taken.remaining.get()),
    };
    format!("{meetings}; filled {}{stopped}{left}", taken.filled)
}

fn met(meeting: &Meeting) -> String {
    match meeting {
        Meeting::Fill {
            maker,
            quantity,
            refreshed,
        } => {
            let (id, price, left) = (maker.order_id, maker.price, maker.remaining);
            let refreshed = if *refreshed { " refreshed" } else { "" };
            format!("{id} {quantity}@{price} left {left}{refreshed}")
        }
        Meeting::Expired(order) => {
            let (id, price, left) = (order.order_id, order.price, order.remaining);
            format!("{id} expired {left}@{price}")
        }
        Meeting::SelfTradeCancelled(order) => {
            let (id, price, left) = (order.order_id, order.price, order.remaining);
            format!("{id} cancelled {left}@{price}")
        }
        Meeting::Pulled(order) => {
            let (id, price, left) = (order.order_id, order.price, order.remaining);
            format!("{id} pulled {left}@{price}")
        }
        Meeting::SelfTradeReduced { maker, by } => {
            format!("{} reduced {by} left {}", maker.order_id, maker.remaining)
        }
    }
}

fn indicated(indication: Indication) -> String {
    let Indication {
        price,
        volume,
        surplus,
    } = indication;
    format!("{volume}@{price} over {surplus}")
}

fn crossed(crossing: &Crossing) -> String {
    let side = |maker: Maker, refreshed: bool| {
        let refreshed = if refreshed { " refreshed" } else { "" };
        format!("{} left {}{refreshed}", maker.order_id, maker.remaining)
    };
    let [bid, ask] = crossing.refreshed;
    let (bid, ask) = (side(crossing.bid, bid), side(crossing.ask, ask));
    format!("{bid} x {ask}: {}", crossing.quantity)
}

fn short(order: RestingOrder) -> String {
    format!("{} {}@{}", order.order_id, order.remaining, order.price)
}

fn full(order: RestingOrder) -> String {
    let mut text = format!(
        "{} {} a{} l{} {}@{}",
        order.side.name(),
        order.order_id,
        order.account,
        order.client_order_id,
        order.remaining,
        order.price
    );
    if order.quantity != order.remaining {
        text += &suffix("of", order.quantity.get());
    }
    if !order.display.is_zero() {
        text += &format!(" shows {} of {}", order.shown, order.display);
    }
    text + &suffix("until", order.expires_at.get())
}

/// Nothing is said of nothing.
fn suffix(word: &str, number: u64) -> String {
    if number == 0 {
        String::new()
    } else {
        format!(" {word} {number}")
    }
}

fn ids(orders: &[RestingOrder]) -> String {
    list(orders.iter().map(|order| order.order_id.to_string()))
}

fn optional(answer: Option<impl ToString>) -> String {
    answer.map_or("none".to_owned(), |answer| answer.to_string())
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// The words of one step.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn new(step: &'a str) -> Self {
        Self(step.split_whitespace().collect())
    }

    fn verb(&self) -> &'a str {
        self.0[0]
    }

    fn id(&self) -> OrderId {
        OrderId::new(number(self.0[1]))
    }

    fn order(&self) -> RestingOrder {
        let (remaining, price) = self.size();
        let filled = self.after("filled").unwrap_or(0);
        RestingOrder {
            account: self.account(),
            client_order_id: self.label(),
            quantity: BaseLots::new(remaining.get() + filled),
            display: BaseLots::new(self.after("show").unwrap_or(0)),
            expires_at: LogTime::new(self.after("until").unwrap_or(0)),
            protected: self.0.contains(&"protected"),
            ..plain(number(self.0[2]), self.side(), price.get(), remaining.get())
        }
    }

    fn taker(&self, books: &Trio) -> Taker {
        let (quantity, limit) = self.size();
        Taker {
            fills_max: self.fills_max(),
            account: self.account(),
            group: books.group_of(self.account()),
            self_trade: self.self_trade(),
            now: self.now(),
            ..taker(self.side(), limit, quantity)
        }
    }

    fn self_trade(&self) -> SelfTrade {
        [
            ("cancel_taker", SelfTrade::CancelTaker),
            ("cancel_maker", SelfTrade::CancelMaker),
            ("cancel_both", SelfTrade::CancelBoth),
            ("decrement", SelfTrade::Decrement),
        ]
        .into_iter()
        .find(|(word, _)| self.0.contains(word))
        .map_or(SelfTrade::Allow, |(_, self_trade)| self_trade)
    }

    fn side(&self) -> Side {
        self.sides().expect("the step names a side")
    }

    fn sides(&self) -> Option<Side> {
        Side::BOTH
            .into_iter()
            .find(|side| self.0.contains(&side.name()))
    }

    fn size(&self) -> (BaseLots, Ticks) {
        let size = self.0.iter().find_map(|word| word.split_once('@'));
        let (quantity, price) = size.expect("the step has a size");
        (BaseLots::new(number(quantity)), Ticks::new(number(price)))
    }

    fn fills_max(&self) -> u32 {
        self.after("max").map_or(u32::MAX, |max| max as u32)
    }

    fn now(&self) -> LogTime {
        LogTime::new(self.after("now").unwrap_or(0))
    }

    fn prices(&self) -> Option<(Ticks, Ticks)> {
        let (from, to) = (self.after("from")?, self.after("to")?);
        Some((Ticks::new(from), Ticks::new(to)))
    }

    fn account(&self) -> AccountId {
        AccountId::new(self.prefixed('a').unwrap_or(0) as u32)
    }

    fn label(&self) -> ClientOrderId {
        ClientOrderId::new(self.prefixed('l').unwrap_or(0))
    }

    fn prefixed(&self, prefix: char) -> Option<u64> {
        let mut rest = self.0[1..]
            .iter()
            .filter_map(|word| word.strip_prefix(prefix));
        rest.find_map(|digits| digits.parse().ok())
    }

    fn after(&self, word: &str) -> Option<u64> {
        let place = self.0.iter().position(|other| *other == word)?;
        Some(number(self.0[place + 1]))
    }

    fn last(&self) -> u64 {
        number(self.0[self.0.len() - 1])
    }
}

fn number(word: &str) -> u64 {
    word.parse().expect("the step has a number here")
}

//! What the book does, one line per step with the expected answer beside it. Every line is run on
//! two books and on the oracle.
//!
//! Words: `bid 1 5@100` is order 1 for 5 lots at 100 ticks; `a7` an account, `l3` a label;
//! `max 2` the cap on fills. Where it says nothing, the account is 0, there is no label and no cap.

mod common;

use common::Trio;
use matching::RestingOrder;
use types::{AccountId, BaseLots, ClientOrderId, OrderId, Side, Ticks};

#[test]
fn better_prices_fill_first_and_older_orders_before_younger() {
    check(&[
        ("rest ask 1 5@101", ""),
        ("rest ask 2 5@100", ""),
        ("rest ask 3 5@101", ""),
        ("rest ask 4 5@100", ""),
        ("orders ask", "2 5@100, 4 5@100, 1 5@101, 3 5@101"),
        (
            "take bid 12@101",
            "2 5@100 left 0, 4 5@100 left 0, 1 2@101 left 3; filled 12",
        ),
        ("levels ask", "8@101 x2"),
        ("take bid 9@101", "1 3@101 left 0, 3 5@101 left 0; filled 8"),
        ("top", "- / -"),
    ]);
    check(&[
        ("rest bid 1 5@100", ""),
        ("rest bid 2 5@101", ""),
        ("rest bid 3 5@100", ""),
        (
            "take ask 11@100",
            "2 5@101 left 0, 1 5@100 left 0, 3 1@100 left 4; filled 11",
        ),
        ("top", "100 / -"),
    ]);
}

#[test]
fn a_partial_fill_keeps_its_place() {
    check(&[
        ("rest bid 1 10@50", ""),
        ("rest bid 2 10@50", ""),
        ("take ask 4@50", "1 4@50 left 6; filled 4"),
        ("take ask 4@50", "1 4@50 left 2; filled 4"),
        ("take ask 4@50", "1 2@50 left 0, 2 2@50 left 8; filled 4"),
        ("levels bid", "8@50 x1"),
    ]);
}

#[test]
fn a_limit_is_a_limit() {
    check(&[
        ("rest ask 1 5@100", ""),
        ("rest ask 2 5@102", ""),
        ("crosses bid 99", "false"),
        ("crosses bid 100", "true"),
        ("crosses ask 1", "false"),
        ("take bid 20@99", "; filled 0"),
        ("take bid 20@101", "1 5@100 left 0; filled 5"),
        ("top", "- / 102"),
    ]);
}

#[test]
fn the_cap_on_fills_stops_a_taker() {
    check(&[
        ("rest ask 1 1@100", ""),
        ("rest ask 2 1@100", ""),
        ("rest ask 3 1@101", ""),
        ("take bid 9@101 max 0", "; filled 0 capped"),
        ("take bid 9@99 max 0", "; filled 0"),
        (
            "take bid 9@101 max 2",
            "1 1@100 left 0, 2 1@100 left 0; filled 2 capped",
        ),
        ("take bid 9@101 max 1", "3 1@101 left 0; filled 1"),
        ("rest ask 4 2@100", ""),
        ("take bid 1@100 max 1", "4 1@100 left 1; filled 1"),
    ]);
}

#[test]
fn all_or_nothing_counts_lots_and_fills() {
    check(&[
        ("fillable bid 1@100", "false"),
        ("rest ask 1 4@100", ""),
        ("rest ask 2 4@100", ""),
        ("rest ask 3 9@101", ""),
        ("fillable bid 8@100", "true"),
        ("fillable bid 9@100", "false"),
        ("fillable bid 9@101", "true"),
        ("fillable bid 17@101", "true"),
        ("fillable bid 18@101", "false"),
        ("fillable bid 4@100 max 1", "true"),
        ("fillable bid 5@100 max 1", "false"),
        ("fillable bid 9@101 max 2", "false"),
        ("fillable bid 9@101 max 3", "true"),
        ("fillable bid 8@101 max 2", "true"),
        ("fillable bid 17@101 max 3", "true"),
        ("fillable ask 1@1", "false"),
        ("levels ask", "8@100 x2, 9@101 x1"),
    ]);
}

#[test]
fn a_cancel_returns_the_order_and_only_once() {
    check(&[
        ("rest bid 1 a3 l9 10@50", ""),
        ("take ask 4@50", "1 4@50 left 6; filled 4"),
        ("order 1", "bid 1 a3 l9 6@50"),
        ("cancel 2", "none"),
        ("cancel 1", "bid 1 a3 l9 6@50"),
        ("cancel 1", "none"),
        ("order 1", "none"),
        ("top", "- / -"),
    ]);
}

#[test]
fn the_best_price_moves_over_any_distance() {
    check(&[
        ("rest bid 1 1@1", ""),
        ("rest ask 2 1@4294967294", ""),
        ("top", "1 / 4294967294"),
        ("rest bid 3 1@4294967293", ""),
        ("top", "4294967293 / 4294967294"),
        ("cancel 3", "bid 3 a0 l0 1@4294967293"),
        ("top", "1 / 4294967294"),
        ("take ask 1@1", "1 1@1 left 0; filled 1"),
        ("rest ask 4 1@1", ""),
        ("top", "- / 1"),
        (
            "take bid 2@4294967294",
            "4 1@1 left 0, 2 1@4294967294 left 0; filled 2",
        ),
        ("top", "- / -"),
    ]);
}

#[test]
fn the_largest_orders_fit() {
    check(&[
        ("rest ask 1 281474976710655@4294967294", ""),
        ("rest ask 2 281474976710655@4294967294", ""),
        ("levels ask", "562949953421310@4294967294 x2"),
        ("fillable bid 562949953421310@4294967294", "true"),
        ("fillable bid 562949953421311@4294967294", "false"),
        (
            "take bid 281474976710655@4294967294",
            "1 281474976710655@4294967294 left 0; filled 281474976710655",
        ),
    ]);
}

#[test]
fn labels_are_per_account_and_end_with_the_order() {
    check(&[
        ("rest bid 1 a1 l7 1@50", ""),
        ("rest bid 2 a2 l7 1@50", ""),
        ("rest bid 3 a1 l8 1@50", ""),
        ("rest bid 4 a1 1@50", ""),
        ("rest bid 5 a1 1@50", ""),
        ("labelled a1 l7", "1"),
        ("labelled a2 l7", "2"),
        ("labelled a2 l8", "none"),
        ("labelled a1 l0", "none"),
        ("cancel 1", "bid 1 a1 l7 1@50"),
        ("labelled a1 l7", "none"),
        ("labelled a2 l7", "2"),
        ("rest ask 6 a1 l7 1@60", ""),
        ("labelled a1 l7", "6"),
        ("take ask 1@50", "2 1@50 left 0; filled 1"),
        ("labelled a2 l7", "none"),
    ]);
}

#[test]
fn cancel_all_takes_the_owners_orders_oldest_first() {
    check(&[
        ("rest bid 1 a1 1@50", ""),
        ("rest ask 2 a1 1@60", ""),
        ("rest bid 3 a2 1@55", ""),
        ("rest bid 4 a1 1@58", ""),
        ("rest ask 5 a1 1@59", ""),
        ("open a1", "4"),
        ("open a2", "1"),
        ("open a3", "0"),
        ("cancel_all a3 both", ""),
        ("cancel_all a1 ask", "2, 5"),
        ("open a1", "2"),
        ("rest ask 6 a1 1@70", ""),
        ("cancel_all a1 both", "1, 4, 6"),
        ("open a1", "0"),
        ("cancel_all a1 both", ""),
        ("top", "55 / -"),
    ]);
}

/// Runs the steps and compares each answer.
fn check(steps: &[(&str, &str)]) {
    let mut books = Trio::new(1);
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
        "take" => take(books, words),
        "fillable" => {
            let (quantity, price) = words.size();
            books
                .fillable(words.side(), price, quantity, words.fills_max())
                .to_string()
        }
        "crosses" => books
            .crosses(words.side(), Ticks::new(words.last()))
            .to_string(),
        "order" => optional(books.order(OrderId::new(words.last())).map(full)),
        "cancel" => optional(books.cancel(OrderId::new(words.last())).map(full)),
        "cancel_all" => list(
            books
                .cancel_all(words.account(), words.sides())
                .iter()
                .map(|order| order.order_id.to_string()),
        ),
        "labelled" => optional(books.labelled(words.account(), words.label())),
        "open" => books.open_orders(words.account()).to_string(),
        "top" => {
            let [bid, ask] = Side::BOTH.map(|side| books.best(side));
            let price = |price: Option<Ticks>| price.map_or("-".to_owned(), |it| it.to_string());
            format!("{} / {}", price(bid), price(ask))
        }
        "orders" => list(books.book.orders(words.side()).map(short)),
        "levels" => list(
            books
                .book
                .levels(words.side())
                .map(|level| format!("{}@{} x{}", level.quantity, level.price, level.orders)),
        ),
        verb => panic!("no such step: {verb}"),
    }
}

fn take(books: &mut Trio, words: &Words<'_>) -> String {
    let (quantity, price) = words.size();
    let (taken, fills) = books.take(words.side(), price, quantity, words.fills_max());
    let fills = list(fills.iter().map(|fill| {
        let maker = fill.maker;
        let (id, price, left) = (maker.order_id, maker.price, maker.remaining);
        format!("{id} {}@{price} left {left}", fill.quantity)
    }));
    let capped = if taken.capped { " capped" } else { "" };
    format!("{fills}; filled {}{capped}", taken.filled)
}

fn short(order: RestingOrder) -> String {
    format!("{} {}@{}", order.order_id, order.remaining, order.price)
}

fn full(order: RestingOrder) -> String {
    format!(
        "{} {} a{} l{} {}@{}",
        order.side.name(),
        order.order_id,
        order.account,
        order.client_order_id,
        order.remaining,
        order.price
    )
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

    fn order(&self) -> RestingOrder {
        let (remaining, price) = self.size();
        RestingOrder {
            order_id: OrderId::new(number(self.0[2])),
            account: self.account(),
            client_order_id: self.label(),
            side: self.side(),
            price,
            remaining,
        }
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
        let position = self.0.iter().position(|word| *word == "max");
        position.map_or(u32::MAX, |at| number(self.0[at + 1]) as u32)
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

    fn last(&self) -> u64 {
        number(self.0[self.0.len() - 1])
    }
}

fn number(word: &str) -> u64 {
    word.parse().expect("the step has a number here")
}

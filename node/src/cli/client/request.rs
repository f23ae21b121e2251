//! Lines to requests: names to ids, decimal texts to ticks and lots, moments to logged time.
//!
//! Only what cannot be said to a node is refused here, with a text that says what to write instead.
//! Everything that can be said is the node's to reject.

mod moving;
mod order;
mod setting;

use types::command::{
    Cancel, CancelScope, OrderTarget, PriceRange, QuoteLevel, QuoteSet, Replace, SelfTrade,
};
use types::decimal::DecimalError;
use types::genesis::MarketSpec;
use types::limits::QUOTE_LEVELS_MAX;
use types::wire::query::{Question, Reference};
use types::{
    BaseLots, ClientOrderId, Command, KeyId, LogTime, MarketId, Nonce, OrderId, RejectReason, Side,
    Ticks,
};

use self::setting::{nanos, session_policy};
use super::line::{
    CancelAllLine, CancelLine, Line, QuoteSetLine, ReplaceLine, SelfTradeText, SideText,
};

/// What one line asks of the node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// To do something, under this nonce or under the next.
    Command(OwnedCommand, Option<Nonce>),
    /// To tell something.
    Question(Question),
    /// To tell what a market is like.
    Market(MarketId),
    /// To tell what became of a nonce, whose order was placed in this market.
    Outcome(Nonce, Option<MarketId>),
}

/// A [`Command`] that owns its quotes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OwnedCommand {
    QuoteSet {
        market: MarketId,
        number: u64,
        bids: Vec<QuoteLevel>,
        asks: Vec<QuoteLevel>,
    },
    Other(Command<'static>),
}

impl OwnedCommand {
    pub(super) fn command(&self) -> Command<'_> {
        match self {
            Self::QuoteSet {
                market,
                number,
                bids,
                asks,
            } => Command::QuoteSet(QuoteSet {
                market: *market,
                number: *number,
                bids,
                asks,
            }),
            Self::Other(command) => *command,
        }
    }
}

/// Why a line is not sent: the reason that the node would give, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: RejectReason,
    pub(super) detail: String,
}

impl Refusal {
    fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { reason, detail }
    }

    fn malformed(detail: impl Into<String>) -> Self {
        Self::new(RejectReason::Malformed, detail)
    }

    /// A decimal off the grid is malformed; one `beyond` the limit has a reason of its own.
    fn decimal(what: &str, error: DecimalError, beyond: RejectReason) -> Self {
        let reason = match error {
            DecimalError::TooLarge => beyond,
            DecimalError::NotDecimal | DecimalError::TooFine => RejectReason::Malformed,
        };
        Self::new(reason, format!("{what}: {error}"))
    }
}

/// What a line is read against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) reference: &'a Reference,
    /// This machine's clock.
    pub(super) now: LogTime,
}

impl<'a> Reader<'a> {
    /// Reads one line; the error says what is wrong with it.
    pub(super) fn request(&self, line: &str) -> Result<Request, Refusal> {
        let line: Line =
            serde_json::from_str(line).map_err(|error| Refusal::malformed(error.to_string()))?;
        let (command, nonce) = match line {
            Line::Place(line) => (Command::Place(self.place(&line)?), line.nonce),
            Line::Replace(line) => (Command::Replace(self.replace(&line)?), line.nonce),
            Line::Cancel(line) => (Command::Cancel(self.cancel(&line)?), line.nonce),
            Line::CancelAll(line) => (Command::CancelAll(self.cancel_scope(&line)?), line.nonce),
            Line::Transfer(line) => (Command::Transfer(self.transfer(&line)?), line.nonce),
            Line::Send(line) => (Command::Send(self.send(&line)?), line.nonce),
            Line::Withdraw(line) => (Command::Withdraw(self.withdraw(&line)?), line.nonce),
            Line::OpenSubAccount { nonce } => (Command::OpenSubAccount, nonce),
            Line::ApproveAgent(line) => (
                Command::ApproveAgent(self.approve_agent(&line)?),
                line.nonce,
            ),
            Line::SetTimerAt(line) => {
                let time = self.moment(["at", "after_ms"], line.at, line.after_ms)?;
                let time = time.unwrap_or(LogTime::ZERO);
                (Command::SetTimerAt(time), line.nonce)
            }
            Line::Inbox(line) => (Command::Inbox(self.inbox(&line)?), line.nonce),
            Line::SetProtection(line) => {
                (Command::SetProtection(self.protection(&line)?), line.nonce)
            }
            Line::SetMarketStatus(line) => (
                Command::SetMarketStatus(self.market_status(&line)?),
                line.nonce,
            ),
            Line::SetSessionPolicy(line) => {
                let policy = session_policy(&line)?;
                (Command::SetSessionPolicy(policy), line.nonce)
            }
            Line::SetTimer(line) => {
                let after_ns = nanos("after_ms", line.after_ms)?;
                (Command::SetTimer(after_ns), line.nonce)
            }
            Line::RevokeKey(line) => (Command::RevokeKey(KeyId::new(line.key)), line.nonce),
            Line::QuoteSet(line) => {
                let nonce = line.nonce.map(Nonce::new);
                return Ok(Request::Command(self.quote_set(&line)?, nonce));
            }
            Line::Balances {} => return Ok(Request::Question(Question::Balances)),
            Line::Orders {} => return Ok(Request::Question(Question::OpenOrders)),
            Line::Markets {} => return Ok(Request::Question(Question::Reference)),
            Line::Market { market } => return Ok(Request::Market(self.market(&market)?.0)),
            Line::Query { nonce, market } => {
                let market = market.map(|name| self.market(&name)).transpose()?;
                let market = market.map(|(id, _)| id);
                return Ok(Request::Outcome(Nonce::new(nonce), market));
            }
        };
        let command = OwnedCommand::Other(command);
        Ok(Request::Command(command, nonce.map(Nonce::new)))
    }

    /// A logged time, which is there as it is, or as milliseconds from now, or not at all.
    fn moment(
        &self,
        names: [&str; 2],
        at: Option<u64>,
        after_ms: Option<u64>,
    ) -> Result<Option<LogTime>, Refusal> {
        match (at, after_ms) {
            (None, None) => Ok(None),
            (Some(0), None) => Err(Refusal::malformed(format!(
                "{}: no logged time is 0",
                names[0]
            ))),
            (Some(at), None) => Ok(Some(LogTime::new(at))),
            (None, Some(after_ms)) => {
                let after = after_ms.checked_mul(NANOS_PER_MS);
                let moment = after.and_then(|after| self.now.get().checked_add(after));
                let moment = moment
                    .ok_or_else(|| Refusal::malformed(format!("{}: too far away", names[1])))?;
                Ok(Some(LogTime::new(moment)))
            }
            (Some(_), Some(_)) => Err(Refusal::malformed(format!(
                "give {} or {}, not both",
                names[0], names[1]
            ))),
        }
    }

    fn replace(&self, line: &ReplaceLine) -> Result<Replace, Refusal> {
        let target = self.target(line.order_id, line.market.as_deref(), line.client_order_id)?;
        let market = target.market();
        let spec = self.reference.markets.get(market.index());
        let spec = spec.ok_or_else(|| {
            let detail = format!("order_id: there is no market number {market}");
            Refusal::new(RejectReason::UnknownMarket, detail)
        })?;
        Ok(Replace {
            target,
            price: price("price", spec, &line.price)?,
            quantity: quantity("quantity", spec, &line.quantity)?,
            may_take: line.may_take,
            self_trade: line.stp.into(),
        })
    }

    fn quote_set(&self, line: &QuoteSetLine) -> Result<OwnedCommand, Refusal> {
        let (market, spec) = self.market(&line.market)?;
        Ok(OwnedCommand::QuoteSet {
            market,
            number: line.number,
            bids: levels("bids", spec, &line.bids)?,
            asks: levels("asks", spec, &line.asks)?,
        })
    }

    fn cancel(&self, line: &CancelLine) -> Result<Cancel, Refusal> {
        let target = self.target(line.order_id, line.market.as_deref(), line.client_order_id)?;
        let names = ["remember_until", "remember_for_ms"];
        let remember = self.moment(names, line.remember_until, line.remember_for_ms)?;
        match (target, remember) {
            (OrderTarget::Order(order_id), None) => Ok(Cancel::Order(order_id)),
            (OrderTarget::Order(_), Some(_)) => Err(Refusal::malformed(
                "only a client_order_id can be remembered",
            )),
            (
                OrderTarget::Client {
                    market,
                    client_order_id,
                },
                remember,
            ) => Ok(Cancel::Client {
                market,
                client_order_id,
                remember_until: remember.unwrap_or(LogTime::ZERO),
            }),
        }
    }

    fn cancel_scope(&self, line: &CancelAllLine) -> Result<CancelScope, Refusal> {
        let market = line.market.as_deref();
        let market = market.map(|name| self.market(name)).transpose()?;
        let prices = match (&line.from, &line.to, market) {
            (None, None, _) => None,
            (Some(from), Some(to), Some((_, spec))) => {
                let range = PriceRange::new(price("from", spec, from)?, price("to", spec, to)?);
                let detail = "no order has a price of 0: give from and to above it";
                Some(range.ok_or_else(|| Refusal::malformed(detail))?)
            }
            (Some(_), Some(_), None) => {
                return Err(Refusal::malformed("from and to need their market"));
            }
            (Some(_), None, _) | (None, Some(_), _) => {
                return Err(Refusal::malformed("give both from and to, or neither"));
            }
        };
        Ok(CancelScope {
            market: market.map(|(id, _)| id),
            side: line.side.map(Side::from),
            prices,
        })
    }

    fn target(
        &self,
        order_id: Option<u64>,
        market: Option<&str>,
        client_order_id: Option<u64>,
    ) -> Result<OrderTarget, Refusal> {
        match (order_id, market, client_order_id) {
            (Some(order_id), None, None) => Ok(OrderTarget::Order(OrderId::new(order_id))),
            (None, Some(market), Some(label)) => Ok(OrderTarget::Client {
                market: self.market(market)?.0,
                client_order_id: ClientOrderId::new(label),
            }),
            _ => Err(Refusal::malformed(
                "give order_id, or market and client_order_id",
            )),
        }
    }

    fn market(&self, name: &str) -> Result<(MarketId, &'a MarketSpec), Refusal> {
        let mut markets = self.reference.markets.iter().zip(0..);
        markets
            .find(|(spec, _)| spec.symbol.as_str() == name)
            .map(|(spec, id)| (MarketId::new(id), spec))
            .ok_or_else(|| {
                let detail = format!("there is no market {name}");
                Refusal::new(RejectReason::UnknownMarket, detail)
            })
    }
}

const NANOS_PER_MS: u64 = 1_000_000;

fn price(name: &str, spec: &MarketSpec, text: &str) -> Result<Ticks, Refusal> {
    spec.parse_price(text)
        .map_err(|error| Refusal::decimal(name, error, RejectReason::PriceTooHigh))
}

fn quantity(name: &str, spec: &MarketSpec, text: &str) -> Result<BaseLots, Refusal> {
    spec.parse_quantity(text)
        .map_err(|error| Refusal::decimal(name, error, RejectReason::QuantityTooLarge))
}

fn levels(
    name: &str,
    spec: &MarketSpec,
    texts: &[(String, String)],
) -> Result<Vec<QuoteLevel>, Refusal> {
    if texts.len() > QUOTE_LEVELS_MAX {
        return Err(Refusal::malformed(format!(
            "{name}: more than {QUOTE_LEVELS_MAX} levels"
        )));
    }
    let level = |(at, size): &(String, String)| {
        Ok(QuoteLevel::new(
            price(name, spec, at)?,
            quantity(name, spec, size)?,
        ))
    };
    texts.iter().map(level).collect()
}

impl From<SideText> for Side {
    fn from(text: SideText) -> Self {
        match text {
            SideText::Bid => Self::Bid,
            SideText::Ask => Self::Ask,
        }
    }
}

impl From<SelfTradeText> for SelfTrade {
    fn from(text: SelfTradeText) -> Self {
        match text {
            SelfTradeText::Allow => Self::Allow,
            SelfTradeText::CancelTaker => Self::CancelTaker,
            SelfTradeText::CancelMaker => Self::CancelMaker,
            SelfTradeText::CancelBoth => Self::CancelBoth,
            SelfTradeText::Decrement => Self::Decrement,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use types::genesis::development;

    use super::*;

    pub(super) const NOW: LogTime = LogTime::new(1_000_000_000);
    pub(super) const BTC_USD: MarketId = MarketId::new(0);
    const LABEL: OrderTarget = OrderTarget::Client {
        market: BTC_USD,
        client_order_id: ClientOrderId::new(7),
    };
    /// In BTC-USD too.
    const ORDER_ID: u64 = 52 << 16;

    fn read(line: &str) -> Result<Request, String> {
        let reference = &Reference::of(&development());
        let now = NOW;
        let request = Reader { reference, now }.request(line);
        request.map_err(|refusal| refusal.detail)
    }

    pub(super) fn check(line: &str, expected: Command<'_>) {
        match read(line) {
            Ok(Request::Command(command, None)) => {
                assert_eq!(command.command(), expected, "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    pub(super) fn check_refused(line: &str, expected: &str) {
        let error = read(line).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }

    #[test]
    fn an_order_is_replaced_by_id_or_by_label() {
        let replace = |target| Replace {
            target,
            price: Ticks::new(100),
            quantity: BaseLots::new(2_000_000),
            may_take: true,
            self_trade: SelfTrade::Allow,
        };
        let by_id = replace(OrderTarget::Order(OrderId::new(ORDER_ID)));
        let id_line =
            format!(r#"{{"op":"replace","order_id":{ORDER_ID},"price":"1","quantity":"2"}}"#);
        check(&id_line, Command::Replace(by_id));
        let line = r#"{"op":"replace","market":"BTC-USD","client_order_id":7,"price":"1","quantity":"2","may_take":false,"stp":"cancel_both"}"#;
        let by_label = Replace {
            may_take: false,
            self_trade: SelfTrade::CancelBoth,
            ..replace(LABEL)
        };
        check(line, Command::Replace(by_label));
        let by_nothing = "give order_id, or market and client_order_id";
        for (from, to, expected) in [
            (r#""market":"BTC-USD","#, "", by_nothing),
            (r#""client_order_id":7,"#, "", by_nothing),
            (r#""client_order_id":7"#, r#""order_id":7"#, by_nothing),
            (r#""price":"1","#, "", "missing field `price`"),
            (r#""quantity":"2","#, "", "missing field `quantity`"),
            ("BTC-USD", "BTC-EUR", "there is no market"),
            (r#""price":"1""#, r#""price":"0.001""#, "price: finer"),
            (r#""quantity":"2""#, r#""quantity":"x""#, "quantity: not"),
            ("false", "0", "invalid type"),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
        }
        // The market is in the id.
        let elsewhere =
            id_line.replacen(&ORDER_ID.to_string(), &(ORDER_ID + 64 * 2).to_string(), 1);
        check_refused(&elsewhere, "no market number 2");
    }

    #[test]
    fn quotes_are_pairs_of_price_and_quantity() {
        let level = |ticks, lots| QuoteLevel::new(Ticks::new(ticks), BaseLots::new(lots));
        let line = r#"{"op":"quote_set","market":"BTC-USD","number":9,"bids":[["2","1"],["1.5","0.5"]],"asks":[]}"#;
        check(
            line,
            Command::QuoteSet(QuoteSet {
                market: BTC_USD,
                number: 9,
                bids: &[level(200, 1_000_000), level(150, 500_000)],
                asks: &[],
            }),
        );
        let levels = |count| format!(r#""asks":[{}]"#, vec![r#"["3","1"]"#; count].join(","));
        let full = line.replacen(r#""asks":[]"#, &levels(32), 1);
        assert!(read(&full).is_ok());
        for (from, to, expected) in [
            (r#","asks":[]"#, "", "missing field `asks`"),
            (r#""asks":[]"#, &levels(33), "asks: more than 32"),
            (r#""number":9,"#, "", "missing field `number`"),
            (r#"["2","1"]"#, r#"["2"]"#, "invalid length"),
            (r#"["2","1"]"#, r#"["2","1","0"]"#, "invalid length"),
            (r#"["2","1"]"#, r#"["2.001","1"]"#, "bids: finer"),
            (r#"["2","1"]"#, r#"[2,"1"]"#, "invalid type"),
            ("BTC-USD", "USD-BTC", "there is no market"),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
        }
    }

    #[test]
    fn a_label_can_be_cancelled_ahead_of_its_order() {
        let line = format!(r#"{{"op":"cancel","order_id":{ORDER_ID}}}"#);
        let by_id = Cancel::Order(OrderId::new(ORDER_ID));
        check(&line, Command::Cancel(by_id));
        let remembered = line.replacen('}', r#","remember_for_ms":1}"#, 1);
        check_refused(&remembered, "only a client_order_id");
        let by_label = |fields: &str| {
            format!(r#"{{"op":"cancel","market":"BTC-USD","client_order_id":7{fields}}}"#)
        };
        for (fields, remember_until) in [
            ("", 0),
            (r#","remember_until":5"#, 5),
            (r#","remember_for_ms":1"#, 1_001_000_000),
        ] {
            let expected = Cancel::Client {
                market: BTC_USD,
                client_order_id: ClientOrderId::new(7),
                remember_until: LogTime::new(remember_until),
            };
            check(&by_label(fields), Command::Cancel(expected));
        }
        for (fields, expected) in [
            (r#","remember_until":0"#, "remember_until: no logged time"),
            (r#","remember_until":5,"remember_for_ms":1"#, "not both"),
            (r#","order_id":7"#, "give order_id, or"),
        ] {
            check_refused(&by_label(fields), expected);
        }
    }

    #[test]
    fn a_scope_may_name_market_side_and_prices() {
        let everything = CancelScope::EVERYTHING;
        let line = |fields: &str| format!(r#"{{"op":"cancel_all"{fields}}}"#);
        check(&line(""), Command::CancelAll(everything));
        let asks = CancelScope {
            side: Some(Side::Ask),
            ..everything
        };
        check(&line(r#","side":"ask""#), Command::CancelAll(asks));
        let range = CancelScope {
            market: Some(BTC_USD),
            prices: PriceRange::new(Ticks::new(100), Ticks::new(250)),
            ..everything
        };
        check(
            &line(r#","market":"BTC-USD","from":"1","to":"2.5""#),
            Command::CancelAll(range),
        );
        for (fields, expected) in [
            (r#","market":"BTC-USD","from":"1""#, "give both"),
            (r#","market":"BTC-USD","to":"1""#, "give both"),
            (r#","from":"1","to":"2""#, "need their market"),
            (r#","market":"BTC-USD","from":"0","to":"0""#, "no order has"),
            (r#","market":"BTC-USD","from":"x","to":"2""#, "from: not"),
            (
                r#","market":"BTC-USD","from":"1","to":"0.001""#,
                "to: finer",
            ),
            (r#","market":"BTC""#, "there is no market BTC"),
        ] {
            check_refused(&line(fields), expected);
        }
    }

    #[test]
    fn questions_change_nothing() {
        let nonce = Nonce::new(3);
        for (line, expected) in [
            (
                r#"{"op":"balances"}"#,
                Request::Question(Question::Balances),
            ),
            (
                r#"{"op":"orders"}"#,
                Request::Question(Question::OpenOrders),
            ),
            (
                r#"{"op":"markets"}"#,
                Request::Question(Question::Reference),
            ),
            (
                r#"{"op":"market","market":"ETH-USD"}"#,
                Request::Market(MarketId::new(1)),
            ),
            (r#"{"op":"query","nonce":3}"#, Request::Outcome(nonce, None)),
            (
                r#"{"op":"query","nonce":3,"market":"ETH-USD"}"#,
                Request::Outcome(nonce, Some(MarketId::new(1))),
            ),
        ] {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
        check_refused(r#"{"op":"query"}"#, "missing field `nonce`");
        check_refused(r#"{"op":"market"}"#, "missing field `market`");
        check_refused(r#"{"op":"market","market":"X"}"#, "no market X");
        check_refused(r#"{"op":"query","nonce":3,"market":"X"}"#, "no market X");
    }

    /// The lines of the command's documentation that ask something.
    fn examples() -> Vec<&'static str> {
        let lines = include_str!("../../../../docs/CLIENT.md").lines();
        lines.filter(|line| line.starts_with(r#"{"op":"#)).collect()
    }

    #[test]
    fn every_documented_example_is_a_request() {
        let mut operations = BTreeSet::new();
        for example in examples() {
            assert!(read(example).is_ok(), "{example}: {:?}", read(example));
            operations.extend(example.split('"').nth(3));
        }
        let error = read(r#"{"op":"no_such_operation"}"#).unwrap_err();
        let known: BTreeSet<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(known.contains("place"), "{error}");
        assert_eq!(operations, known, "every operation has an example");
    }

    #[test]
    fn commands_have_nonces_and_questions_have_none() {
        for example in examples() {
            if example.contains("nonce") {
                continue;
            }
            let with_nonce = example.replacen('{', r#"{"nonce":12,"#, 1);
            match read(&with_nonce) {
                Ok(Request::Command(_, nonce)) => assert_eq!(nonce, Some(Nonce::new(12))),
                Ok(other) => panic!("{with_nonce}: {other:?}"),
                Err(error) => assert!(error.contains("unknown field `nonce`"), "{with_nonce}"),
            }
        }
    }

    #[test]
    fn unknown_fields_are_refused_everywhere() {
        for example in examples() {
            let misspelled = example.replacen('{', r#"{"no_such_field":1,"#, 1);
            check_refused(&misspelled, "unknown field `no_such_field`");
        }
    }
}

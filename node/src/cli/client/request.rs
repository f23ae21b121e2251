//! Lines to requests: names to ids, decimal texts to ticks and lots, moments to logged time.
//!
//! Only what cannot be said to a node is refused here, with a text that says what to write instead.
//! Everything that can be said is the node's to reject.

use types::command::{
    Cancel, CancelScope, Crossing, Immediate, OrderKind, OrderTarget, Place, PriceRange,
    QuoteLevel, QuoteSet, Replace, Resting, SelfTrade, TimeInForce, Transfer, Trigger,
    TriggerCondition,
};
use types::decimal::DecimalError;
use types::genesis::MarketSpec;
use types::limits::QUOTE_LEVELS_MAX;
use types::wire::query::{Question, Reference};
use types::{
    AccountId, AssetId, BaseLots, ClientOrderId, Command, LogTime, MarketId, Nonce, OrderId,
    RejectReason, Side, Ticks,
};

use super::line::{
    AccountText, CancelAllLine, CancelLine, ConditionText, KindText, Line, PlaceLine, QuoteSetLine,
    ReplaceLine, SelfTradeText, SideText, TimeInForceText, TransferLine, TriggerText,
};

/// What one line asks of the node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// To do something, under this nonce or under the next.
    Command(OwnedCommand, Option<Nonce>),
    /// To tell something.
    Question(Question),
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
            Line::QuoteSet(line) => {
                let nonce = line.nonce.map(Nonce::new);
                return Ok(Request::Command(self.quote_set(&line)?, nonce));
            }
            Line::Balances {} => return Ok(Request::Question(Question::Balances)),
            Line::Orders {} => return Ok(Request::Question(Question::OpenOrders)),
            Line::Markets {} => return Ok(Request::Question(Question::Reference)),
            Line::Query { nonce, market } => {
                let market = market.map(|name| self.market(&name)).transpose()?;
                let market = market.map(|(id, _)| id);
                return Ok(Request::Outcome(Nonce::new(nonce), market));
            }
        };
        let command = OwnedCommand::Other(command);
        Ok(Request::Command(command, nonce.map(Nonce::new)))
    }

    fn place(&self, line: &PlaceLine) -> Result<Place, Refusal> {
        let (market, spec) = self.market(&line.market)?;
        let trigger = line.trigger.as_ref();
        Ok(Place {
            market,
            side: line.side.into(),
            kind: self.order_kind(spec, line)?,
            price: price("price", spec, &line.price)?,
            quantity: quantity("quantity", spec, &line.quantity)?,
            client_order_id: ClientOrderId::new(line.client_order_id),
            self_trade: line.stp.into(),
            trigger: trigger.map(|text| self::trigger(spec, text)).transpose()?,
        })
    }

    fn order_kind(&self, spec: &MarketSpec, line: &PlaceLine) -> Result<OrderKind, Refusal> {
        use TimeInForceText as Tif;
        let resting = Resting {
            expires_at: self.expiry(line)?,
            display: display(spec, line)?,
        };
        let immediate = match line.tif {
            Some(Tif::Ioc) => Some(Immediate::OrCancel),
            Some(Tif::Fok) => Some(Immediate::OrKill),
            None | Some(Tif::Gtc | Tif::Gtt) => None,
        };
        let kind = match (line.kind, line.tif, immediate) {
            (KindText::Limit, _, None) => OrderKind::Limit(TimeInForce::Rest(resting)),
            (KindText::Limit, _, Some(how)) => OrderKind::Limit(TimeInForce::Immediate(how)),
            (KindText::Market, None, _) => OrderKind::Market(Immediate::OrCancel),
            (KindText::Market, _, Some(how)) => OrderKind::Market(how),
            (KindText::Market, Some(_), None) => {
                return Err(Refusal::malformed(
                    "a market order never rests: its tif is ioc or fok",
                ));
            }
            (KindText::PostOnly, _, None) => OrderKind::PostOnly(Crossing::Reject, resting),
            (KindText::PostOnlySlide, _, None) => OrderKind::PostOnly(Crossing::Slide, resting),
            (KindText::PostOnly | KindText::PostOnlySlide, _, Some(_)) => {
                return Err(Refusal::malformed(
                    "a post-only order rests: its tif is gtc or gtt",
                ));
            }
        };
        if kind.resting().is_none() && line.display.is_some() {
            return Err(Refusal::malformed(
                "display: only an order that rests shows a part of itself",
            ));
        }
        Ok(kind)
    }

    fn expiry(&self, line: &PlaceLine) -> Result<LogTime, Refusal> {
        let names = ["expires_at", "expires_in_ms"];
        let moment = self.moment(names, line.expires_at, line.expires_in_ms)?;
        match (line.tif, moment) {
            (Some(TimeInForceText::Gtt), Some(moment)) => Ok(moment),
            (Some(TimeInForceText::Gtt), None) => Err(Refusal::malformed(
                "tif gtt needs expires_at or expires_in_ms",
            )),
            (_, Some(_)) => Err(Refusal::malformed("only an order of tif gtt expires")),
            (_, None) => Ok(LogTime::ZERO),
        }
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

    fn transfer(&self, line: &TransferLine) -> Result<Transfer, Refusal> {
        let to = match &line.to {
            AccountText::Number(number) => *number,
            AccountText::Name(name) => name
                .strip_prefix("dev-")
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| {
                    let detail = format!("there is no account {name}");
                    Refusal::new(RejectReason::UnknownAccount, detail)
                })?,
        };
        let mut assets = self.reference.assets.iter().zip(0..);
        let (spec, id) = assets
            .find(|(spec, _)| spec.symbol.as_str() == line.asset)
            .ok_or_else(|| {
                let detail = format!("there is no asset {}", line.asset);
                Refusal::new(RejectReason::UnknownAsset, detail)
            })?;
        let amount = spec.parse(&line.amount);
        Ok(Transfer {
            to: AccountId::new(to),
            asset: AssetId::new(id),
            amount: amount.map_err(|error| {
                Refusal::decimal("amount", error, RejectReason::QuantityTooLarge)
            })?,
        })
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

/// Zero: all of it is shown. So zero itself cannot be asked for.
fn display(spec: &MarketSpec, line: &PlaceLine) -> Result<BaseLots, Refusal> {
    let Some(text) = &line.display else {
        return Ok(BaseLots::ZERO);
    };
    match quantity("display", spec, text)? {
        BaseLots::ZERO => Err(Refusal::malformed("display: something must be shown")),
        display => Ok(display),
    }
}

fn trigger(spec: &MarketSpec, text: &TriggerText) -> Result<Trigger, Refusal> {
    Ok(Trigger {
        condition: match text.condition {
            ConditionText::Stop => TriggerCondition::Stop,
            ConditionText::TakeProfit => TriggerCondition::TakeProfit,
        },
        price: price("trigger price", spec, &text.price)?,
    })
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
    use types::genesis::development;

    use super::*;

    const NOW: LogTime = LogTime::new(1_000_000_000);
    const BTC_USD: MarketId = MarketId::new(0);
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

    fn check(line: &str, expected: Command<'_>) {
        match read(line) {
            Ok(Request::Command(command, None)) => {
                assert_eq!(command.command(), expected, "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    fn check_refused(line: &str, expected: &str) {
        let error = read(line).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }

    /// A bid at 100.5 for 0.25 BTC.
    fn place(kind: OrderKind) -> Place {
        Place {
            market: BTC_USD,
            side: Side::Bid,
            kind,
            price: Ticks::new(10_050),
            quantity: BaseLots::new(250_000),
            client_order_id: ClientOrderId::NONE,
            self_trade: SelfTrade::Allow,
            trigger: None,
        }
    }

    /// The line of [`place`] with these fields more.
    fn place_line(fields: &str) -> String {
        format!(
            r#"{{"op":"place","market":"BTC-USD","side":"bid","price":"100.5","quantity":"0.25"{fields}}}"#
        )
    }

    fn check_place(fields: &str, expected: Place) {
        check(&place_line(fields), Command::Place(expected));
    }

    fn check_kind(fields: &str, expected: OrderKind) {
        check_place(fields, place(expected));
    }

    /// Good till then, and shown in full.
    const fn until(expires_at: u64) -> Resting {
        Resting {
            expires_at: LogTime::new(expires_at),
            ..Resting::PLAIN
        }
    }

    #[test]
    fn an_order_has_a_kind_and_a_time_in_force() {
        let limit = |resting| OrderKind::Limit(TimeInForce::Rest(resting));
        let market = OrderKind::Market;
        let (reject, slide) = (Crossing::Reject, Crossing::Slide);
        let plain = Resting::PLAIN;
        check_kind("", OrderKind::GTC);
        check_kind(r#","kind":"limit""#, OrderKind::GTC);
        check_kind(r#","tif":"gtc""#, OrderKind::GTC);
        check_kind(r#","tif":"gtt","expires_at":5"#, limit(until(5)));
        let half_a_second = until(1_500_000_000);
        check_kind(r#","tif":"gtt","expires_in_ms":500"#, limit(half_a_second));
        check_kind(r#","tif":"ioc""#, OrderKind::IOC);
        check_kind(r#","tif":"fok""#, OrderKind::FOK);
        let or_cancel = market(Immediate::OrCancel);
        check_kind(r#","kind":"market""#, or_cancel);
        check_kind(r#","kind":"market","tif":"ioc""#, or_cancel);
        let or_kill = market(Immediate::OrKill);
        check_kind(r#","kind":"market","tif":"fok""#, or_kill);
        check_kind(r#","kind":"post_only""#, OrderKind::POST_ONLY);
        let sliding = OrderKind::PostOnly(slide, plain);
        check_kind(r#","kind":"post_only_slide","tif":"gtc""#, sliding);
        check_kind(
            r#","kind":"post_only","tif":"gtt","expires_at":5"#,
            OrderKind::PostOnly(reject, until(5)),
        );
        let iceberg = Resting {
            display: BaseLots::new(100_000),
            ..until(5)
        };
        check_kind(
            r#","tif":"gtt","expires_at":5,"display":"0.1""#,
            limit(iceberg),
        );
    }

    #[test]
    fn an_order_that_cannot_be_said_is_refused() {
        for (fields, expected) in [
            (r#","kind":"market","tif":"gtc""#, "ioc or fok"),
            (
                r#","kind":"market","tif":"gtt","expires_at":5"#,
                "ioc or fok",
            ),
            (r#","kind":"post_only","tif":"ioc""#, "gtc or gtt"),
            (r#","kind":"post_only_slide","tif":"fok""#, "gtc or gtt"),
            (r#","tif":"gtt""#, "needs expires_at or expires_in_ms"),
            (r#","expires_at":5"#, "only an order of tif gtt"),
            (
                r#","tif":"gtc","expires_in_ms":5"#,
                "only an order of tif gtt",
            ),
            (r#","tif":"ioc","expires_at":5"#, "only an order of tif gtt"),
            (
                r#","tif":"gtt","expires_at":5,"expires_in_ms":5"#,
                "not both",
            ),
            (
                r#","tif":"gtt","expires_at":0"#,
                "expires_at: no logged time",
            ),
            (
                r#","tif":"gtt","expires_in_ms":18446744073709551615"#,
                "expires_in_ms: too far",
            ),
            (
                r#","tif":"gtt","expires_in_ms":18446744073709"#,
                "expires_in_ms: too far",
            ),
            (r#","tif":"gtt","expires_at":-1"#, "invalid value"),
            (r#","tif":"ioc","display":"0.1""#, "display: only"),
            (r#","kind":"market","display":"0.1""#, "display: only"),
            (r#","display":"0""#, "display: something"),
            (r#","display":"0.0000001""#, "display: finer"),
            (r#","kind":"iceberg""#, "unknown variant"),
            (r#","tif":"day""#, "unknown variant"),
            (r#","stp":"yes""#, "unknown variant"),
            (
                r#","trigger":{"condition":"stop"}"#,
                "missing field `price`",
            ),
            (r#","trigger":{"price":"1"}"#, "missing field `condition`"),
            (
                r#","trigger":{"condition":"limit","price":"1"}"#,
                "unknown variant",
            ),
            (
                r#","trigger":{"condition":"stop","price":"0.001"}"#,
                "trigger price: finer",
            ),
            (
                r#","trigger":{"condition":"stop","price":"1","at":1}"#,
                "unknown field `at`",
            ),
            (r#","price":"1""#, "duplicate field"),
        ] {
            check_refused(&place_line(fields), expected);
        }
    }

    #[test]
    fn a_field_that_cannot_be_read_is_refused() {
        let line = place_line("");
        for (from, to, expected) in [
            ("BTC-USD", "BTC-EUR", "there is no market BTC-EUR"),
            ("bid", "left", "unknown variant"),
            ("100.5", "100.505", "price: finer"),
            ("100.5", "42949672.95", "price: too large"),
            ("100.5", "-1", "price: not a decimal"),
            ("0.25", "0.0000001", "quantity: finer"),
            ("0.25", "281474976.710656", "quantity: too large"),
            (r#""100.5""#, "100.5", "invalid type"),
            (r#","quantity":"0.25""#, "", "missing field `quantity`"),
            ("place", "put", "unknown variant"),
            (r#""op":"place","#, "", "missing field `op`"),
            ("{", "", ""),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
        }
    }

    #[test]
    fn an_order_has_a_label_a_setting_and_a_trigger() {
        let plain = place(OrderKind::GTC);
        for (text, side) in [
            ("bid", Side::Bid),
            ("buy", Side::Bid),
            ("ask", Side::Ask),
            ("sell", Side::Ask),
        ] {
            let line = place_line("").replacen("bid", text, 1);
            check(&line, Command::Place(Place { side, ..plain }));
        }
        let client_order_id = ClientOrderId::new(u64::MAX);
        let labelled = Place {
            client_order_id,
            ..plain
        };
        check_place(r#","client_order_id":18446744073709551615"#, labelled);
        for (text, self_trade) in [
            ("allow", SelfTrade::Allow),
            ("cancel_taker", SelfTrade::CancelTaker),
            ("cancel_maker", SelfTrade::CancelMaker),
            ("cancel_both", SelfTrade::CancelBoth),
            ("decrement", SelfTrade::Decrement),
        ] {
            let expected = Place {
                self_trade,
                ..plain
            };
            check_place(&format!(r#","stp":"{text}""#), expected);
        }
        for (text, condition) in [
            ("stop", TriggerCondition::Stop),
            ("take_profit", TriggerCondition::TakeProfit),
        ] {
            let price = Ticks::new(9_900);
            let expected = Place {
                trigger: Some(Trigger { condition, price }),
                ..plain
            };
            let fields = format!(r#","trigger":{{"condition":"{text}","price":"99"}}"#);
            check_place(&fields, expected);
        }
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
    fn a_transfer_names_an_account_by_number_or_name() {
        let line = r#"{"op":"transfer","to":"dev-5","asset":"USD","amount":"0.5"}"#;
        let transfer = Command::Transfer(Transfer {
            to: AccountId::new(5),
            asset: AssetId::new(2),
            amount: types::Atoms::new(50_000_000),
        });
        check(line, transfer);
        check(&line.replacen(r#""dev-5""#, "5", 1), transfer);
        for (from, to, expected) in [
            ("dev-5", "fees", "there is no account fees"),
            ("USD", "EUR", "there is no asset EUR"),
            ("0.5", "0.000000001", "amount: finer"),
        ] {
            check_refused(&line.replacen(from, to, 1), expected);
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
            (r#"{"op":"query","nonce":3}"#, Request::Outcome(nonce, None)),
            (
                r#"{"op":"query","nonce":3,"market":"ETH-USD"}"#,
                Request::Outcome(nonce, Some(MarketId::new(1))),
            ),
        ] {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
        check_refused(r#"{"op":"query"}"#, "missing field `nonce`");
        check_refused(r#"{"op":"query","nonce":3,"market":"X"}"#, "no market X");
    }

    /// The examples of the command's documentation.
    fn examples() -> Vec<&'static str> {
        let lines = include_str!("mod.rs").lines();
        let documented = lines.filter_map(|line| line.strip_prefix("//! "));
        documented
            .filter(|line| line.starts_with(r#"{"op":"#))
            .collect()
    }

    #[test]
    fn every_documented_example_is_a_request() {
        assert!(examples().len() > 20);
        for example in examples() {
            assert!(read(example).is_ok(), "{example}: {:?}", read(example));
        }
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

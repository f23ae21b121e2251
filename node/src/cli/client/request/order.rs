//! Orders: what a `place` line says, and what no order can be.

use types::command::{
    Crossing, Immediate, OrderKind, Place, Resting, StopLeg, TimeInForce, Trigger, TriggerCondition,
};
use types::genesis::MarketSpec;
use types::{BaseLots, ClientOrderId, LogTime};

use super::super::line::{
    ConditionText, KindText, PlaceLine, StopText, TimeInForceText, TriggerText,
};
use super::{Reader, Refusal, price, quantity};

impl Reader<'_> {
    pub(super) fn place(&self, line: &PlaceLine) -> Result<Place, Refusal> {
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
            stop: line
                .stop
                .as_ref()
                .map(|text| stop(spec, text))
                .transpose()?,
            protected: line.protected,
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
        match only_resting(line) {
            Some(detail) if kind.resting().is_none() => Err(Refusal::malformed(detail)),
            _ => Ok(kind),
        }
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
}

/// What this line says that only an order that rests can have.
const fn only_resting(line: &PlaceLine) -> Option<&'static str> {
    if line.display.is_some() {
        Some("display: only an order that rests shows a part of itself")
    } else if line.stop.is_some() {
        Some("stop: only an order that rests has a stop beside it")
    } else if line.protected {
        Some("protected: only an order that rests is")
    } else {
        None
    }
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

fn stop(spec: &MarketSpec, text: &StopText) -> Result<StopLeg, Refusal> {
    Ok(StopLeg {
        trigger: price("stop trigger", spec, &text.trigger)?,
        limit: price("stop limit", spec, &text.limit)?,
        self_trade: text.stp.into(),
    })
}

#[cfg(test)]
mod tests {
    use types::command::SelfTrade;
    use types::{Command, Side, Ticks};

    use super::super::tests::{BTC_USD, check, check_refused};
    use super::*;

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
    fn a_stop_that_cannot_be_said_is_refused() {
        for (fields, expected) in [
            (
                r#","tif":"ioc","stop":{"trigger":"101","limit":"102"}"#,
                "stop: only",
            ),
            (r#","kind":"market","protected":true"#, "protected: only"),
            (r#","protected":1"#, "invalid type"),
            (r#","stop":{"trigger":"101"}"#, "missing field `limit`"),
            (r#","stop":{"limit":"102"}"#, "missing field `trigger`"),
            (
                r#","stop":{"trigger":"0.001","limit":"102"}"#,
                "stop trigger: finer",
            ),
            (
                r#","stop":{"trigger":"101","limit":"x"}"#,
                "stop limit: not",
            ),
            (
                r#","stop":{"trigger":"101","limit":"102","price":"1"}"#,
                "unknown field `price`",
            ),
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
    fn an_order_that_rests_may_be_protected_and_have_a_stop_beside_it() {
        let stop = StopLeg {
            trigger: Ticks::new(10_100),
            limit: Ticks::new(10_200),
            self_trade: SelfTrade::Allow,
        };
        let beside = |stop| Resting {
            stop: Some(stop),
            ..Resting::PLAIN
        };
        let limit = |resting| OrderKind::Limit(TimeInForce::Rest(resting));
        let fields = r#","stop":{"trigger":"101","limit":"102"}"#;
        check_kind(fields, limit(beside(stop)));
        let careful = StopLeg {
            self_trade: SelfTrade::CancelMaker,
            ..stop
        };
        check_kind(
            r#","kind":"post_only","stop":{"trigger":"101","limit":"102","stp":"cancel_maker"}"#,
            OrderKind::PostOnly(Crossing::Reject, beside(careful)),
        );
        let protected = Resting {
            protected: true,
            ..Resting::PLAIN
        };
        check_kind(r#","protected":true"#, limit(protected));
        check_kind(r#","tif":"ioc","protected":false"#, OrderKind::IOC);
    }
}

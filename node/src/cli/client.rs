//! `keel client`: one JSON command a line on stdin, one JSON reply a line on stdout.
//!
//! Fills of resting orders appear between replies as `{"event":"fill",...}` lines. Prices, sizes
//! and amounts are decimal strings. A command is sent when the one before it is answered. A line
//! that cannot be put into a command (no JSON, a market that is not listed, a price off the grid or
//! beyond the limit) is rejected here, with the reason that the node would give, and not sent.

use std::collections::VecDeque;
use std::io::BufRead as _;
use std::net::SocketAddr;

use client::{ConnectOptions, Message, Receiver, Sender, ServerPin};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use types::auth::PublicKey;
use types::command::{CancelScope, CancelTarget, OrderKind, Place, TimeInForce, Transfer};
use types::decimal::DecimalError;
use types::genesis::MarketSpec;
use types::wire::ack::{Ack, FillReport, Role};
use types::wire::query::{Question, Reference};
use types::{
    AccountId, AssetId, ClientOrderId, Command, LogTime, MarketId, Nonce, OrderId, RejectReason,
    Side,
};

use super::{Failure, keygen, print_line};

/// Options of `keel client`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The node.
    #[arg(long, value_name = "A", default_value = "127.0.0.1:7001")]
    connect: SocketAddr,
    /// dev-0 .. dev-63, or a file made by `keel keygen`.
    #[arg(long, value_name = "K")]
    key: String,
    /// The node's public key as its `ready` line prints it; without it, the development key.
    #[arg(long, value_name = "HEX")]
    pin: Option<String>,
}

/// One line of input.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Place {
        market: String,
        side: SideText,
        price: String,
        quantity: String,
        #[serde(default)]
        kind: KindText,
        tif: Option<TimeInForceText>,
        #[serde(default)]
        client_order_id: u64,
        nonce: Option<u64>,
    },
    Cancel {
        order_id: Option<u64>,
        market: Option<String>,
        client_order_id: Option<u64>,
        nonce: Option<u64>,
    },
    CancelAll {
        market: Option<String>,
        side: Option<SideText>,
        nonce: Option<u64>,
    },
    Transfer {
        to: AccountText,
        asset: String,
        amount: String,
        nonce: Option<u64>,
    },
    Balances {},
    Orders {},
    Markets {},
    Query {
        nonce: u64,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideText {
    #[serde(alias = "buy")]
    Bid,
    #[serde(alias = "sell")]
    Ask,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindText {
    #[default]
    Limit,
    PostOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TimeInForceText {
    Gtc,
    Ioc,
    Fok,
}

/// An account by number, or by its development name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AccountText {
    Number(u32),
    Name(String),
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let pin = match &options.pin {
        None => ServerPin::Development,
        Some(text) => ServerPin::PublicKey(
            PublicKey::from_hex(text)
                .ok_or_else(|| Failure::Usage("--pin: not 64 hexadecimal digits".to_owned()))?,
        ),
    };
    let connect = ConnectOptions {
        server: options.connect,
        pin,
        network: None,
        key: keygen::load(&options.key)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start", error))?;
    let result = runtime.block_on(converse(&connect));
    // The thread that reads stdin may still wait for a line: nobody waits for it.
    runtime.shutdown_background();
    result
}

async fn converse(options: &ConnectOptions) -> Result<(), Failure> {
    let (sender, receiver) = client::connect(options)
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let mut conversation = Conversation {
        sender,
        receiver,
        reference: Reference::default(),
        fills: VecDeque::new(),
    };
    conversation.learn_markets().await?;
    let mut lines = read_lines();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                None => break,
                Some(line) if line.trim().is_empty() => {}
                Some(line) => {
                    let reply = conversation.answer(&line).await?;
                    conversation.print_later_fills();
                    print_line(&reply.to_string());
                }
            },
            message = conversation.receiver.next() => {
                let message = message.map_err(|error| Failure::Failed(error.to_string()))?;
                conversation.note(&message);
                conversation.print_later_fills();
            }
        }
    }
    conversation.sender.close().await;
    Ok(())
}

/// Lines of stdin, read on a thread of their own because stdin cannot be polled.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Conversation {
    sender: Sender,
    receiver: Receiver,
    reference: Reference,
    /// Fills that no reply has told yet, oldest first.
    fills: VecDeque<FillReport>,
}

/// What one line asks of the node.
enum Request {
    Command(Command, Option<u64>),
    Question(Question),
}

/// Why a line is not sent.
struct Refusal {
    reason: RejectReason,
    detail: String,
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

    fn reply(&self) -> Value {
        json!({"status": "rejected", "reason": self.reason.name(), "detail": self.detail})
    }
}

impl Conversation {
    async fn learn_markets(&mut self) -> Result<(), Failure> {
        self.sender.queue_query(Question::Reference);
        let lost = |error: client::SessionError| Failure::Failed(error.to_string());
        self.sender.flush().await.map_err(lost)?;
        loop {
            if let Message::Reference { reference, .. } =
                self.receiver.next().await.map_err(lost)?
            {
                self.reference = reference;
                return Ok(());
            }
        }
    }

    /// Sends one line's request and waits for its answer.
    async fn answer(&mut self, line: &str) -> Result<Value, Failure> {
        let request = match self.parse(line) {
            Ok(request) => request,
            Err(refusal) => return Ok(refusal.reply()),
        };
        let (nonce, command, query) = match request {
            Request::Command(command, nonce) => {
                let nonce = nonce.map_or_else(|| self.sender.next_nonce(), Nonce::new);
                self.sender
                    .queue_frame_with(nonce, LogTime::ZERO, &[command]);
                (Some(nonce), Some(command), None)
            }
            Request::Question(question) => {
                let query = self.sender.queue_query(question);
                let nonce = match question {
                    Question::Nonce(nonce) => Some(nonce),
                    _ => None,
                };
                (nonce, None, Some(query))
            }
        };
        let unknown = |error: client::SessionError| {
            json!({
                "status": "unknown",
                "reason": error.to_string(),
                "nonce": nonce.map(Nonce::get),
            })
        };
        if let Err(error) = self.sender.flush().await {
            return Ok(unknown(error));
        }
        loop {
            let message = match self.receiver.next().await {
                Ok(message) => message,
                Err(error) => return Ok(unknown(error)),
            };
            self.note(&message);
            if let Some(reply) = self.reply(&message, nonce, command.as_ref(), query) {
                return Ok(reply);
            }
        }
    }

    /// The reply that this message is to the outstanding request, if it is one.
    fn reply(
        &mut self,
        message: &Message,
        nonce: Option<Nonce>,
        command: Option<&Command>,
        query: Option<u64>,
    ) -> Option<Value> {
        match message {
            Message::Ack(ack) if Some(ack.view().nonce) == nonce => {
                Some(self.ack_reply(&ack.view(), command))
            }
            Message::Refused {
                nonce: refused,
                reason,
            } if Some(*refused) == nonce || nonce.is_none() => Some(json!({
                "status": "rejected",
                "reason": reason.name(),
                "transient": reason.is_transient(),
                "nonce": nonce.map(Nonce::get),
            })),
            Message::Balances {
                request,
                sequence,
                balances,
            } if Some(*request) == query => {
                let balance = |record: &types::wire::query::BalanceRecord| {
                    let spec = self.reference.assets.get(record.asset().index())?;
                    Some(json!({
                        "asset": spec.symbol.as_str(),
                        "free": spec.format(record.free()),
                        "held": spec.format(record.held()),
                    }))
                };
                let balances: Vec<Value> = balances.iter().filter_map(balance).collect();
                Some(json!({
                    "status": "accepted",
                    "account": self.sender.terms().account.get(),
                    "sequence": sequence.get(),
                    "balances": balances,
                }))
            }
            Message::OpenOrders {
                request,
                sequence,
                orders,
            } if Some(*request) == query => {
                let orders: Vec<Value> = orders.iter().filter_map(|o| self.order(o)).collect();
                Some(json!({
                    "status": "accepted",
                    "account": self.sender.terms().account.get(),
                    "sequence": sequence.get(),
                    "orders": orders,
                }))
            }
            Message::Reference {
                request, reference, ..
            } if Some(*request) == query => {
                let markets: Vec<Value> = reference.markets.iter().map(market_json).collect();
                Some(json!({"status": "accepted", "markets": markets}))
            }
            Message::UnknownNonce { request, .. } if Some(*request) == query => {
                Some(json!({"status": "unknown", "nonce": nonce.map(Nonce::get)}))
            }
            _ => None,
        }
    }

    /// A frame of one command has one outcome, or was refused as a whole.
    fn ack_reply(&mut self, ack: &Ack<'_>, command: Option<&Command>) -> Value {
        let sequence = ack.first_sequence;
        let mut reply = json!({"sequence": sequence.get(), "nonce": ack.nonce.get()});
        if ack.repeated {
            reply["repeated"] = json!(true);
        }
        let outcome = ack.outcomes.first();
        let rejected = ack
            .refused
            .or_else(|| outcome.and_then(types::wire::ack::CommandOutcome::reject_reason));
        if let Some(reason) = rejected {
            reply["status"] = json!("rejected");
            reply["reason"] = json!(reason.name());
            return reply;
        }
        reply["status"] = json!("accepted");
        match (command, outcome) {
            (Some(Command::Place(place)), Some(outcome)) => {
                let order_id = OrderId::new_at(sequence, place.market, 0);
                reply["order_id"] = json!(order_id.get());
                if let Some(spec) = self.reference.markets.get(place.market.index()) {
                    reply["filled"] = json!(spec.format_quantity(outcome.lots()));
                }
                let fills = self.take_fills(order_id);
                reply["fills"] = json!(fills);
            }
            (Some(Command::Cancel(_) | Command::CancelAll(_)), Some(outcome)) => {
                reply["cancelled"] = json!(outcome.affected());
            }
            _ => {}
        }
        let times = &ack.times;
        reply["stage_ns"] = json!({
            "received_at": times.received_at,
            "sequenced": times.sequenced,
            "executed": times.executed,
            "durable": times.durable,
            "sent": times.sent,
        });
        reply
    }

    /// The fills of an order as taker, which its reply tells.
    fn take_fills(&mut self, order_id: OrderId) -> Vec<Value> {
        let own = |fill: &FillReport| fill.role() == Role::Taker && fill.order_id() == order_id;
        let taken: Vec<Value> = self
            .fills
            .iter()
            .filter(|fill| own(fill))
            .filter_map(|fill| self.fill(fill))
            .collect();
        self.fills.retain(|fill| !own(fill));
        taken
    }

    fn note(&mut self, message: &Message) {
        if let Message::Fills(fills) = message {
            self.fills.extend(fills.reports());
        }
    }

    /// Fills that no reply tells: of resting orders, or of another session of this account.
    fn print_later_fills(&mut self) {
        for fill in std::mem::take(&mut self.fills) {
            if let Some(Value::Object(mut fields)) = self.fill(&fill) {
                fields.insert("event".to_owned(), json!("fill"));
                print_line(&Value::Object(fields).to_string());
            }
        }
    }

    fn fill(&self, fill: &FillReport) -> Option<Value> {
        let spec = self.reference.markets.get(fill.market().index())?;
        let received = match (fill.side(), fill.fee() < 0) {
            (Side::Bid, false) | (Side::Ask, true) => spec.base,
            (Side::Ask, false) | (Side::Bid, true) => spec.quote,
        };
        let asset = self.reference.assets.get(received.index())?;
        let fee = types::decimal::format(fill.fee().unsigned_abs(), asset.decimals);
        let sign = if fill.fee() < 0 { "-" } else { "" };
        let mut object = json!({
            "sequence": fill.sequence().get(),
            "order_id": fill.order_id().get(),
            "market": spec.symbol.as_str(),
            "side": fill.side().name(),
            "role": fill.role().name(),
            "price": spec.format_price(fill.price()),
            "quantity": spec.format_quantity(fill.quantity()),
            "fee": format!("{sign}{fee}"),
            "fee_asset": asset.symbol.as_str(),
        });
        if !fill.client_order_id().is_none() {
            object["client_order_id"] = json!(fill.client_order_id().get());
        }
        if fill.role() == Role::Maker {
            object["remaining"] = json!(spec.format_quantity(fill.remaining()));
        }
        Some(object)
    }

    fn order(&self, order: &types::wire::query::OpenOrder) -> Option<Value> {
        let spec = self.reference.markets.get(order.market.index())?;
        Some(json!({
            "order_id": order.order_id.get(),
            "market": spec.symbol.as_str(),
            "side": order.side.name(),
            "price": spec.format_price(order.price),
            "remaining": spec.format_quantity(order.remaining),
            "client_order_id": order.client_order_id.get(),
        }))
    }

    fn parse(&self, line: &str) -> Result<Request, Refusal> {
        let line = serde_json::from_str(line);
        let line: Line = line.map_err(|error| Refusal::malformed(error.to_string()))?;
        Ok(match line {
            Line::Place {
                market,
                side,
                price,
                quantity,
                kind,
                tif,
                client_order_id,
                nonce,
            } => {
                let (market, spec) = self.market(&market)?;
                let place = Place {
                    market,
                    side: side.side(),
                    kind: order_kind(kind, tif)?,
                    price: spec.parse_price(&price).map_err(|error| {
                        Refusal::decimal("price", error, RejectReason::PriceTooHigh)
                    })?,
                    quantity: spec.parse_quantity(&quantity).map_err(|error| {
                        Refusal::decimal("quantity", error, RejectReason::QuantityTooLarge)
                    })?,
                    client_order_id: ClientOrderId::new(client_order_id),
                };
                Request::Command(Command::Place(place), nonce)
            }
            Line::Cancel {
                order_id,
                market,
                client_order_id,
                nonce,
            } => {
                let target = self.cancel_target(order_id, market, client_order_id)?;
                Request::Command(Command::Cancel(target), nonce)
            }
            Line::CancelAll {
                market,
                side,
                nonce,
            } => {
                let market = market.map(|name| self.market(&name)).transpose()?;
                let scope = CancelScope {
                    market: market.map(|(id, _)| id),
                    side: side.map(SideText::side),
                };
                Request::Command(Command::CancelAll(scope), nonce)
            }
            Line::Transfer {
                to,
                asset,
                amount,
                nonce,
            } => {
                let movement = self.transfer(&to, &asset, &amount)?;
                Request::Command(Command::Transfer(movement), nonce)
            }
            Line::Balances {} => Request::Question(Question::Balances),
            Line::Orders {} => Request::Question(Question::OpenOrders),
            Line::Markets {} => Request::Question(Question::Reference),
            Line::Query { nonce } => Request::Question(Question::Nonce(Nonce::new(nonce))),
        })
    }

    fn cancel_target(
        &self,
        order_id: Option<u64>,
        market: Option<String>,
        client_order_id: Option<u64>,
    ) -> Result<CancelTarget, Refusal> {
        match (order_id, market, client_order_id) {
            (Some(order_id), None, None) => Ok(CancelTarget::Order(OrderId::new(order_id))),
            (None, Some(market), Some(label)) => Ok(CancelTarget::Client {
                market: self.market(&market)?.0,
                client_order_id: ClientOrderId::new(label),
            }),
            _ => {
                let detail = "give order_id, or market and client_order_id";
                Err(Refusal::malformed(detail))
            }
        }
    }

    fn market(&self, name: &str) -> Result<(MarketId, &MarketSpec), Refusal> {
        self.reference
            .markets
            .iter()
            .zip(0..)
            .find(|(spec, _)| spec.symbol.as_str() == name)
            .map(|(spec, id)| (MarketId::new(id), spec))
            .ok_or_else(|| {
                let detail = format!("there is no market {name}");
                Refusal::new(RejectReason::UnknownMarket, detail)
            })
    }

    fn transfer(&self, to: &AccountText, asset: &str, amount: &str) -> Result<Transfer, Refusal> {
        let to = match to {
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
            .find(|(spec, _)| spec.symbol.as_str() == asset)
            .ok_or_else(|| {
                let detail = format!("there is no asset {asset}");
                Refusal::new(RejectReason::UnknownAsset, detail)
            })?;
        Ok(Transfer {
            to: AccountId::new(to),
            asset: AssetId::new(id),
            amount: spec.parse(amount).map_err(|error| {
                Refusal::decimal("amount", error, RejectReason::QuantityTooLarge)
            })?,
        })
    }
}

impl SideText {
    const fn side(self) -> Side {
        match self {
            Self::Bid => Side::Bid,
            Self::Ask => Side::Ask,
        }
    }
}

fn order_kind(kind: KindText, tif: Option<TimeInForceText>) -> Result<OrderKind, Refusal> {
    let time_in_force = match tif {
        None | Some(TimeInForceText::Gtc) => TimeInForce::Gtc,
        Some(TimeInForceText::Ioc) => TimeInForce::Ioc,
        Some(TimeInForceText::Fok) => TimeInForce::Fok,
    };
    match (kind, time_in_force) {
        (KindText::Limit, time_in_force) => Ok(OrderKind::Limit(time_in_force)),
        (KindText::PostOnly, TimeInForce::Gtc) => Ok(OrderKind::PostOnly),
        (KindText::PostOnly, _) => {
            let detail = "a post_only order rests: its tif is gtc";
            Err(Refusal::malformed(detail))
        }
    }
}

fn market_json(spec: &MarketSpec) -> Value {
    let step =
        |step: types::genesis::Step| types::decimal::format(u128::from(step.units), step.decimals);
    json!({
        "market": spec.symbol.as_str(),
        "tick": step(spec.tick),
        "lot": step(spec.lot),
        "maker_fee_ppm": spec.maker_fee.get(),
        "taker_fee_ppm": spec.taker_fee.get(),
    })
}

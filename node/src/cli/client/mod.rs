//! `keel client`: one JSON command a line on stdin, one JSON reply a line on stdout.
//!
//! A command is sent when the one before it is answered; input that is no command gets
//! `{"status":"rejected","reason":"MALFORMED",...}` without being sent. Prices, sizes and amounts
//! are decimal strings. Times are logged time, in nanoseconds since the Unix epoch. Unknown fields
//! are refused. `docs/ORDERS.md` says what the commands mean.
//!
//! # Commands
//!
//! Every command that changes something may have a `"nonce"`; without one it gets the next.
//!
//! ```json
//! {"op":"place","market":"BTC-USD","side":"bid","price":"65000","quantity":"0.25"}
//! {"op":"place","market":"BTC-USD","side":"ask","price":"65000.5","quantity":"0.25","client_order_id":7,"nonce":12}
//! {"op":"place","market":"BTC-USD","side":"bid","price":"65000","quantity":"0.25","kind":"limit","tif":"fok","stp":"cancel_maker"}
//! {"op":"place","market":"BTC-USD","side":"bid","price":"66000","quantity":"0.25","kind":"market"}
//! {"op":"place","market":"BTC-USD","side":"bid","price":"65000","quantity":"5","kind":"post_only_slide","tif":"gtt","expires_in_ms":60000,"display":"0.5"}
//! {"op":"place","market":"BTC-USD","side":"ask","price":"64000","quantity":"1","tif":"gtt","expires_at":1800000000000000000,"trigger":{"condition":"stop","price":"64500"}}
//! {"op":"replace","order_id":3407872,"price":"65000","quantity":"0.2"}
//! {"op":"replace","market":"BTC-USD","client_order_id":7,"price":"65001","quantity":"0.5","may_take":false,"stp":"decrement"}
//! {"op":"quote_set","market":"BTC-USD","number":1,"bids":[["65000","1"],["64999.5","2"]],"asks":[["65001","1"]]}
//! {"op":"cancel","order_id":3407872}
//! {"op":"cancel","market":"BTC-USD","client_order_id":7}
//! {"op":"cancel","market":"BTC-USD","client_order_id":7,"remember_until":1800000000000000000}
//! {"op":"cancel","market":"BTC-USD","client_order_id":7,"remember_for_ms":5000}
//! {"op":"cancel_all"}
//! {"op":"cancel_all","market":"BTC-USD","side":"bid","from":"64000","to":"64999.99"}
//! {"op":"transfer","to":"dev-1","asset":"USD","amount":"0.5"}
//! {"op":"balances"}
//! {"op":"orders"}
//! {"op":"markets"}
//! {"op":"query","nonce":12}
//! {"op":"query","nonce":12,"market":"BTC-USD"}
//! ```
//!
//! | field | values |
//! |---|---|
//! | `side` | `bid` or `buy`, `ask` or `sell` |
//! | `kind` | `limit` (default); `market`, whose price is the bound; `post_only`, rejected if it would take; `post_only_slide`, moved to the best price that does not |
//! | `tif` | `gtc` (default), `gtt`, `ioc`, `fok`; a market order is `ioc` (default) or `fok`, a post-only order `gtc` or `gtt` |
//! | `expires_at`, `expires_in_ms` | with `gtt` one of them: a logged time, or milliseconds from now by this machine's clock |
//! | `display` | how much of an order that rests is shown at a time; by default all |
//! | `trigger` | `condition` (`stop` or `take_profit`) and `price`: wait for the market's last trade |
//! | `stp` | on meeting the own group: `allow` (default), `cancel_taker`, `cancel_maker`, `cancel_both`, `decrement` |
//! | `client_order_id` | the owner's label, a number; by default none |
//! | `quantity` of `replace` | the new size, what has filled included |
//! | `may_take` | whether the order may take at its new price; `true` by default |
//! | `bids`, `asks` | `[price, quantity]`, best first, at most 32; an empty side takes its quotes away |
//! | `remember_until`, `remember_for_ms` | if the label is not open: refuse an order of that label until then |
//! | `from`, `to` | the lowest and the highest price, in one market |
//! | `to`, of `transfer` | an account's number, or the name of a development account |
//!
//! # Replies
//!
//! `"status"` is `accepted`, `rejected` with a `"reason"`, or `unknown`: then ask with `query`.
//! The answer to a command has `"sequence"`, `"nonce"` and `"stage_ns"`, and also
//!
//! - of `place`: `"order_id"`, `"filled"` and `"fills"`, what it took at once;
//! - of `replace`: `"filled"` and `"fills"`, what it took at once;
//! - of `quote_set`: `"new_order_ids"` with `"bids"` and `"asks"`, the id of each level that is new;
//!   a level whose order kept its place kept its id too;
//! - of `cancel` and `cancel_all`: `"cancelled"`, how many orders.
//!
//! `query` with a known nonce tells `"outcomes"`, one for each command of the frame: a `"reason"`
//! if it was rejected, else `"affected"` (fills, orders cancelled, or levels) and `"lots"` (filled
//! at once, or cancelled); with a `"market"` also the `"order_id"` that a `place` there has got.
//! `orders` tells `"display"`, `"expires_at"` and `"trigger"` of the orders that have one; those
//! with a trigger are armed, and not on the book.
//!
//! # Events
//!
//! Between replies come the executions of the account's orders that no reply tells, as
//! `{"event":"fill",...}`, and, as `{"event":"ended",...}`, what else happened to them, in the order
//! in which it happened. The `"reason"` of an end is `expired`, `self_trade`, or, of an order that
//! was set off, `triggered` and perhaps `unfilled` or `fill_limit`; `"quantity"` went without a trade
//! and `"remaining"` goes on, nothing if the order has ended.

mod conversation;
mod line;
mod reply;
mod request;

use std::net::SocketAddr;

use client::{ConnectOptions, ServerPin};
use types::auth::PublicKey;

use super::{Failure, keygen};

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
    let result = runtime.block_on(conversation::converse(&connect));
    // The thread that reads stdin may still wait for a line: nobody waits for it.
    runtime.shutdown_background();
    result
}

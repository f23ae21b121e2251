//! What the book does, one line per step with the expected answer beside it. Every line is run on
//! two books and on the oracle.
//!
//! Words: `bid 1 5@100` is order 1 for 5 lots at 100 ticks; `a7` an account, `l3` a label; accounts
//! with the same last digit are one group. `max 2` is the cap on fills, `show 2` what an iceberg
//! shows at a time, `until 9` when an order expires, `now 9` logged time, `filled 3` what filled of
//! an order before it came to rest, `protected` an order that protection may pull; `guard a7 lots 5`
//! protects an account until its protected orders have filled 5 lots; a taker's setting is called by
//! its name. Where it says nothing,
//! the account is 0, all self-trades are allowed, time is zero, and the rest is absent.

mod auction;
#[path = "../common/mod.rs"]
mod common;
mod plain;
mod protection;
mod script;
mod self_trade;
mod special;

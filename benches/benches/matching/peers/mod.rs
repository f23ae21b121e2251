//! Published books behind the trait, as thin as they let us.

mod lobster;
mod orderbook_rs;
mod rust_order_book;

pub use self::lobster::Lobster;
pub use self::orderbook_rs::OrderBookRs;
pub use self::rust_order_book::RustOrderBook;

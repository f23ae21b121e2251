//! Every reason to refuse a frame or a command, numbered.
//!
//! Numbers are in order of precedence within their group and are never reused: a retired reason
//! keeps its number. Groups: 1.. the session refuses a frame (nothing was sequenced); 32.. the
//! engine refuses a whole frame; 48.. the engine refuses one command, because of its key or of keys;
//! 64.. for any other reason. A rejected command never has
//! an effect.

macro_rules! reject_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a frame or a command was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum RejectReason {
            $($(#[$doc])* $name = $code,)*
        }

        impl RejectReason {
            /// All reasons, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The reason with this number, if there is one.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The stable name, as machines see it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reject_reasons! {
    /// The bytes are no message of this protocol.
    Malformed = 1, "MALFORMED";
    /// The message is of another protocol version.
    UnsupportedVersion = 2, "UNSUPPORTED_VERSION";
    /// The message is longer than allowed.
    Oversize = 3, "OVERSIZE";
    /// This kind of message is not expected here or now.
    UnexpectedMessage = 4, "UNEXPECTED_MESSAGE";
    /// The client asked for another network.
    WrongNetwork = 5, "WRONG_NETWORK";
    /// No account has registered this key.
    UnknownKey = 6, "UNKNOWN_KEY";
    /// The frame names another account or key than its session.
    WrongAccount = 7, "WRONG_ACCOUNT";
    /// The signature does not verify.
    BadSignature = 8, "BAD_SIGNATURE";
    /// The server has as many sessions as it may, or the key has.
    TooManySessions = 9, "TOO_MANY_SESSIONS";
    /// The session has more frames unanswered than it may.
    TooManyInFlight = 10, "TOO_MANY_IN_FLIGHT";
    /// A bounded queue is full; nothing happened, try again later.
    Busy = 11, "BUSY";
    /// The node is stopping; nothing happened.
    ShuttingDown = 12, "SHUTTING_DOWN";
    /// The client was silent, or in the middle of a message, for too long.
    Timeout = 13, "TIMEOUT";
    /// The node's disk is full: until it has room again, only cancels are taken.
    DiskFull = 14, "DISK_FULL";
    /// The account sends more commands a second than it may; nothing happened, try again later.
    RateLimited = 15, "RATE_LIMITED";
    /// The chain is too far behind the ledger: until it is not, no funds leave it.
    WithdrawalsHalted = 16, "WITHDRAWALS_HALTED";
    /// There is no such feed, or not for this account, or not at this interval.
    UnknownFeed = 20, "UNKNOWN_FEED";
    /// The session has as many subscriptions as it may.
    TooManySubscriptions = 21, "TOO_MANY_SUBSCRIPTIONS";
    /// The session has a subscription of this number.
    DuplicateSubscription = 22, "DUPLICATE_SUBSCRIPTION";
    /// Frames waited too long, or in too great a number, for the rolling signature over them.
    SignatureMissing = 24, "SIGNATURE_MISSING";

    /// The key was rotated away.
    StaleEpoch = 32, "STALE_EPOCH";
    /// Logged time has passed the frame's expiry.
    Expired = 33, "EXPIRED";
    /// The nonce lies below the window of the key.
    NonceTooOld = 34, "NONCE_TOO_OLD";
    /// The nonce was used for other bytes.
    NonceReused = 35, "NONCE_REUSED";
    /// The nonce lies above the highest legal one.
    NonceTooHigh = 36, "NONCE_TOO_HIGH";
    /// The key was revoked.
    KeyRevoked = 37, "KEY_REVOKED";
    /// Logged time has passed the key's expiry.
    KeyExpired = 38, "KEY_EXPIRED";
    /// The wallet that signed is not the owner of the account.
    WrongWallet = 39, "WRONG_WALLET";

    /// The key may not sign such a command.
    KeyScope = 48, "KEY_SCOPE";
    /// The key may not trade in this market.
    KeyMarket = 49, "KEY_MARKET";
    /// Price times size is above what the key may place at once.
    KeyOrderNotional = 50, "KEY_ORDER_NOTIONAL";
    /// With this order, more would be open than the key may have.
    KeyOpenNotional = 51, "KEY_OPEN_NOTIONAL";
    /// The key has lost as much today as it may.
    KeyDailyLoss = 52, "KEY_DAILY_LOSS";
    /// Another account has this key, or the agent's address has an account.
    KeyTaken = 53, "KEY_TAKEN";
    /// The account has as many keys as it may.
    TooManyKeys = 54, "TOO_MANY_KEYS";
    /// The account has no such key.
    KeyNotFound = 55, "KEY_NOT_FOUND";
    /// A silence or a timer is shorter or longer than it may be.
    InvalidPolicy = 56, "INVALID_POLICY";

    /// The account is no operator.
    NotOperator = 64, "NOT_OPERATOR";
    /// There is no such market.
    UnknownMarket = 65, "UNKNOWN_MARKET";
    /// There is no such account.
    UnknownAccount = 66, "UNKNOWN_ACCOUNT";
    /// There is no such asset.
    UnknownAsset = 67, "UNKNOWN_ASSET";
    /// The account has no such open order.
    OrderNotFound = 68, "ORDER_NOT_FOUND";
    /// A newer quote set of the account was executed before.
    StaleQuoteSet = 69, "STALE_QUOTE_SET";
    /// Quotes are not best first with each price once, or bids reach asks.
    UnsortedQuotes = 70, "UNSORTED_QUOTES";
    /// The price is zero.
    ZeroPrice = 71, "ZERO_PRICE";
    /// The price is above the limit.
    PriceTooHigh = 72, "PRICE_TOO_HIGH";
    /// The size or amount is zero.
    ZeroQuantity = 73, "ZERO_QUANTITY";
    /// The size or amount is above the limit.
    QuantityTooLarge = 74, "QUANTITY_TOO_LARGE";
    /// Price times size is below the market's least.
    NotionalTooSmall = 75, "NOTIONAL_TOO_SMALL";
    /// The shown part of an iceberg is not smaller than the order, or the order is protected.
    InvalidDisplay = 76, "INVALID_DISPLAY";
    /// A trigger or stop price is zero or above the limit, or a stop is not beyond its order.
    InvalidTrigger = 77, "INVALID_TRIGGER";
    /// The range of prices is empty, or names no market.
    InvalidPriceRange = 78, "INVALID_PRICE_RANGE";
    /// A protection has a window without a limit, or a limit without a window.
    InvalidProtection = 79, "INVALID_PROTECTION";
    /// Logged time has reached the order's expiry, or the end of a remembered cancel.
    ExpiryInPast = 80, "EXPIRY_IN_PAST";
    /// The new size of a replaced order has filled already.
    AlreadyFilled = 81, "ALREADY_FILLED";
    /// The status of the market does not allow the command.
    MarketStatus = 82, "MARKET_STATUS";
    /// The account's protection has tripped and was not armed again.
    ProtectionTripped = 83, "PROTECTION_TRIPPED";
    /// The price is beyond the market's band.
    PriceOutOfBand = 84, "PRICE_OUT_OF_BAND";
    /// The order's label was cancelled before the order arrived.
    CancelledBefore = 85, "CANCELLED_BEFORE";
    /// Another open order of the account has this label.
    DuplicateClientOrderId = 86, "DUPLICATE_CLIENT_ORDER_ID";
    /// The account has as many open orders as it may, in all or in this market.
    TooManyOpenOrders = 87, "TOO_MANY_OPEN_ORDERS";
    /// The account has as many cancelled labels remembered as it may.
    TooManyRemembered = 88, "TOO_MANY_REMEMBERED";
    /// The book holds as many orders as it may.
    BookFull = 89, "BOOK_FULL";
    /// The account's free balance does not cover the command.
    InsufficientFunds = 90, "INSUFFICIENT_FUNDS";
    /// An order that must not take would take.
    WouldCross = 91, "WOULD_CROSS";
    /// A fill-or-kill order cannot fill completely.
    NotFillable = 92, "NOT_FILLABLE";
    /// A transfer to the account itself.
    SelfTransfer = 93, "SELF_TRANSFER";
    /// The network has as many accounts as it may.
    TooManyAccounts = 94, "TOO_MANY_ACCOUNTS";
    /// With this deposit, the supply of the asset would be above the limit.
    SupplyTooLarge = 95, "SUPPLY_TOO_LARGE";
    /// The entry of the inbox is not the next one.
    InboxOutOfOrder = 96, "INBOX_OUT_OF_ORDER";
}

impl RejectReason {
    /// The stable number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether the same bytes, sent again later, may be accepted.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::TooManySessions
                | Self::TooManyInFlight
                | Self::Busy
                | Self::ShuttingDown
                | Self::Timeout
                | Self::DiskFull
                | Self::RateLimited
                | Self::WithdrawalsHalted
                | Self::TooManySubscriptions
        )
    }
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_lead_back() {
        assert!(RejectReason::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        for reason in RejectReason::ALL {
            assert_eq!(RejectReason::from_code(reason.code()), Some(*reason));
            assert!(reason.code() > 0, "zero means accepted");
            assert!(
                reason
                    .name()
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_')
            );
        }
        assert_eq!(RejectReason::from_code(0), None);
        assert_eq!(RejectReason::from_code(31), None);
    }
}

//! `POST /info`: questions about what is public, answered from the model.
//!
//! Each type is one function; which there are is [`answer`]. What this exchange has nothing of
//! (perpetuals, vaults, funding) is answered as empty, in the shape that clients expect.

mod market;
mod user;

use serde_json::{Value as Json, json};
use types::action::Value;

use super::Shared;
use super::model::Model;
use super::names::Names;
pub(super) use market::{Grouping, active_asset_context, all_mids, bbo, candle, l2_book, trade};
pub(super) use user::{
    clearinghouse_state, fills_of, order_update, own_fill, spot_clearinghouse_state,
};

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It is not one of ours, or something of it is missing or wrong.
    Malformed,
    /// It names a market that is not there.
    NoMarket,
}

/// What a question is answered from.
pub(super) struct Ask<'a> {
    pub(super) model: &'a Model,
    pub(super) names: &'a Names,
    pub(super) question: &'a Value,
}

/// Answers one question.
pub(super) fn answer(shared: &Shared, question: &Value) -> Result<Json, NoAnswer> {
    let kind = question.field("type").and_then(Value::as_text);
    let kind = kind.ok_or(NoAnswer::Malformed)?;
    let model = shared.model();
    let ask = Ask {
        model: &model,
        names: &shared.names,
        question,
    };
    match kind {
        "meta" => Ok(meta()),
        "spotMeta" => Ok(ask.names.spot_meta().clone()),
        "metaAndAssetCtxs" => Ok(json!([meta(), []])),
        "spotMetaAndAssetCtxs" => Ok(json!([ask.names.spot_meta(), market::contexts(&ask)])),
        "perpDexs" => Ok(json!([null])),
        "exchangeStatus" => Ok(json!({ "specialStatuses": null, "time": model.time() })),
        "allMids" => Ok(all_mids(&ask)),
        "l2Book" => ask.l2_book(),
        "recentTrades" => ask.recent_trades(),
        "candleSnapshot" => ask.candles(),
        "maxBuilderFee" => Ok(json!(0)),
        _ => ask.about_user(kind, shared),
    }
}

/// There are no perpetuals yet.
fn meta() -> Json {
    json!({ "universe": [], "marginTables": [], "collateralToken": 0 })
}

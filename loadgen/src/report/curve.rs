//! Latency by percentile: few points where little happens, ever closer ones towards the slowest.

use serde::Serialize;

use crate::latency::Latencies;

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// So many of a hundred frames
    pub percentile: f64,
    /// were answered after so many microseconds.
    pub us: f64,
}

/// The curve, up to the slowest frame; nothing of nothing.
pub(super) fn of(latency: &Latencies) -> Vec<CurvePoint> {
    let quantiles = latency.histogram().iter_quantiles(STEPS_PER_HALF);
    let points = quantiles.map(|value| CurvePoint {
        percentile: value.quantile_iterated_to() * 100.0,
        us: value.value_iterated_to() as f64 / 1_000.0,
    });
    let is_empty = latency.count() == 0;
    points.filter(|_| !is_empty).collect()
}

/// Points between each percentile and the one halfway to 100 from it.
const STEPS_PER_HALF: u32 = 3;

//! What can be seen of a run while it goes on, beside how far it has come: read from what is counted
//! anyway, a few times a second, by whoever asks for it.

use std::collections::BTreeMap;

use crate::drive::State;
use crate::latency::Latencies;
use crate::series::Series;
use crate::tally::Stages;

/// A look at a running run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// Frames without an answer yet.
    pub in_flight: usize,
    /// Commands that were rejected since the warm-up, by reason.
    pub rejects: BTreeMap<&'static str, u64>,
    /// Frames that were refused whole, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Latencies of the last whole interval of the report: p50 and p99 in microseconds; `None`: there
    /// is none yet, or nothing was answered in it.
    pub latency_us: Option<[f64; 2]>,
    /// Medians since the warm-up, in microseconds from the gateway; looked at once a second. `None`:
    /// not this time.
    pub stage_median_us: Option<Stages<f64>>,
}

impl Watch {
    /// `with_stages`: those cost more, for the histograms of all clients are added up.
    pub(crate) fn of<'a>(
        states: impl Iterator<Item = std::cell::Ref<'a, State>>,
        series: &Series,
        with_stages: bool,
    ) -> Self {
        let mut watch = Self {
            latency_us: last_whole(series),
            ..Self::default()
        };
        let mut stages = with_stages.then(|| [(); 4].map(|()| Latencies::fine()));
        for state in states {
            watch.in_flight += state.in_flight.len();
            for (sum, counts) in [
                (&mut watch.rejects, &state.tally.rejects),
                (&mut watch.refused, &state.tally.refused),
            ] {
                for (reason, count) in counts {
                    *sum.entry(reason.name()).or_default() += count;
                }
            }
            if let Some(sums) = &mut stages {
                let own = &state.tally.stages;
                let own = [&own.sequenced, &own.executed, &own.durable, &own.sent];
                for (sum, own) in sums.iter_mut().zip(own) {
                    sum.merge(own);
                }
            }
        }
        watch.stage_median_us = stages.map(|stages| {
            let [sequenced, executed, durable, sent] = stages.map(|it| it.quantile_us(0.5));
            Stages {
                sequenced,
                executed,
                durable,
                sent,
            }
        });
        watch
    }
}

/// The interval before the one that goes on.
fn last_whole(series: &Series) -> Option<[f64; 2]> {
    let last = series.rows.len().checked_sub(2)?;
    let latency = &series.rows[last].latency;
    let quantiles = [0.5, 0.99].map(|quantile| latency.quantile_us(quantile));
    (latency.count() > 0).then_some(quantiles)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::series::{Answer, Intervals};

    #[test]
    fn the_interval_that_goes_on_is_not_shown_yet() {
        let mut series = Series::new(Intervals::of(Duration::ZERO, Duration::from_secs(1)));
        let mut answer = |at, latency| {
            series.answer(&Answer {
                at: Duration::from_millis(at),
                latency: Duration::from_millis(latency),
                commands: 1,
                rejects: 0,
            });
            Watch::of(std::iter::empty(), &series, false).latency_us
        };
        assert_eq!(answer(0, 10), None);
        let shown = answer(150, 40).unwrap();
        assert!(
            shown.iter().all(|it| (10_000.0..10_200.0).contains(it)),
            "{shown:?}"
        );
        assert_eq!(answer(320, 10), None);
    }

    #[test]
    fn stages_are_added_up_only_when_asked_for() {
        let series = Series::new(Intervals::of(Duration::ZERO, Duration::from_secs(1)));
        let watch = |with_stages| Watch::of(std::iter::empty(), &series, with_stages);
        assert_eq!(watch(false).stage_median_us, None);
        assert_eq!(watch(true).stage_median_us, Some(Stages::default()));
    }
}

//! The distribution of latencies in the text format of HdrHistogram (`.hgrm`), which its plotter and
//! many others read. Values are milliseconds; columns and digits are those of its Java library.

use std::fmt::{self, Write as _};

use crate::latency::Latencies;

/// The whole file.
pub(crate) fn text(latency: &Latencies) -> String {
    let mut text = String::new();
    write(&mut text, latency).expect("memory takes every write");
    text
}

fn write(text: &mut String, latency: &Latencies) -> fmt::Result {
    let histogram = latency.histogram();
    let millis = |nanos: f64| nanos / 1e6;
    writeln!(
        text,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut count = 0;
    for value in histogram.iter_quantiles(TICKS_PER_HALF) {
        count += value.count_since_last_iteration();
        let quantile = value.quantile_iterated_to();
        let nanos = value.value_iterated_to() as f64;
        write!(text, "{:12.3} {quantile:2.12} {count:10}", millis(nanos))?;
        // Of the last there is nothing beyond.
        if quantile < 1.0 {
            write!(text, " {:14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(text)?;
    }
    writeln!(
        text,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]",
        millis(histogram.mean()),
        millis(histogram.stdev())
    )?;
    writeln!(
        text,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        millis(histogram.max() as f64),
        latency.count()
    )?;
    let sub_buckets = (2 * 10_u64.pow(histogram.sigfig().into())).next_power_of_two();
    writeln!(
        text,
        "#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]",
        histogram.buckets()
    )
}

/// As the Java library has it by default.
const TICKS_PER_HALF: u32 = 5;

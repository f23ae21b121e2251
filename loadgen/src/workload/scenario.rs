//! Scenarios: what is sent, and where to. A name of [`Scenario::NAMED`], or a TOML file.
//!
//! ```toml
//! name = "makers"
//! markets = "zipf"       # uniform, zipf or hot; "uniform" if left out
//! market_count = 2       # the first so many markets; all, if left out
//! quote_levels = 4       # a side, in each quote set
//!
//! [mix]                  # shares; what is left out is 0
//! place = 40
//! cancel = 30
//! replace = 10
//! quote_set = 10
//! cross = 10
//!
//! [load]                 # what the command line may say otherwise
//! frame = 8
//! clients = 8
//! rate = 100000          # none: as fast as possible
//! signatures = "rolling" # or "frame"
//! ```

use std::num::NonZeroU64;
use std::path::Path;

use serde::Deserialize;
use types::limits::{QUOTE_LEVELS_MAX, SLOTS_PER_FRAME_MAX};

use super::spread::Spread;

/// What a run sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What reports call it.
    pub name: String,
    /// How commands spread over markets.
    #[serde(default, rename = "markets")]
    pub spread: Spread,
    /// Only so many markets, the first ones; `None`: all.
    #[serde(default)]
    pub market_count: Option<usize>,
    /// Levels a side in each quote set.
    #[serde(default = "quote_levels")]
    pub quote_levels: usize,
    /// Which kinds of commands.
    #[serde(default)]
    pub mix: Mix,
    /// How they are sent, if nobody says otherwise.
    #[serde(default)]
    pub load: Load,
}

/// Shares of the kinds of commands: numbers that stand in proportion to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Orders that rest near the mid.
    #[serde(default)]
    pub place: u32,
    /// Cancels of such, by label.
    #[serde(default)]
    pub cancel: u32,
    /// New prices for such.
    #[serde(default)]
    pub replace: u32,
    /// All quotes of a market at once.
    #[serde(default)]
    pub quote_set: u32,
    /// Immediate-or-cancel orders through the mid.
    #[serde(default)]
    pub cross: u32,
}

/// What a scenario wishes of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Commands in a frame.
    pub frame: Option<usize>,
    /// Clients.
    pub clients: Option<u32>,
    /// Commands a second.
    pub rate: Option<NonZeroU64>,
    /// How frames are signed.
    pub signatures: Option<Signatures>,
}

/// How sessions sign their frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Signatures {
    /// Each has a signature of its own.
    #[default]
    Frame,
    /// One covers all that go out together.
    Rolling,
}

impl Default for Mix {
    /// A quarter more placed than cancelled, and a tenth that trades: the demo's.
    fn default() -> Self {
        Self {
            place: 48,
            cancel: 42,
            replace: 0,
            quote_set: 0,
            cross: 10,
        }
    }
}

impl Mix {
    /// The sum of all shares.
    pub(crate) fn total(&self) -> u64 {
        let shares = [
            self.place,
            self.cancel,
            self.replace,
            self.quote_set,
            self.cross,
        ];
        shares.into_iter().map(u64::from).sum()
    }
}

const fn quote_levels() -> usize {
    4
}

impl Scenario {
    /// The names that are always there: part of the command-line contract.
    pub const NAMED: [&'static str; 3] = ["uniform", "zipf", "hot"];

    /// The default mix over markets like this.
    pub fn of(spread: Spread) -> Self {
        Self {
            name: spread.name().to_owned(),
            spread,
            market_count: None,
            quote_levels: quote_levels(),
            mix: Mix::default(),
            load: Load::default(),
        }
    }

    /// By a name of [`Self::NAMED`], or from a file whose name ends in `.toml`. The error is for
    /// people.
    pub fn find(text: &str) -> Result<Self, String> {
        if let Some(spread) = Spread::ALL.into_iter().find(|it| it.name() == text) {
            return Ok(Self::of(spread));
        }
        let path = Path::new(text);
        if path.extension().is_none_or(|it| it != "toml") {
            let names = Self::NAMED.join(", ");
            return Err(format!("not one of {names}, nor a file that ends in .toml"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    /// From the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), String> {
        let Mix {
            place,
            cancel,
            replace,
            quote_set,
            cross,
        } = self.mix;
        let problem = if self.name.is_empty() {
            "a scenario needs a name".to_owned()
        } else if self.mix.total() == 0 {
            "a mix of nothing sends nothing".to_owned()
        } else if place == 0 && 0 < cancel + replace {
            "without orders that rest there is nothing to cancel or replace".to_owned()
        } else if place == 0 && quote_set == 0 {
            "nothing rests, so no order can cross".to_owned()
        } else if 0 < place && cancel == 0 && replace == 0 && cross == 0 {
            "orders only come, so the book would be full soon".to_owned()
        } else if self.market_count == Some(0) {
            "there must be a market".to_owned()
        } else if !(1..=QUOTE_LEVELS_MAX).contains(&self.quote_levels) {
            format!("a quote set has 1 to {QUOTE_LEVELS_MAX} levels a side")
        } else {
            return Ok(());
        };
        Err(problem)
    }

    /// Slots of 32 bytes that the largest of its commands takes.
    pub(crate) const fn slots_max(&self) -> usize {
        match self.mix.quote_set {
            0 => 1,
            // Two levels to a slot, after the head.
            _ => 1 + self.quote_levels,
        }
    }

    /// Commands that a frame surely holds.
    pub fn frame_max(&self) -> usize {
        SLOTS_PER_FRAME_MAX / self.slots_max()
    }

    /// How many of a network's markets get commands.
    pub(crate) fn markets_used(&self, markets: usize) -> usize {
        let markets = self.market_count.map_or(markets, |it| it.min(markets));
        self.spread.markets_used(markets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_files_read() {
        for name in Scenario::NAMED {
            assert_eq!(Scenario::find(name).unwrap().name, name);
        }
        for (text, expected) in [("fast", "not one of"), ("none/here.toml", "No such file")] {
            let error = Scenario::find(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// The example at the head of this file is a scenario.
    #[test]
    fn the_documented_file_is_read() {
        let head = include_str!("scenario.rs");
        let lines = head.lines().take_while(|it| it.starts_with("//!"));
        let lines: Vec<&str> = lines.map(|it| it[3..].trim_start()).collect();
        let text = lines.join("\n");
        let toml = text.split("```").nth(1).unwrap();
        let scenario = Scenario::parse(toml.strip_prefix("toml").unwrap()).unwrap();
        assert_eq!(scenario.name, "makers");
        assert_eq!(scenario.spread, Spread::Zipf);
        assert_eq!(scenario.mix.total(), 100);
        assert_eq!(scenario.load.signatures, Some(Signatures::Rolling));
        assert_eq!(scenario.load.rate, NonZeroU64::new(100_000));
        assert_eq!(scenario.frame_max(), 51);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", "missing field `name`"),
            ("name = ''", "needs a name"),
            ("name = 'a'\nmarket_count = 0", "a market"),
            ("name = 'a'\nmarkets = 'cold'", "unknown variant"),
            ("name = 'a'\nquote_levels = 33", "1 to 32 levels"),
            ("name = 'a'\n[mix]", "sends nothing"),
            ("name = 'a'\n[mix]\ncancel = 1", "nothing to cancel"),
            ("name = 'a'\n[mix]\ncross = 1", "no order can cross"),
            ("name = 'a'\n[mix]\nplace = 1", "full soon"),
            ("name = 'a'\n[mix]\nplace = -1", "invalid value"),
            ("name = 'a'\n[load]\nspeed = 1", "unknown field"),
        ] {
            let error = Scenario::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}

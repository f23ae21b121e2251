//! Limits of a node's gateway, from a TOML file: what stands there takes the place of a default.
//!
//! What each means is told by [`GatewayConfig`]; `docs/OPERATIONS.md` has a table of them.

use std::collections::BTreeMap;
use std::path::Path;

use gateway::api::ApiConfig;
use gateway::{GatewayConfig, Pace, Weights};
use serde::Deserialize;
use types::AccountId;

use crate::cli::Failure;

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsFile {
    connections: Connections,
    commands: Commands,
    api: ApiFields,
    /// Account number, as TOML has no other keys than text, to weight.
    weights: BTreeMap<String, u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Connections {
    sessions: Option<u32>,
    sessions_reserved: Option<u32>,
    sessions_per_key: Option<u32>,
    handshakes: Option<u32>,
    per_address: Option<u32>,
    new_per_address: Option<PaceFields>,
    new: Option<PaceFields>,
    limit_loopback: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Commands {
    orders: Option<PaceFields>,
    cancels: Option<PaceFields>,
    refusals: Option<PaceFields>,
}

/// The trader API's.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApiFields {
    connections: Option<u32>,
    connections_per_address: Option<u32>,
    sockets: Option<u32>,
    requests_per_address: Option<PaceFields>,
    commands_per_signer: Option<PaceFields>,
}

impl ApiFields {
    /// The defaults, but for what is said here.
    fn applied(&self) -> Result<ApiConfig, String> {
        let mut api = ApiConfig::default();
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        for (limit, said) in [
            (&mut api.connections_max, self.connections),
            (
                &mut api.connections_per_ip_max,
                self.connections_per_address,
            ),
            (&mut api.sockets_max, self.sockets),
        ] {
            set(limit, said.map(count));
        }
        for (per_second, burst, said) in [
            (
                &mut api.requests_per_second,
                &mut api.requests_burst,
                self.requests_per_address,
            ),
            (
                &mut api.commands_per_second,
                &mut api.commands_burst,
                self.commands_per_signer,
            ),
        ] {
            if said.is_some_and(|it| it.per_second == 0 || it.burst == 0) {
                return Err("a pace of 0".to_owned());
            }
            set(per_second, said.map(|it| it.per_second));
            set(burst, said.map(|it| it.burst));
        }
        Ok(api)
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaceFields {
    per_second: u32,
    burst: u32,
}

impl From<PaceFields> for Pace {
    fn from(fields: PaceFields) -> Self {
        Self {
            per_second: fields.per_second,
            burst: fields.burst,
        }
    }
}

/// A gateway's limits, and the accounts that have more of them than others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) gateway: GatewayConfig,
    pub(crate) api: ApiConfig,
    pub(crate) weights: Weights,
}

impl Limits {
    /// As a file says.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |what: &dyn std::fmt::Display| {
            Failure::Usage(format!("limits {}: {what}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Self::parse(&text).map_err(|error| wrong(&error))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: LimitsFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut gateway = GatewayConfig::default();
        let LimitsFile {
            connections,
            commands,
            api,
            weights,
        } = file;
        set(&mut gateway.sessions_max, connections.sessions);
        set(
            &mut gateway.sessions_reserved,
            connections.sessions_reserved,
        );
        set(&mut gateway.sessions_per_key, connections.sessions_per_key);
        if let Some(handshakes) = connections.handshakes {
            gateway.handshakes_max = handshakes;
            gateway.retry_from = handshakes / 4;
        }
        set(
            &mut gateway.connections_per_address,
            connections.per_address,
        );
        set(
            &mut gateway.arrivals_per_address,
            connections.new_per_address,
        );
        set(&mut gateway.arrivals, connections.new);
        set(&mut gateway.limits_loopback, connections.limit_loopback);
        gateway.commands = commands.orders.map(Pace::from);
        gateway.cancels = commands.cancels.or(commands.orders).map(Pace::from);
        set(&mut gateway.refusals, commands.refusals);
        let (arrivals, of_address) = (gateway.arrivals, gateway.arrivals_per_address);
        let paces = [arrivals, of_address, gateway.refusals].map(Some);
        let paces = paces.into_iter().chain([gateway.commands, gateway.cancels]);
        if paces
            .flatten()
            .any(|it| it.per_second == 0 || it.burst == 0)
        {
            return Err("a pace of 0".to_owned());
        }
        if !(HANDSHAKES_MIN..=HANDSHAKES_MAX).contains(&gateway.handshakes_max) {
            return Err(format!(
                "handshakes is not within {HANDSHAKES_MIN} to {HANDSHAKES_MAX}"
            ));
        }
        if SESSIONS_MAX < gateway.sessions_max {
            return Err(format!("more than {SESSIONS_MAX} sessions"));
        }
        let weight = |(account, weight): (String, u32)| {
            let account: u32 = account
                .parse()
                .map_err(|_| format!("weights: {account:?} is no account number"))?;
            match weight {
                1..=WEIGHT_MAX => Ok((AccountId::new(account), weight)),
                _ => Err(format!("weights: {weight} is not within 1 to {WEIGHT_MAX}")),
            }
        };
        let weights: Result<Weights, String> = weights.into_iter().map(weight).collect();
        Ok(Self {
            gateway,
            api: api.applied()?,
            weights: weights?,
        })
    }
}

/// Each has a place in a table that is made at the start.
const SESSIONS_MAX: u32 = 1_000_000;
/// So that a quarter of them is more than one.
const HANDSHAKES_MIN: u32 = 8;
/// Each may make the node compute and remember for two seconds.
const HANDSHAKES_MAX: u32 = 65_536;
/// Beyond it a budget is none.
const WEIGHT_MAX: u32 = 1_000_000;

fn set<T, U: Into<T>>(limit: &mut T, said: Option<U>) {
    if let Some(said) = said {
        *limit = said.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_changes_nothing() {
        let limits = Limits::parse("").unwrap();
        assert_eq!(limits.gateway, GatewayConfig::default());
        assert_eq!(limits.weights, Weights::default());
    }

    #[test]
    fn what_a_file_says_is_what_counts() {
        let limits = Limits::parse(
            "[connections]\nsessions = 7\nhandshakes = 40\nnew = { per_second = 5, burst = 6 }\n\
             limit_loopback = true\n\
             [commands]\norders = { per_second = 100, burst = 200 }\n\
             refusals = { per_second = 7, burst = 8 }\n\
             [weights]\n3 = 4\n",
        )
        .unwrap();
        let pace = |per_second, burst| Pace { per_second, burst };
        let expected = GatewayConfig {
            sessions_max: 7,
            handshakes_max: 40,
            retry_from: 10,
            arrivals: pace(5, 6),
            limits_loopback: true,
            refusals: pace(7, 8),
            commands: Some(pace(100, 200)),
            cancels: Some(pace(100, 200)),
            ..GatewayConfig::default()
        };
        assert_eq!(limits.gateway, expected);
        let weights = Weights::from_iter([(AccountId::new(3), 4)]);
        assert_eq!(limits.weights, weights);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "x = 1",
            "[connections]\nsession = 1",
            "[connections]\nsessions = 1000001",
            "[connections]\nhandshakes = 7",
            "[connections]\nhandshakes = 65537",
            "[connections]\nnew = { per_second = 0, burst = 1 }",
            "[commands]\norders = { per_second = 1, burst = 0 }",
            "[commands]\norders = { per_second = 1 }",
            "[commands]\nrefusals = { per_second = 0, burst = 1 }",
            "[weights]\ndev = 1",
            "[weights]\n3 = 0",
        ] {
            assert!(Limits::parse(text).is_err(), "{text:?}");
        }
    }
}

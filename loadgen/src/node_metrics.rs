//! What the node says of itself: CPU time, memory and version, from its page for Prometheus.
//!
//! It is the other side's word, asked at the beginning and at the end of the measurement and never
//! between: a run measures what it would measure without it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::LoadError;

/// What a node said at one time. What its page does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeSample {
    /// User and system, since its start.
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    version: Option<String>,
    commit: Option<String>,
}

/// The node's side of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeFigures {
    /// CPU time of the node during the measurement, user and system.
    pub cpu_seconds: Option<f64>,
    /// The same for each command with a durable answer.
    pub cpu_us_per_order: Option<f64>,
    /// Resident memory at the beginning of the measurement.
    pub resident_bytes_before: Option<u64>,
    /// And at its end.
    pub resident_bytes_after: Option<u64>,
    /// Version of the node.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<String>,
}

impl NodeFigures {
    /// What happened between two samples.
    pub(crate) fn between(before: &NodeSample, after: NodeSample) -> Self {
        let cpu = before.cpu_seconds.zip(after.cpu_seconds);
        Self {
            // A node that started again meanwhile has used less since.
            cpu_seconds: cpu
                .map(|(before, after)| after - before)
                .filter(|cpu| *cpu >= 0.0),
            cpu_us_per_order: None,
            resident_bytes_before: before.resident_bytes,
            resident_bytes_after: after.resident_bytes,
            version: after.version,
            commit: after.commit,
        }
    }
}

/// Asks a node.
pub(crate) async fn sample(address: SocketAddr) -> Result<NodeSample, LoadError> {
    let failed = |reason| LoadError::Metrics { address, reason };
    let page = tokio::time::timeout(ANSWER_LIMIT, fetch(address)).await;
    let page = match page {
        Ok(Ok(page)) => page,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("no answer within {ANSWER_LIMIT:?}"))),
    };
    body(&page).map(parse).map_err(failed)
}

async fn fetch(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream
        .take(PAGE_LENGTH_MAX)
        .read_to_string(&mut page)
        .await?;
    Ok(page)
}

/// What follows the head of an answer, if the answer is one.
fn body(page: &str) -> Result<&str, String> {
    let status = page.lines().next().unwrap_or_default();
    let is_fine = status.starts_with("HTTP/1.") && status.split(' ').nth(1) == Some("200");
    let body = page.split_once("\r\n\r\n").filter(|_| is_fine);
    body.map(|(_, body)| body)
        .ok_or_else(|| format!("it answers {status:?}"))
}

fn parse(body: &str) -> NodeSample {
    let mut sample = NodeSample::default();
    for line in body.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else {
            continue;
        };
        match name {
            "process_cpu_seconds_total" => sample.cpu_seconds = value.parse().ok(),
            "process_resident_memory_bytes" => sample.resident_bytes = value.parse().ok(),
            _ => {
                if let Some(labels) = name.strip_prefix("keel_build_info") {
                    sample.version = label(labels, "version");
                    sample.commit = label(labels, "commit");
                }
            }
        }
    }
    sample
}

/// The value of one label in `{name="value",…}`. Versions and commits hold nothing to escape.
fn label(labels: &str, name: &str) -> Option<String> {
    let labels = labels.strip_prefix('{')?.strip_suffix('}')?;
    let value = |label: &str| {
        let quoted = label.strip_prefix(name)?.strip_prefix("=\"")?;
        quoted.strip_suffix('"').map(str::to_owned)
    };
    labels.split(',').find_map(value)
}

/// A node that takes longer for a page is overloaded, or none.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Many times the page of a node.
const PAGE_LENGTH_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = "# HELP process_cpu_seconds_total CPU time.\n\
                    # TYPE process_cpu_seconds_total counter\n\
                    process_cpu_seconds_total 12.5\n\
                    process_resident_memory_bytes 4096\n\
                    keel_build_info{version=\"0.1.0\",commit=\"abc\"} 1\n\
                    keel_ready 1\n";
        let sample = parse(page);
        assert_eq!(
            sample,
            NodeSample {
                cpu_seconds: Some(12.5),
                resident_bytes: Some(4_096),
                version: Some("0.1.0".to_owned()),
                commit: Some("abc".to_owned()),
            }
        );
        assert_eq!(parse("keel_ready 1\n"), NodeSample::default());
        assert_eq!(
            parse("process_cpu_seconds_total much\nkeel_build_info 1\n"),
            NodeSample::default()
        );
    }

    #[test]
    fn an_answer_that_is_no_page_is_told() {
        for (page, expected) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", Ok("body")),
            ("HTTP/1.1 404 Not Found\r\n\r\n", Err("404")),
            ("SSH-2.0-OpenSSH\r\n\r\n", Err("SSH")),
            ("HTTP/1.1 200 OK\r\n", Err("200")),
            ("", Err("\"\"")),
        ] {
            match (body(page), expected) {
                (Ok(body), Ok(expected)) => assert_eq!(body, expected),
                (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{reason}"),
                (got, _) => panic!("{page:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn only_what_both_samples_have_is_a_difference() {
        let at = |cpu_seconds| NodeSample {
            cpu_seconds,
            ..NodeSample::default()
        };
        for (before, after, expected) in [
            (Some(1.0), Some(3.5), Some(2.5)),
            (None, Some(3.5), None),
            (Some(1.0), None, None),
            (Some(5.0), Some(1.0), None),
        ] {
            let figures = NodeFigures::between(&at(before), at(after));
            assert_eq!(figures.cpu_seconds, expected, "{before:?} {after:?}");
        }
    }
}

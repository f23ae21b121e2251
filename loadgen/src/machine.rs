//! What a run ran on, as the kernel tells it: a figure without its machine says little.

use std::fs;

use serde::Serialize;

/// The machine of the generator, which is the node's too where the two meet on one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Memory in all.
    pub memory_bytes: u64,
}

impl Machine {
    /// This one. What the kernel does not say is `unknown`, or 0.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            cpu: cpu_name(&read("/proc/cpuinfo")).unwrap_or_else(|| UNKNOWN.to_owned()),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            kernel: match read("/proc/sys/kernel/osrelease").trim() {
                "" => UNKNOWN.to_owned(),
                release => release.to_owned(),
            },
            memory_bytes: memory_bytes(&read("/proc/meminfo")).unwrap_or(0),
        }
    }
}

/// What started this process, as a shell would take it.
pub(crate) fn command_line() -> String {
    let words = std::env::args_os().map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// x86 has a line `model name`; others have it only sometimes.
fn cpu_name(cpuinfo: &str) -> Option<String> {
    let name = |line: &str| {
        let (key, name) = line.split_once(':')?;
        (key.trim() == "model name" && !name.trim().is_empty()).then(|| name.trim().to_owned())
    };
    cpuinfo.lines().find_map(name)
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_pages_are_read() {
        for (page, expected) in [
            (
                "processor\t: 0\nmodel name\t: Fast CPU @ 2.0GHz\nmodel name\t: Other\n",
                Some("Fast CPU @ 2.0GHz"),
            ),
            ("processor\t: 0\nmodel\t\t: 17\nmodel name\t:\n", None),
            ("", None),
        ] {
            assert_eq!(cpu_name(page).as_deref(), expected, "{page:?}");
        }
        for (page, expected) in [
            (
                "MemTotal:        2048 kB\nMemFree:  1 kB\n",
                Some(2_097_152),
            ),
            ("MemFree:  1 kB\n", None),
            ("MemTotal:  much kB\n", None),
        ] {
            assert_eq!(memory_bytes(page), expected, "{page:?}");
        }
    }

    #[test]
    fn a_command_line_can_be_given_again() {
        for (word, expected) in [
            ("--connect", "--connect"),
            ("127.0.0.1:7001", "127.0.0.1:7001"),
            ("out/a b.json", "'out/a b.json'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}

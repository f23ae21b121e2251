//! The machine: kernel, cores, memory, limits, clocks, instructions.

use std::time::{Duration, Instant, SystemTime};

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![
        kernel(&read("/proc/sys/kernel/osrelease")),
        cores(),
        memory(&read("/proc/meminfo")),
        open_files(),
        clock_source(&read(CLOCK_SOURCE)),
        clock_advance(),
    ];
    checks.extend(instructions(&read("/proc/cpuinfo")));
    checks
}

/// A file of the kernel; empty if there is none, and then the check says so.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn kernel(release: &str) -> Check {
    let release = release.trim();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    let version = (number().unwrap_or(0), number().unwrap_or(0));
    let found = format!("Linux {release}");
    let advice = "before 5.6 there is no io_uring that can write: only `--journal-io sync`";
    Check::ok_if((5, 6) <= version, "kernel", found, advice)
}

fn cores() -> Check {
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let advice = "gateway, signatures and pipeline want to run side by side: give it two or more";
    Check::ok_if(2 <= count, "cores", count.to_string(), advice)
}

fn memory(meminfo: &str) -> Check {
    let kibibytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let [total, available] =
        ["MemTotal:", "MemAvailable:"].map(|name| kibibytes(name).unwrap_or(0));
    let found = format!("{} MiB, {} MiB available", total >> 10, available >> 10);
    let advice = "below 1 GiB a large state may end in the kernel's out-of-memory killer";
    Check::ok_if(1 << 20 <= available, "memory", found, advice)
}

fn open_files() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let found = limit.map_or("no limit".to_owned(), |limit| limit.to_string());
    let advice = "raise the limit to 1024 or more (`ulimit -n`)";
    Check::ok_if(
        limit.is_none_or(|limit| 1_024 <= limit),
        "open files",
        found,
        advice,
    )
}

fn clock_source(source: &str) -> Check {
    let source = source.trim();
    let fast = [
        "tsc",
        "kvm-clock",
        "hyperv_clocksource_tsc_page",
        "arch_sys_counter",
        "xen",
    ];
    let found = if source.is_empty() { "unknown" } else { source };
    let advice = "each look at such a clock is a system call or worse; boot with clocksource=tsc";
    Check::ok_if(
        fast.contains(&source),
        "clock source",
        found.to_owned(),
        advice,
    )
}

/// Compares the advance of the two clocks that a node reads over a short while.
fn clock_advance() -> Check {
    let (monotonic, realtime) = (Instant::now(), SystemTime::now());
    std::thread::sleep(CLOCK_INTERVAL);
    let realtime_after = SystemTime::now();
    let monotonic = monotonic.elapsed();
    judge_clock(monotonic, realtime, realtime_after)
}

fn judge_clock(monotonic: Duration, before: SystemTime, after: SystemTime) -> Check {
    const WHAT: &str = "clock";
    let set = before.duration_since(SystemTime::UNIX_EPOCH);
    if set.is_err() || set.is_ok_and(|since| since.as_secs() < YEAR_2026) {
        let advice = "set the clock (NTP): orders expire by it";
        return Check::fail(WHAT, "before the year 2026", advice);
    }
    let Ok(advance) = after.duration_since(before) else {
        let advice = "wait until the clock is set; a node reads it once, at its start";
        return Check::warn(WHAT, "real time went backwards", advice);
    };
    let difference = advance.abs_diff(monotonic);
    let found = format!(
        "real time and monotonic time differ by {} us in {} ms",
        difference.as_micros(),
        monotonic.as_millis()
    );
    let advice = "something steps the clock; a node reads it once, at its start";
    Check::ok_if(difference < CLOCK_DIFFERENCE_MAX, WHAT, found, advice)
}

fn instructions(cpuinfo: &str) -> Vec<Check> {
    let flags = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags"))
        .map(|rest| rest.split_whitespace().collect::<Vec<_>>());
    let Some(flags) = flags else {
        let found = "not an x86-64 processor: portable code";
        let advice = "nothing is wrong; figures of the README are of x86-64";
        return vec![Check::warn("instructions", found, advice)];
    };
    INSTRUCTIONS
        .iter()
        .map(|&(name, purpose, matters)| match flags.contains(&name) {
            true => Check::ok(name, format!("yes: {purpose}")),
            false if matters => {
                let found = format!("no: slower {purpose}");
                Check::warn(name, found, "works without; take another machine for speed")
            }
            false => Check::ok(name, format!("no, and no need: {purpose}")),
        })
        .collect()
}

/// With each what it speeds up, and whether a machine of today should have it.
const INSTRUCTIONS: [(&str, &str, bool); 4] = [
    ("sha_ni", "state tree (SHA-256)", true),
    (
        "avx2",
        "verification of signatures, journal hashes (BLAKE3)",
        true,
    ),
    (
        "avx512ifma",
        "verification of signatures, in a build for such processors only",
        false,
    ),
    ("vaes", "encryption of QUIC packets (AES-GCM)", false),
];

const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

const CLOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Far beyond what NTP slews in that time, and what a busy machine puts between two looks.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_millis(10);

/// Seconds since the epoch.
const YEAR_2026: u64 = 1_767_225_600;

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Fail, Ok, Warn};
    use super::*;

    #[test]
    fn kernels_memory_and_clock_sources_are_judged() {
        for (check, verdict) in [
            (kernel("6.18.44-fc\n"), Ok),
            (kernel("5.6"), Ok),
            (kernel("5.4.0-100-generic"), Warn),
            (kernel(""), Warn),
            (
                memory("MemTotal: 4000000 kB\nMemAvailable: 2000000 kB\n"),
                Ok,
            ),
            (
                memory("MemTotal: 4000000 kB\nMemAvailable: 20000 kB\n"),
                Warn,
            ),
            (memory(""), Warn),
            (clock_source("tsc\n"), Ok),
            (clock_source("hpet\n"), Warn),
        ] {
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert_eq!(check.advice.is_some(), verdict != Ok, "{check:?}");
        }
    }

    #[test]
    fn clocks_are_judged() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(YEAR_2026);
        let millis = Duration::from_millis;
        for (before, after, verdict) in [
            (now, now + millis(20), Ok),
            (now, now + millis(29), Ok),
            (now, now + millis(3_620), Warn),
            (now, now - millis(5), Warn),
            (now + millis(9), now, Warn),
            (SystemTime::UNIX_EPOCH, now, Fail),
        ] {
            let check = judge_clock(millis(20), before, after);
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }

    #[test]
    fn instructions_say_what_they_are_for() {
        let verdicts = |cpuinfo| -> Vec<_> {
            let checks = instructions(cpuinfo);
            checks
                .iter()
                .map(|check| (check.what, check.verdict))
                .collect()
        };
        assert_eq!(
            verdicts("processor : 0\nflags\t\t: fpu avx2 vaes\n"),
            [
                ("sha_ni", Warn),
                ("avx2", Ok),
                ("avx512ifma", Ok),
                ("vaes", Ok)
            ]
        );
        assert_eq!(verdicts("Features : aes"), [("instructions", Warn)]);
    }
}

//! What `strace -f -ttt -y -s 0` writes, as calls in an order that can be reasoned about.
//!
//! A traced thread stands still at the entry and at the exit of a call until strace has written the
//! line, and strace writes one line at a time. So if the line of an exit comes before the line of an
//! entry, the first call was over before the second one began, on whatever threads they were. The
//! order of lines is all that the judges use to compare calls of the node with each other; times
//! serve only to find the calls that lie between two moments of a client.

use std::collections::HashMap;

/// One system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) thread: u32,
    pub(crate) name: String,
    /// As text, without the parentheses.
    pub(crate) arguments: String,
    /// The line of its entry, and its time in nanoseconds since the Unix epoch.
    pub(crate) begun: usize,
    pub(crate) begun_at: u64,
    /// The line of its exit; `None` if it never returned.
    pub(crate) ended: Option<usize>,
    pub(crate) result: Option<i64>,
    /// strace made it fail.
    pub(crate) injected: bool,
}

impl Call {
    /// What its first argument, a descriptor, stands for.
    pub(crate) fn file(&self) -> &str {
        let described = self.arguments.split_once('<').map(|(_, rest)| rest);
        let end = described.and_then(|rest| rest.split_once('>'));
        end.map_or("", |(file, _)| file)
    }

    /// Its last argument, a number; a count from the end for the ones before.
    pub(crate) fn number_from_end(&self, count: usize) -> Option<u64> {
        self.arguments.rsplit(", ").nth(count)?.parse().ok()
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.result.is_some_and(|result| 0 <= result)
    }
}

/// Reads a whole trace. Lines that are not calls (signals, exits) are passed over; anything else
/// that is not understood is an error, because a judge must not overlook a call.
pub(crate) fn parse(trace: &str) -> Result<Vec<Call>, String> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: HashMap<u32, usize> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let understood = parse_line(number, line).ok_or_else(|| format!("{number}: {line}"))?;
        match understood {
            Line::Other => {}
            Line::Whole(call) | Line::Begun(call) if unfinished.contains_key(&call.thread) => {
                return Err(format!("{number}: two calls at once: {call:?}"));
            }
            Line::Whole(call) => calls.push(call),
            Line::Begun(call) => {
                unfinished.insert(call.thread, calls.len());
                calls.push(call);
            }
            Line::Resumed(thread, rest) => {
                let begun = unfinished.remove(&thread);
                let call = &mut calls[begun.ok_or_else(|| format!("{number}: {line}"))?];
                let end = parse_end(&rest).ok_or_else(|| format!("{number}: {line}"))?;
                call.arguments.push_str(&end.arguments);
                call.finish(number, &end);
            }
        }
    }
    Ok(calls)
}

enum Line {
    /// With its end.
    Whole(Call),
    Begun(Call),
    /// Of a thread: what comes after `resumed>`.
    Resumed(u32, String),
    Other,
}

/// The rest of a call from within its arguments on.
struct End {
    arguments: String,
    result: Option<i64>,
    injected: bool,
}

impl Call {
    fn finish(&mut self, number: usize, end: &End) {
        // `= ?`: the process ended within the call.
        self.ended = end.result.map(|_| number);
        self.result = end.result;
        self.injected = end.injected;
    }
}

fn parse_line(number: usize, line: &str) -> Option<Line> {
    let (thread, rest) = line.split_once(' ')?;
    let thread = thread.parse().ok()?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    let begun_at = nanoseconds(time)?;
    if rest.starts_with("---") || rest.starts_with("+++") {
        return Some(Line::Other);
    }
    if let Some(resumed) = rest.strip_prefix("<... ") {
        let (_, rest) = resumed.split_once(" resumed>")?;
        return Some(Line::Resumed(thread, rest.to_owned()));
    }
    let (name, rest) = rest.split_once('(')?;
    let mut call = Call {
        thread,
        name: name.to_owned(),
        arguments: String::new(),
        begun: number,
        begun_at,
        ended: None,
        result: None,
        injected: false,
    };
    match rest.strip_suffix(" <unfinished ...>") {
        Some(arguments) => {
            call.arguments = arguments.to_owned();
            Some(Line::Begun(call))
        }
        None => {
            let end = parse_end(rest)?;
            call.arguments.push_str(&end.arguments);
            call.finish(number, &end);
            Some(Line::Whole(call))
        }
    }
}

/// `…) = 0`, `…) = -1 EIO (Input/output error) (INJECTED)`, `…) = ?`, or the latter's form when the
/// process ended before strace knew more: `…)= ?`.
fn parse_end(rest: &str) -> Option<End> {
    let (arguments, result) = rest.rsplit_once(" = ").or_else(|| rest.rsplit_once("= "))?;
    let number = result.split([' ', '<']).next()?;
    let result = match number {
        "?" => None,
        number => Some(number.parse().ok()?),
    };
    Some(End {
        arguments: arguments.trim_end().strip_suffix(')')?.to_owned(),
        result,
        injected: rest.contains("(INJECTED)"),
    })
}

/// `1795640571.375715`.
fn nanoseconds(time: &str) -> Option<u64> {
    let (seconds, micros) = time.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let micros: u64 = (micros.len() == 6).then(|| micros.parse().ok())??;
    Some(seconds * 1_000_000_000 + micros * 1_000)
}

#[test]
fn lines_of_strace_are_understood() {
    let trace = "\
7 1.000001 openat(AT_FDCWD</d>, \"/d/lock\", O_WRONLY|O_CREAT, 0666) = 12</d/lock>
7 1.000002 pwrite64(13</d/1.keel>, \"\"..., 4096, 8192 <unfinished ...>
8 1.000003 sendmsg(9<socket:[1]>, {msg_iov=[{iov_base=\"\"..., iov_len=34}]}, 0) = 34
7 1.000004 <... pwrite64 resumed>)     = 4096
7 1.000005 fdatasync(13</d/1.keel>) = -1 EIO (Input/output error) (INJECTED)
8 1.000006 --- SIGTERM {si_signo=SIGTERM} ---
7 1.000007 fdatasync(13</d/1.keel> <unfinished ...>
7 1.000008 <... fdatasync resumed>) = ?
8 1.000009 +++ exited with 0 +++
";
    let calls = parse(trace).unwrap();
    let told: Vec<_> = calls
        .iter()
        .map(|call| (&*call.name, call.begun, call.ended, call.result))
        .collect();
    let expected = [
        ("openat", 0, Some(0), Some(12)),
        ("pwrite64", 1, Some(3), Some(4_096)),
        ("sendmsg", 2, Some(2), Some(34)),
        ("fdatasync", 4, Some(4), Some(-1)),
        ("fdatasync", 6, None, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(calls[1].file(), "/d/1.keel");
    assert_eq!(calls[1].number_from_end(0), Some(8_192));
    assert_eq!(calls[1].number_from_end(1), Some(4_096));
    assert_eq!(calls[2].file(), "socket:[1]");
    assert_eq!(calls[1].begun_at, 1_000_002_000);
    assert!(calls[3].injected && !calls[3].succeeded());
    for bad in [
        "7 1.000001 what is this",
        "7 1.000001 <... fdatasync resumed>) = 0",
        "7 1 fdatasync(1</d>) = 0",
        "7 1.000001 fdatasync(1</d> <unfinished ...>\n7 1.000002 fdatasync(1</d> <unfinished ...>",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

//! Gets the recorded order stream that `loadgen replay` sends: 30 minutes of Bitstamp BTC/USD,
//! level 3, out of a published Python wheel. Its licence is not ours, so nothing of it is
//! committed: it goes to `data/`, which git ignores. Running it again does nothing.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;

use crate::project::{Failure, Project};

const WHEEL: &str = "ob-analytics==0.1.0";
const WHEEL_FILE: &str = "ob_analytics-0.1.0-py3-none-any.whl";
const MEMBER: &str = "ob_analytics/_sample_data/orders.csv.gz";
const OUTPUT: &str = "bitstamp-btcusd-20260502.csv";
const HEADER: &str = "id,timestamp,exchange_timestamp,price,volume,action,direction";
/// What `research/matching.md` counted; another number means another recording.
const ROWS: usize = 314_057;

/// Downloads, unpacks and checks the recording unless it is there.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let data = project.root().join("data");
    let output = data.join(OUTPUT);
    if output.is_file() && check_recording(&output).is_ok() {
        println!("fetch-data: data/{OUTPUT} is there, {ROWS} rows");
        return Ok(());
    }
    let scratch = data.join("download");
    let unpacked = scratch.join("unpacked");
    fs::create_dir_all(&unpacked).map_err(|error| failure(&unpacked, &error))?;

    let mut pip = project.command("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        WHEEL,
        "--dest",
    ])
    .arg(&scratch);
    project.execute(pip)?;
    let mut unzip = project.command("python3");
    unzip
        .args(["-m", "zipfile", "--extract"])
        .arg(scratch.join(WHEEL_FILE))
        .arg(&unpacked);
    project.execute(unzip)?;

    // Unpacked beside its place and moved there when it is whole, so that no half file stays.
    let partial = scratch.join(OUTPUT);
    decompress(&unpacked.join(MEMBER), &partial)?;
    check_recording(&partial)?;
    fs::rename(&partial, &output).map_err(|error| failure(&output, &error))?;
    fs::remove_dir_all(&scratch).map_err(|error| failure(&scratch, &error))?;
    println!("fetch-data: wrote data/{OUTPUT}, {ROWS} rows");
    Ok(())
}

fn decompress(from: &Path, to: &Path) -> Result<(), Failure> {
    let packed = File::open(from).map_err(|error| failure(from, &error))?;
    let mut plain = File::create(to).map_err(|error| failure(to, &error))?;
    std::io::copy(&mut GzDecoder::new(packed), &mut plain)
        .map_err(|error| failure(from, &error))?;
    Ok(())
}

fn check_recording(path: &Path) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| failure(path, &error))?;
    check_rows(BufReader::new(file), ROWS).map_err(|reason| failure(path, &reason))
}

fn check_rows(text: impl BufRead, expected: usize) -> Result<(), String> {
    let mut lines = text.lines();
    match lines.next() {
        Some(Ok(header)) if header == HEADER => {}
        _ => return Err(format!("the first line is not `{HEADER}`")),
    }
    let columns = HEADER.split(',').count();
    let mut rows = 0;
    for line in lines {
        let line = line.map_err(|error| error.to_string())?;
        rows += 1;
        if line.split(',').count() != columns {
            return Err(format!("row {rows} has not {columns} columns"));
        }
    }
    if rows == expected {
        Ok(())
    } else {
        Err(format!("{rows} rows instead of {expected}"))
    }
}

fn failure(path: &Path, reason: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_recording_is_refused() {
        let row = "1,2,3,78318.0,0.5,created,bid\n";
        let check = |text: String| check_rows(text.as_bytes(), 2);
        assert_eq!(check(format!("{HEADER}\n{row}{row}")), Ok(()));
        assert!(check(format!("{HEADER}\n{row}")).is_err());
        assert!(check(format!("{HEADER}\n{row}{row}{row}")).is_err());
        assert!(check(format!("id,price\n{row}{row}")).is_err());
        assert!(check(format!("{HEADER}\n{row}1,2\n")).is_err());
        assert!(check(String::new()).is_err());
    }
}

//! The files that a run leaves: opened before the run, written after it.
//!
//! A report that cannot be written is found out before anything is sent, not after an hour of load.
//! Until the report is there an older file stays as it is, and a new one is taken away again.

use std::fs::{File, OpenOptions, remove_file};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::LoadError;
use crate::report::{RunReport, hgrm, html, series};

/// Forms of a report beside text and JSON.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Forms {
    /// Write the distribution of latencies, too, in milliseconds in the format of HdrHistogram.
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Write what was answered in each interval, too, as comma-separated values.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write the report as a page for browsers, too, with charts and without scripts.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// All files of a run.
#[derive(Debug)]
pub(crate) struct Outputs {
    json: Option<Output>,
    hgrm: Option<Output>,
    csv: Option<Output>,
    html: Option<Output>,
}

impl Outputs {
    /// Opens all that are asked for. A JSON report that goes to standard output is not one of them.
    pub(crate) fn open(json: Option<&Path>, forms: &Forms) -> Result<Self, LoadError> {
        let json = json.filter(|path| path.as_os_str() != "-");
        let paths = [
            json,
            forms.hgrm.as_deref(),
            forms.csv.as_deref(),
            forms.html.as_deref(),
        ];
        for (index, path) in paths.iter().enumerate() {
            if path.is_some() && paths[..index].contains(path) {
                let path = path.unwrap_or(Path::new("")).display();
                let why = format!("{path} cannot be two forms of the report at once");
                return Err(LoadError::Options(why));
            }
        }
        let [json, hgrm, csv, html] = paths.map(|path| path.map(Output::open).transpose());
        Ok(Self {
            json: json?,
            hgrm: hgrm?,
            csv: csv?,
            html: html?,
        })
    }

    /// Writes all.
    pub(crate) fn write(self, report: &RunReport) -> Result<(), LoadError> {
        let broken = |error: serde_json::Error| LoadError::System(error.into());
        if let Some(json) = self.json {
            let text = serde_json::to_string_pretty(report).map_err(broken)?;
            json.write(&format!("{text}\n"))?;
        }
        if let Some(hgrm) = self.hgrm {
            hgrm.write(&hgrm::text(&report.latency))?;
        }
        if let Some(csv) = self.csv {
            csv.write(&series::csv(&report.series, report.signing))?;
        }
        if let Some(html) = self.html {
            html.write(&html::page(report).map_err(broken)?)?;
        }
        Ok(())
    }
}

/// A file that can be written, and is not yet.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    /// Whether it was made by us and nothing is in it.
    is_new: bool,
}

impl Output {
    /// Opens a file without changing what is in it.
    fn open(path: &Path) -> Result<Self, LoadError> {
        let mut options = OpenOptions::new();
        options.write(true);
        let new = options.clone().create_new(true).open(path);
        let is_new = new.is_ok();
        let file = new.or_else(|_| options.open(path));
        Ok(Self {
            file: file.map_err(|error| refused(path, &error))?,
            path: path.to_owned(),
            is_new,
        })
    }

    /// Replaces what is in it.
    fn write(mut self, text: &str) -> Result<(), LoadError> {
        let written = self.truncate().and_then(|()| {
            self.is_new = false;
            self.file.write_all(text.as_bytes())
        });
        written.map_err(|source| LoadError::Output {
            path: self.path.clone(),
            source,
        })
    }

    /// A pipe or a device has no length.
    fn truncate(&self) -> std::io::Result<()> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.is_new {
            // An empty file that stays harms nobody.
            let _ = remove_file(&self.path);
        }
    }
}

/// What was asked for is impossible, and known to be before anything happens.
fn refused(path: &Path, error: &std::io::Error) -> LoadError {
    LoadError::Options(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, read_to_string, write};

    use super::*;

    /// A folder that is gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("loadgen-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_file_is_replaced_only_by_a_report() {
        let folder = Folder::new("outputs");
        let path = folder.0.join("old");
        write(&path, "an older and longer report").unwrap();
        drop(Output::open(&path).unwrap());
        assert_eq!(read_to_string(&path).unwrap(), "an older and longer report");
        Output::open(&path).unwrap().write("new").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_run_that_fails_leaves_no_empty_file() {
        let folder = Folder::new("outputs-new");
        let path = folder.0.join("new");
        drop(Output::open(&path).unwrap());
        assert!(!path.exists());
        Output::open(&path).unwrap().write("").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn one_file_is_not_two_forms() {
        let folder = Folder::new("outputs-two");
        let path = folder.0.join("report");
        let forms = Forms {
            html: Some(path.clone()),
            ..Forms::default()
        };
        let error = Outputs::open(Some(&path), &forms).unwrap_err().to_string();
        assert!(error.contains("two forms"), "{error}");
        assert!(Outputs::open(Some(Path::new("-")), &forms).is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let folder = Folder::new("outputs-none");
        for path in [folder.0.clone(), folder.0.join("no/such/folder")] {
            let error = Output::open(&path).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
        assert!(
            Output::open(Path::new("/dev/null"))
                .unwrap()
                .write("x")
                .is_ok()
        );
    }
}

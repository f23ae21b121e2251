//! How much work a bench does.

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What the names say.
    Full,
    /// A part of it, told by each bench.
    Quick,
    /// Enough to see that it runs.
    Smoke,
}

impl Size {
    /// What a bench was asked for by these flags. `cargo bench` passes `--bench`; without it a bench
    /// is only tried.
    pub const fn asked(test: bool, bench: bool, quick: bool) -> Self {
        match (test || !bench, quick) {
            (true, _) => Self::Smoke,
            (false, true) => Self::Quick,
            (false, false) => Self::Full,
        }
    }

    /// As it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
            Self::Smoke => "smoke",
        }
    }
}

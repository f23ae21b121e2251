//! The terminal while `--tui` has it: taken, drawn on by a thread of its own, and given back whatever
//! happens.
//!
//! The generator hands over what it has counted and goes on: if the thread still draws, that look is
//! left out.

use std::io::{IsTerminal as _, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use loadgen::Progress;
use loadgen::cli::Screen;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::view::View;

/// Takes the terminal.
pub(crate) fn open() -> Result<Box<dyn Screen>, String> {
    if !stdout().is_terminal() {
        return Err(
            "`--tui` draws on a terminal, and standard output is none: leave it out; \
                    `--html` and `--csv` show the same afterwards"
                .to_owned(),
        );
    }
    let terminal = ratatui::try_init().map_err(|error| format!("the terminal refuses: {error}"))?;
    let (looks, seen) = sync_channel(1);
    let thread = std::thread::spawn(move || draw(terminal, &seen));
    Ok(Box::new(Taken { looks, thread }))
}

/// A terminal that is drawn on.
struct Taken {
    looks: SyncSender<Progress>,
    thread: JoinHandle<()>,
}

impl Screen for Taken {
    fn show(&mut self, progress: Progress) {
        // Full: the last look is still being drawn.
        let _ = self.looks.try_send(progress);
    }

    fn finish(self: Box<Self>) {
        drop(self.looks);
        // What it could not draw is no reason to lose the report.
        let _ = self.thread.join();
        ratatui::restore();
    }
}

fn draw(mut terminal: DefaultTerminal, looks: &Receiver<Progress>) {
    let mut view = View::default();
    loop {
        match looks.recv_timeout(KEYS_INTERVAL) {
            Ok(progress) => {
                view.look(progress);
                if terminal.draw(|frame| view.draw(frame)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if is_ended_by_key() {
            ratatui::restore();
            std::process::exit(ENDED);
        }
    }
}

/// In raw mode Ctrl-C is a key like others.
fn is_ended_by_key() -> bool {
    while event::poll(Duration::ZERO).unwrap_or(false) {
        if let Ok(Event::Key(key)) = event::read()
            && key.kind == KeyEventKind::Press
        {
            let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('q') => return true,
                KeyCode::Char('c') if is_control => return true,
                _ => {}
            }
        }
    }
    false
}

/// How long a key waits at most.
const KEYS_INTERVAL: Duration = Duration::from_millis(200);
/// As if SIGINT had ended it.
const ENDED: i32 = 130;

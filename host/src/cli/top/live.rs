//! The terminal: a picture a second, a frame when there is a new picture or a key. Keys that come faster than frames may are
//! taken in together, so that a key held down costs no more than a glance.

use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use waypost::api::v1::{PastSample, Top, TopTask};

use super::draw;
use super::picture::{self, Desk};
use super::screen::{Effect, Key, Screen, Wanted, rows};
use super::terminal::Taken;

/// Between two pictures.
const EVERY: Duration = Duration::from_secs(1);
/// Between two frames, at least.
const LEAST: Duration = Duration::from_millis(40);

/// Shows it until somebody quits.
pub(super) fn run(desk: &Desk, screen: &mut Screen) -> anyhow::Result<()> {
    // Before the terminal is taken: what can't be read is an error like everywhere.
    desk.picture()?;
    show(desk, screen, &mut Taken::take()?)
}

fn show(desk: &Desk, screen: &mut Screen, terminal: &mut Taken) -> anyhow::Result<()> {
    let (mut top, mut samples) = (desk.picture()?, Vec::new());
    let mut due = Instant::now() + EVERY;
    screen.take(&top);
    loop {
        terminal.draw(|frame| draw::frame(frame, &top, screen, &samples))?;
        let next_frame = Instant::now() + LEAST;
        let mut until = due;
        while event::poll(until.saturating_duration_since(Instant::now()))? {
            until = next_frame.min(due);
            let Event::Key(pressed) = event::read()? else { continue };
            match key(pressed).map(|key| screen.press(key, &top)) {
                None | Some(Effect::Nothing) => {}
                Some(Effect::Quit) => return Ok(()),
                Some(Effect::Ask(what, task)) => {
                    screen.note = Some(asked(desk, what, rows(&top).find(|shown| shown.task == task), &task));
                    due = Instant::now();
                }
            }
            // The detail of another task needs its own readings.
            samples = wanted(desk, screen).unwrap_or_default();
        }
        if Instant::now() >= due {
            due = Instant::now() + EVERY;
            match fresh(desk, screen) {
                Ok(read) => (top, samples) = read,
                // What is shown is old; it says so until it can be read again.
                Err(fault) => screen.note = Some(fault.to_string()),
            }
            screen.take(&top);
        }
    }
}

fn fresh(desk: &Desk, screen: &Screen) -> anyhow::Result<(Top, Vec<PastSample>)> {
    Ok((desk.picture()?, wanted(desk, screen)?))
}

/// The readings that the screen shows: those of a task in detail.
fn wanted(desk: &Desk, screen: &Screen) -> anyhow::Result<Vec<PastSample>> {
    let task = screen.selected.as_deref().filter(|_| screen.detail);
    task.map_or(Ok(Vec::new()), |task| desk.samples(task))
}

fn asked(desk: &Desk, what: Wanted, shown: Option<&TopTask>, task: &str) -> String {
    let asked = match what {
        Wanted::Cancel => desk.cancel(task).map(|()| "asked for it to be cancelled"),
        Wanted::PostCopy => desk.post_copy(task).map(|()| "asked for the switch to post-copy"),
    };
    asked.map_or_else(|fault| fault.to_string(), |said| picture::asked(said, shown))
}

fn key(pressed: KeyEvent) -> Option<Key> {
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    Some(match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Char('d') | KeyCode::Enter => Key::Detail,
        KeyCode::Char('c') => Key::Cancel,
        KeyCode::Char('p') => Key::PostCopy,
        KeyCode::Char('y') => Key::Yes,
        KeyCode::Esc | KeyCode::Left => Key::Back,
        KeyCode::Char('q') => Key::Quit,
        _ => Key::Other,
    })
}

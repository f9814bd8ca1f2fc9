//! The terminal while the screen has it. It is given back however that ends: with a key, an error, a panic or a signal; left as it is, it
//! would show nothing of what is typed next.
//!
//! A signal ends the program from a thread of its own, and not by a word to the one that waits for keys: where the terminal
//! itself is gone, which is what SIGHUP says, that one never comes back from its wait.

use std::io::{self, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode};
use ratatui::{DefaultTerminal, Frame};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// For so long a terminal that takes nothing is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// The terminal. Dropping it gives it back.
pub struct Taken {
    terminal: DefaultTerminal,
    /// Held while something is drawn, and from a signal on.
    drawing: Arc<Mutex<()>>,
}

impl Taken {
    /// Takes the terminal of this process. From here on a signal that ends the program gives it back first.
    pub fn take() -> anyhow::Result<Self> {
        let drawing = Arc::default();
        // First: there is no moment in which a signal would leave the terminal as it is.
        end_on_signals(Arc::clone(&drawing)).context("listen to signals")?;
        give_back_on_panic();
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal, drawing }),
            Err(error) => {
                give_back();
                Err(error).context("take the terminal")
            }
        }
    }

    /// Draws a frame.
    pub fn draw(&mut self, frame: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let _drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        self.terminal.draw(frame).map(drop)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal what it was. Where it can't be written to there is nobody to tell.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
}

/// Gives the terminal back before a panic is told, and its cursor with it: where a panic aborts, nothing is dropped any more.
fn give_back_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |what| {
        give_back();
        tell(what);
    }));
}

/// Ends the program on each signal that would, with the status that a shell gives to it, once the terminal was given back.
fn end_on_signals(drawing: Arc<Mutex<()>>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // By a key it is none, but a key; another program may still send it.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    drop(inside);
    let wait = async move {
        let signal = tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hangup.recv() => SignalKind::hangup(),
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = quit.recv() => SignalKind::quit(),
        };
        let last = spawn_blocking(move || {
            // Nothing is drawn any more.
            std::mem::forget(drawing.lock().unwrap_or_else(PoisonError::into_inner));
            give_back();
        });
        let _ = timeout(GRACE, last).await;
        signal.as_raw_value()
    };
    let end = move || std::process::exit(128 + runtime.block_on(wait));
    std::thread::Builder::new().name("signals".into()).spawn(end).map(drop)
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;
    use std::process::{Command, Stdio};

    use super::*;

    /// Says to this test that it runs in a terminal of its own.
    const INSIDE: &str = "WAYPOST_TEST_IN_A_TERMINAL";

    /// Runs itself once more in a terminal, and goes wrong there as a program does whose panics abort.
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        if std::env::var_os(INSIDE).is_some() {
            let mut taken = ManuallyDrop::new(Taken::take().unwrap());
            // Hides the cursor.
            taken.draw(|_| {}).unwrap();
            panic!("on purpose");
        }
        let itself = std::env::current_exe().unwrap();
        let (_, place) = module_path!().split_once("::").unwrap();
        let script = format!(
            "stty rows 24 cols 80; before=$(stty -g); \
             '{}' --exact --nocapture {place}::a_panic_gives_the_terminal_back_before_it_is_told; code=$?; \
             test \"$(stty -g)\" = \"$before\" && echo as it was; exit $code",
            itself.display()
        );
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--flush", "--return", "--command", &script, "/dev/null"]);
        terminal.env(INSIDE, "1").env("TERM", "xterm").env("SHELL", "/bin/sh");
        let mut terminal =
            terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script, of util-linux");
        // Kept open: its end would be a key.
        let keys = terminal.stdin.take();
        let output = terminal.wait_with_output().unwrap();
        drop(keys);
        let seen = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(101), "{seen}");
        let (before, after) =
            seen.rsplit_once("\u{1b}[?1049l").unwrap_or_else(|| panic!("it is not given back: {seen:?}"));
        assert!(before.contains("\u{1b}[?1049h") && before.contains("\u{1b}[?25l"), "{seen:?}");
        let (_, told) = after.split_once("\u{1b}[?25h").unwrap_or_else(|| panic!("there is no cursor: {seen:?}"));
        assert!(told.contains("on purpose") && told.contains("as it was"), "{seen:?}");
    }
}

//! The folder in which a page is done, and who does it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::output;
use super::page::{Block, StopsWatch, What};

/// How long a command that runs on may take to say what the page shows. It answers at once; this is for a machine that is
/// busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// An empty folder outside of the repository.
pub struct Folder {
    dir: TempDir,
    /// What the last command printed.
    printed: Option<String>,
    watching: Option<Watching>,
}

struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A page that was left in the middle must not leave its hosts behind.
        if self.dir.path().join("lab").exists() {
            let _ = self.shell("waypost lab down --dir lab").output();
        }
    }
}

impl Folder {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("waypost-guide-").tempdir().expect("a folder");
        Self { dir, printed: None, watching: None }
    }

    /// Does a page from its first block to its last.
    pub fn follow(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.one(block);
            self.lock_crates();
        }
    }

    fn one(&mut self, block: &Block) {
        let at = block.line;
        match &block.what {
            What::Run { exits, stops_watch } => {
                if *stops_watch == StopsWatch::Yes {
                    self.stop_watching();
                }
                let output = self.shell(&block.text).output().expect("bash runs");
                let printed = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(output.status.code(), Some(*exits), "line {at}: {}\nprinted:\n{printed}", block.text);
                self.printed = Some(printed);
            }
            What::Output => {
                let printed = self.printed.take().unwrap_or_else(|| panic!("line {at}: output of nothing"));
                assert!(
                    output::matches(&block.text, &printed),
                    "line {at}: the page shows\n{}\nand what is printed is\n{printed}",
                    block.text
                );
            }
            What::Watch => self.watching = Some(self.start(&block.text)),
            What::Watched => self.expect_watched(block),
            What::File(path) => self.write(path, &block.text),
            What::Append(path) => {
                let before = self.read(path);
                self.write(path, &(before + &block.text));
            }
            What::Edit(path) => {
                let edited = with_function(&self.read(path), &block.text);
                self.write(path, &edited.unwrap_or_else(|| panic!("line {at}: {path} has no such function")));
            }
            What::Once | What::Example { .. } => {}
        }
    }

    /// Whatever a reader fetches from the registry is, here, what this workspace was built with: nothing is fetched, and
    /// a release of somebody else's crate breaks no test.
    fn lock_crates(&self) {
        for entry in fs::read_dir(self.dir.path()).expect("the folder can be listed").flatten() {
            let lock = entry.path().join("Cargo.lock");
            if entry.path().join("Cargo.toml").exists() && !lock.exists() {
                fs::copy(root().join("Cargo.lock"), lock).expect("the workspace's lock file is copied");
            }
        }
    }

    fn shell(&self, text: &str) -> Command {
        let waypost = Path::new(env!("CARGO_BIN_EXE_waypost")).parent().expect("a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([waypost].into_iter().chain(std::env::split_paths(&path))).expect("a PATH");
        let mut bash = Command::new("bash");
        bash.args(["-euc", &format!("exec 2>&1\n{text}")]).current_dir(self.dir.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            // What cargo says to a test is not for the cargo that a reader runs.
            let name = name.to_string_lossy().into_owned();
            let cargos = name.starts_with("CARGO") && name != "CARGO_HOME";
            if cargos || name.starts_with("WAYPOST") || name.starts_with("XDG_") || name.ends_with("RUSTFLAGS") {
                bash.env_remove(&name);
            }
        }
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(variable).is_none() {
                bash.env(variable, home().join(folder));
            }
        }
        bash.env("HOME", self.dir.path())
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .env("WAYPOST_SOURCE", root())
            .env("RUSTUP_TOOLCHAIN", toolchain())
            .env("CARGO_NET_OFFLINE", "true")
            // Kept from one run to the next, so that the second compiles the policies alone.
            .env("CARGO_TARGET_DIR", root().join("target/guide"));
        bash
    }

    fn start(&self, text: &str) -> Watching {
        let mut child = self.shell(&format!("exec {text}")).stdout(Stdio::piped()).spawn().expect("bash starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let (line, lines) = mpsc::channel();
        thread::spawn(move || {
            for read in out.lines().map_while(Result::ok) {
                // Nobody listens any more at the end.
                if line.send(read).is_err() {
                    return;
                }
            }
        });
        Watching { child, lines }
    }

    fn expect_watched(&self, block: &Block) {
        let watching = self.watching.as_ref().unwrap_or_else(|| panic!("line {}: nothing runs", block.line));
        let (until, mut said) = (Instant::now() + PATIENCE, String::new());
        for expected in block.text.lines() {
            loop {
                let line = watching
                    .lines
                    .recv_timeout(until.saturating_duration_since(Instant::now()))
                    .unwrap_or_else(|_| panic!("line {}: never said {expected:?}, only\n{said}", block.line));
                said.push_str(&line);
                said.push('\n');
                if output::line_matches(expected, &line) {
                    break;
                }
            }
        }
    }

    /// Ctrl-C: it ends, with the exit status of its last answer.
    fn stop_watching(&mut self) {
        let mut watching = self.watching.take().expect("a command runs");
        let killed = Command::new("kill").args(["-s", "INT", &watching.child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
        let status = watching.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "the last answer was: allowed");
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(path, text).expect("the file is written");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join(path)).expect("the file can be read")
    }
}

/// The source with a function in the place of the one that begins with the same line.
fn with_function(source: &str, function: &str) -> Option<String> {
    let head = function.lines().next()?;
    let begin = source.find(&format!("\n{head}\n"))? + 1;
    let end = begin + source[begin..].find("\n}\n")? + 3;
    Some(format!("{}{function}{}", &source[..begin], &source[end..]))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn home() -> PathBuf {
    std::env::home_dir().expect("a home folder, for cargo's registry")
}

/// The toolchain that this workspace is pinned to; outside of it, cargo would take the user's default.
fn toolchain() -> String {
    let pinned = fs::read_to_string(root().join("rust-toolchain.toml")).expect("rust-toolchain.toml can be read");
    let channel = pinned.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a channel");
    channel.trim_matches('"').to_owned()
}

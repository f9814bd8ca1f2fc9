//! A folder with a fleet and a configuration, and the command run in it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Two hosts that share their storage, and three domains on the first.
pub const TWO_HOSTS: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[domain]]
name = "g1"
host = "a"
[[domain]]
name = "off"
host = "a"
state = "shut-off"
[[domain]]
name = "pinned"
host = "a"
hostdevs = ["0000:03:00.0"]
"#;

/// A guest that takes minutes over its link.
pub const SLOW: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[link]]
between = ["a", "b"]
bandwidth_mib_s = 10
[[domain]]
name = "g1"
host = "a"
memory_mib = 4096
"#;

/// A site: its folder goes with it.
pub struct Site {
    dir: TempDir,
}

/// What a command left.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Site {
    /// With the shipped policies.
    pub fn new(fleet: &str) -> Self {
        Self::with(fleet, "")
    }

    /// With more lines of configuration.
    pub fn with(fleet: &str, config: &str) -> Self {
        shipped();
        let dir = tempfile::Builder::new().prefix("waypost-cli-").tempdir().expect("a folder for the test");
        let site = Self { dir };
        site.write("fleet.toml", fleet);
        let head = format!("state_dir = \"state\"\ncache_dir = {:?}\n", cache());
        site.write("waypost.toml", &(head + config));
        site
    }

    /// With all shipped prechecks, and no recovery policy: whoever fails then needs a person.
    pub fn without_recovery(fleet: &str) -> Self {
        let site = Self::with(fleet, "[plugins]\nshipped = false\nfolders = [\"plugins\"]\n");
        fs::create_dir(site.path("plugins")).expect("a folder");
        for entry in fs::read_dir(shipped()).expect("the shipped policies").flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with("recovery-") {
                fs::copy(entry.path(), site.path("plugins").join(name)).expect("copied");
            }
        }
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(path, text).expect("the file is written");
    }

    /// The command, with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        self.bare(&[&["--sim", "fleet.toml"], words].concat())
    }

    /// The command as a client of that service.
    pub fn asking(&self, service: &str, words: &[&str]) -> Command {
        self.bare(&[&["--service", service], words].concat())
    }

    /// The command with these words alone, which finds the configuration of this folder and no other.
    pub fn bare(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
        command.current_dir(self.dir.path()).args(words).env("HOME", self.dir.path()).stdin(Stdio::null());
        for variable in [
            "WAYPOST_CONFIG",
            "WAYPOST_LOG",
            "WAYPOST_LAB",
            "WAYPOST_SERVICE",
            "WAYPOST_TOKEN_FILE",
            "WAYPOST_CA_FILE",
            "NO_COLOR",
            "XDG_CONFIG_HOME",
            "NOTIFY_SOCKET",
            "JOURNAL_STREAM",
            "CREDENTIALS_DIRECTORY",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs it to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).output().expect("waypost runs"))
    }

    /// Runs it and insists on its exit status.
    pub fn expect(&self, code: i32, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, code, "waypost {}\n{}\n{}", words.join(" "), ran.out, ran.err);
        ran
    }

    /// The documents that it prints with `--json`.
    pub fn json(&self, code: i32, words: &[&str]) -> Vec<Value> {
        let words: Vec<&str> = [&["--json"], words].concat();
        self.expect(code, &words).documents()
    }

    /// Its only document.
    pub fn document(&self, code: i32, words: &[&str]) -> Value {
        let mut documents = self.json(code, words);
        assert_eq!(documents.len(), 1, "{documents:?}");
        documents.remove(0)
    }

    /// Starts it, with its output read line by line.
    pub fn start(&self, words: &[&str]) -> Running {
        Running::of(self.command(words))
    }

    /// The tasks on record, newest first.
    pub fn tasks(&self) -> Vec<Value> {
        self.document(0, &["tasks"])["tasks"].as_array().expect("tasks").clone()
    }
}

impl Ran {
    /// What a command that ended left.
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it printed, as documents.
    pub fn documents(&self) -> Vec<Value> {
        documents(&self.out)
    }
}

/// One per line, each with its version and kind.
pub fn documents(text: &str) -> Vec<Value> {
    let documents: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("each line is a JSON document")).collect();
    for document in &documents {
        assert_eq!(document["api"], "v1", "{document}");
        assert!(document["kind"].is_string(), "{document}");
    }
    documents
}

/// A command that runs. It is killed if the test ends first.
pub struct Running {
    pub child: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
    /// What it said on standard error while it was waited for.
    pub said: String,
}

impl Running {
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("waypost starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let err = BufReader::new(child.stderr.take().expect("its errors"));
        Self { child, out, err, said: String::new() }
    }

    /// Reads its standard error until a line holds that text.
    pub fn wait_for_note(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.err.read_line(&mut line).expect("its errors can be read");
            assert!(read > 0, "it ended without saying {text:?}; it said last:\n{}", self.last_said());
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    fn last_said(&self) -> String {
        let lines: Vec<&str> = self.said.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Reads its standard output until a line holds that text; answers all of it.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).expect("its output can be read");
            assert!(read > 0, "it ended without printing {text:?}; it printed:\n{all}");
            all.push_str(&line);
            if line.contains(text) {
                return all;
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(kill.success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ran {
        let (mut out, mut err) = (String::new(), std::mem::take(&mut self.said));
        for line in self.err.by_ref().lines() {
            err.push_str(&line.expect("its errors can be read"));
            err.push('\n');
        }
        for line in self.out.by_ref().lines() {
            out.push_str(&line.expect("its output can be read"));
            out.push('\n');
        }
        let code = self.child.wait().expect("it can be waited for").code().unwrap_or(-1);
        Ran { code, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of the shipped policies.
pub fn shipped() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins");
    let wasm = fs::read_dir(&folder).map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "wasm")).count()
    });
    assert!(wasm > 0, "there are no shipped policies in target/plugins: run `make plugins` first");
    folder
}

/// Compiled policies, shared by all tests: the first one compiles.
fn cache() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("a folder for compiled policies");
    folder
}

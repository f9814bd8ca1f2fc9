//! Has a host's machine open connections: what proves, before anything moves, that its packets reach a destination.
//!
//! libvirt has no call for it. The machine's ssh daemon has: it is asked to forward a connection (`ssh -W`), which it opens from
//! there and says what became of it. No command runs on the host, so that the account needs no shell, and may be held to this
//! (`restrict,port-forwarding`, `permitopen`). What is asked for are an address and a port, never text of a shell. Keys, known
//! hosts and everything else are ssh's own configuration, as they are for a `qemu+ssh` URI; a host key is never accepted
//! unseen, and nobody is asked for anything.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use waypost_core::facts::{Answer, WayTried};
use waypost_core::network::Target;

use crate::logins::{Logins, Turn};

/// For the login, whose network may be a slow one.
const LOGIN: Duration = Duration::from_secs(5);
/// For the connection beyond: a lost packet is sent again after 1 s.
const ANSWER: Duration = Duration::from_secs(3);
/// For all that is tried of one migration's ways, with the turns that others have before: what is not over by then could not be
/// tried. A service answers within 120 s, and has more to ask.
const WHOLE: Duration = Duration::from_secs(60);

/// How the machine of a host is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WayProbe {
    ssh: String,
    key_file: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
}

impl WayProbe {
    /// By the ssh daemon at `ssh://[user@]host[:port]`. An error says what is wrong with that.
    pub fn new(ssh: impl Into<String>) -> Result<Self, &'static str> {
        let ssh = ssh.into();
        let place = ssh.strip_prefix("ssh://").ok_or("it does not begin with ssh://")?;
        let (user, host) = place.rsplit_once('@').unwrap_or(("", place));
        let plain =
            |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@'\"\\".contains(c));
        if host.is_empty() || host.starts_with('-') || !plain(host) {
            return Err("it names no host, or says more than ssh://[user@]host[:port]");
        }
        if user.starts_with('-') || !plain(user) {
            return Err("its user is no name of an account");
        }
        if user.contains(':') {
            return Err("no password goes into a configuration: ssh logs in with a key");
        }
        Ok(Self { ssh, key_file: None, known_hosts: None })
    }

    /// With this key alone, instead of those of ssh's own configuration.
    pub fn with_key(self, key_file: Option<PathBuf>) -> Self {
        Self { key_file, ..self }
    }

    /// Knowing the hosts of this file alone, instead of those of ssh's own configuration.
    pub fn knowing(self, known_hosts: Option<PathBuf>) -> Self {
        Self { known_hosts, ..self }
    }

    /// Tries all, and tells in their order.
    pub(crate) async fn try_ways(&self, targets: &[Target], logins: &Arc<Logins>) -> Vec<WayTried> {
        let mut trying = JoinSet::new();
        let until = Instant::now() + WHOLE;
        let mut told = Vec::new();
        for Target { to, ports } in targets {
            // A name may be what a destination calls itself: whatever it says, ssh gets the text of an address.
            let ports =
                if is_address(to) { ports.clone() } else { Err("it is no address and no host name".to_owned()) };
            let untried = |why: &String| vec![(None, why.clone())];
            let not_over = |port: &u16| (Some(*port), format!("it was not over after {} s", WHOLE.as_secs()));
            let each = ports.as_ref().map_or_else(untried, |ports| ports.iter().map(not_over).collect());
            for (port, why) in each {
                if let Some(port) = port {
                    let (at, probe, to, logins) = (told.len(), self.clone(), to.clone(), Arc::clone(logins));
                    let attempt = move || connected(probe.clone(), to.clone(), port, Arc::clone(&logins));
                    trying.spawn(async move { (at, settled(attempt).await) });
                }
                told.push(WayTried { to: to.clone(), port, answer: Answer::Untried, message: Some(why) });
            }
        }
        collect(&mut told, trying, until).await;
        told
    }

    /// One connection.
    fn command(&self, to: &str, port: u16) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-a", "-x", "-T"]);
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "ConnectTimeout=5",
            "ControlPath=none",
            // What a host on the way says of a connection would be taken for the source's word.
            "ProxyJump=none",
            "PermitLocalCommand=no",
            // Where it says that the connection was taken.
            "LogLevel=DEBUG2",
        ] {
            command.args(["-o", option]);
        }
        if let Some(file) = &self.key_file {
            command.arg("-i").arg(file).args(["-o", "IdentitiesOnly=yes"]);
        }
        if let Some(file) = &self.known_hosts {
            command.args(["-o", &format!("UserKnownHostsFile=\"{}\"", file.display())]);
            command.args(["-o", "GlobalKnownHostsFile=/dev/null"]);
        }
        let to = if to.contains(':') { format!("[{to}]") } else { to.to_owned() };
        command.args(["-W", &format!("{to}:{port}"), "--", &self.ssh]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':') && text.chars().all(plain)
}

/// What ssh says while it tries.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// The daemon is past the login and answers to requests: what it was asked for it tries from now on.
    Serving,
    Told(Answer, Option<String>),
    /// Nothing about the connection: why ssh gave up, if it is the last thing that it says.
    Words(String),
}

/// The errors of a connection that tell of the way.
const NO_WAY: [&str; 4] = ["No route to host", "Network is unreachable", "Host is down", "Name or service not known"];

fn heard(line: &str) -> Option<Heard> {
    if let Some((_, why)) = line.split_once("open failed: ") {
        let told = match why.strip_prefix("connect failed: ") {
            Some("Connection refused") => Heard::Told(Answer::Refused, Some("Connection refused".to_owned())),
            Some("Connection timed out") => Heard::Told(Answer::Silent, Some("Connection timed out".to_owned())),
            Some(why) if NO_WAY.contains(&why) => Heard::Told(Answer::NoWay, Some(why.to_owned())),
            // Trouble of the machine itself, which says nothing of the way.
            Some(why) => Heard::Told(Answer::Untried, Some(format!("its ssh daemon could not try: {why}"))),
            // The account may not, which says nothing of the way.
            None => Heard::Told(Answer::Untried, Some(format!("its ssh daemon forwards no connection there: {why}"))),
        };
        return Some(told);
    }
    if line.contains("client_input_global_request: rtype hostkeys") {
        return Some(Heard::Serving);
    }
    if line.starts_with("debug") {
        return line.contains(": open confirm ").then_some(Heard::Told(Answer::Taken, None));
    }
    (!line.trim().is_empty()).then(|| Heard::Words(line.trim().to_owned()))
}

/// What became of a connection, with the words on it.
type Told = (Answer, Option<String>);

/// Silence may be one lost packet, or a moment in which somebody was busy. It counts where a second attempt meets it again.
async fn settled<F: Future<Output = Told>>(mut attempt: impl FnMut() -> F) -> Told {
    let words = |(answer, message): Told| message.unwrap_or_else(|| answer.to_string());
    let first = attempt().await;
    if first.0 != Answer::Silent {
        return first;
    }
    match attempt().await {
        (Answer::Silent, _) => (Answer::Silent, Some(format!("{}, tried twice", words(first)))),
        again @ (Answer::Untried, _) => {
            let why = format!("{} at first, and it could not be tried again: {}", words(first), words(again));
            (Answer::Untried, Some(why))
        }
        other => other,
    }
}

/// Puts down what becomes of the attempts, each in its place, until that time. Those that are not over by then end.
async fn collect(told: &mut [WayTried], mut trying: JoinSet<(usize, Told)>, until: Instant) {
    while let Ok(Some(tried)) = timeout_at(until, trying.join_next()).await {
        if let Ok((at, (answer, message))) = tried
            && let Some(way) = told.get_mut(at)
        {
            (way.answer, way.message) = (answer, message);
        }
    }
}

/// One connection, and what comes of its login is known to others.
async fn connected(probe: WayProbe, to: String, port: u16, logins: Arc<Logins>) -> Told {
    let untried = |why: String| (Answer::Untried, Some(why));
    let mut turn = match logins.turn(&probe).await {
        Ok(turn) => turn,
        Err(why) => return untried(why),
    };
    let mut ssh = match probe.command(&to, port).spawn() {
        Ok(ssh) => ssh,
        Err(error) => return untried(format!("ssh does not start here: {error}")),
    };
    let Some(said) = ssh.stderr.take() else { return untried("ssh says nothing".to_owned()) };
    match listened(BufReader::new(said), &mut turn).await {
        Ok(told) => told,
        Err(words) => {
            turn.refused(&words).await;
            untried(format!("ssh: {words}"))
        }
    }
}

/// Whether these words of ssh say that the account, or its key, is not let in. A key file that can't be read is another matter.
fn is_refusal(words: &str) -> bool {
    words.contains(": Permission denied (") || words.contains("Too many authentication failures")
}

/// What ssh says of the connection. An error are its words when the login was refused.
async fn listened(said: impl AsyncBufRead + Unpin, turn: &mut Turn<'_>) -> Result<Told, String> {
    let untried = |why: String| Ok((Answer::Untried, Some(why)));
    let mut lines = said.split(b'\n');
    let (mut serving, mut last, mut refused, mut until) = (false, None, None, Instant::now() + LOGIN);
    loop {
        let line = match timeout_at(until, lines.next_segment()).await {
            Ok(Ok(Some(line))) => String::from_utf8_lossy(&line).trim_end().to_owned(),
            Err(_) if serving => {
                return Ok((Answer::Silent, Some(format!("no answer within {} s", ANSWER.as_secs()))));
            }
            Err(_) => return untried(format!("no login by ssh within {} s", LOGIN.as_secs())),
            Ok(Ok(None) | Err(_)) => {
                if let Some(words) = refused {
                    return Err(words);
                }
                let why = last.map_or_else(|| "ssh ended".to_owned(), |words: String| format!("ssh: {words}"));
                return untried(why);
            }
        };
        match heard(&line) {
            Some(Heard::Told(answer, message)) if serving => return Ok((answer, message)),
            // Before that it may be the word of somebody on the way.
            Some(Heard::Told(..)) | None => {}
            Some(Heard::Serving) if !serving => {
                turn.let_in();
                (serving, until) = (true, Instant::now() + ANSWER);
            }
            Some(Heard::Serving) => {}
            Some(Heard::Words(words)) => {
                if !serving && is_refusal(&words) {
                    refused = Some(words.clone());
                }
                last = Some(words);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_place_of_an_ssh_daemon_is_taken() {
        for place in ["ssh://kvm1", "ssh://waypost@kvm1.example:2222", "ssh://root@[fd00::1]:22", "ssh://a-b@10.0.0.1"]
        {
            assert_eq!(WayProbe::new(place).unwrap().ssh, place);
        }
        for (place, says) in [
            ("kvm1", "ssh://"),
            ("qemu+ssh://kvm1/system", "ssh://"),
            ("ssh://", "names no host"),
            ("ssh://root@", "names no host"),
            ("ssh://-oProxyCommand=x", "names no host"),
            ("ssh://kvm1/system", "says more"),
            ("ssh://kvm1?keyfile=k", "says more"),
            ("ssh://kvm 1", "says more"),
            ("ssh://-l@kvm1", "no name of an account"),
            ("ssh://a b@kvm1", "no name of an account"),
            ("ssh://root:secret@kvm1", "no password"),
        ] {
            let why = WayProbe::new(place).unwrap_err();
            assert!(why.contains(says), "{place}: {why}");
        }
    }

    #[tokio::test]
    async fn silence_counts_where_it_was_met_twice() {
        let told = |answer, words: &str| (answer, Some(words.to_owned()));
        let silent = || told(Answer::Silent, "no answer within 3 s");
        let refused = || told(Answer::Refused, "Connection refused");
        let gone = || told(Answer::NoWay, "No route to host");
        let once = "no answer within 3 s at first, and it could not be tried again: no login";
        for (answers, expected) in [
            (vec![refused()], refused()),
            (vec![gone()], gone()),
            (vec![told(Answer::Untried, "no login")], told(Answer::Untried, "no login")),
            (vec![silent(), refused()], refused()),
            (vec![silent(), gone()], gone()),
            (vec![silent(), (Answer::Taken, None)], (Answer::Taken, None)),
            (vec![silent(), silent()], told(Answer::Silent, "no answer within 3 s, tried twice")),
            (vec![silent(), told(Answer::Untried, "no login")], told(Answer::Untried, once)),
        ] {
            let mut left = answers.into_iter();
            let attempt = || std::future::ready(left.next().expect("it is not tried a third time"));
            assert_eq!(settled(attempt).await, expected);
            assert_eq!(left.next(), None, "all were needed");
        }
    }

    #[tokio::test]
    async fn what_is_not_over_in_time_could_not_be_tried() {
        let not_yet = |port| WayTried {
            to: "10.0.0.2".to_owned(),
            port: Some(port),
            answer: Answer::Untried,
            message: Some("it was not over after 60 s".to_owned()),
        };
        let mut told = vec![not_yet(1), not_yet(2)];
        let mut trying = JoinSet::new();
        trying.spawn(async { (1, (Answer::Taken, None)) });
        collect(&mut told, trying, Instant::now() + WHOLE).await;
        assert_eq!(told, [not_yet(1), WayTried { answer: Answer::Taken, message: None, ..not_yet(2) }]);
        let mut trying = JoinSet::new();
        trying.spawn(std::future::pending());
        collect(&mut told, trying, Instant::now()).await;
        assert_eq!(told[0], not_yet(1));
    }

    #[tokio::test]
    async fn a_refused_login_is_told_from_every_other_end() {
        let told = |answer, words: &str| Ok((answer, Some(words.to_owned())));
        let unreadable = "Load key \"/etc/waypost/probe.key\": Permission denied";
        let denied = "waypost@kvm1: Permission denied (publickey).";
        let too_many = "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures";
        let serving = "debug1: client_input_global_request: rtype hostkeys-00@openssh.com want_reply 0";
        for (lines, expected) in [
            (vec![unreadable, denied], Err(denied.to_owned())),
            (vec![too_many, "Disconnected from 10.0.0.1 port 22"], Err(too_many.to_owned())),
            (vec![unreadable], told(Answer::Untried, &format!("ssh: {unreadable}"))),
            (vec!["Host key verification failed."], told(Answer::Untried, "ssh: Host key verification failed.")),
            (vec![], told(Answer::Untried, "ssh ended")),
            (
                vec![serving, "channel 0: open failed: connect failed: Connection refused"],
                told(Answer::Refused, "Connection refused"),
            ),
            (vec![serving, denied], told(Answer::Untried, &format!("ssh: {denied}"))),
        ] {
            // Each with a place of which nothing is known.
            let (logins, probe) = (Logins::default(), WayProbe::new("ssh://waypost@kvm1").unwrap());
            let mut turn = logins.turn(&probe).await.unwrap();
            assert_eq!(listened(lines.join("\n").as_bytes(), &mut turn).await, expected, "{lines:?}");
        }
    }

    #[test]
    fn what_a_destination_calls_itself_is_an_address_or_not_tried() {
        for address in ["10.0.0.2", "fd00::2", "::1", "fe80::1%eth0", "kvm2.example", "kvm_2"] {
            assert!(is_address(address), "{address}");
        }
        for other in ["", "-oProxyCommand=x", "kvm2 -v", "/run/socket", "kvm2;x", "k\u{fc}m", "a@b", "[::1]"] {
            assert!(!is_address(other), "{other}");
        }
    }

    /// As OpenSSH 9.2 says it.
    #[test]
    fn what_ssh_says_is_understood() {
        let told = |answer, words: &str| Some(Heard::Told(answer, Some(words.to_owned())));
        for (line, expected) in [
            ("debug1: client_input_global_request: rtype hostkeys-00@openssh.com want_reply 0", Some(Heard::Serving)),
            (
                "channel 0: open failed: connect failed: Temporary failure in name resolution",
                told(Answer::Untried, "its ssh daemon could not try: Temporary failure in name resolution"),
            ),
            ("debug2: channel 0: open confirm rwindow 2097152 rmax 32768", Some(Heard::Told(Answer::Taken, None))),
            ("channel 0: open failed: connect failed: Connection refused", told(Answer::Refused, "Connection refused")),
            ("channel 0: open failed: connect failed: No route to host", told(Answer::NoWay, "No route to host")),
            (
                "channel 0: open failed: connect failed: Connection timed out",
                told(Answer::Silent, "Connection timed out"),
            ),
            (
                "channel 0: open failed: connect failed: Name or service not known",
                told(Answer::NoWay, "Name or service not known"),
            ),
            (
                "channel 0: open failed: administratively prohibited: open failed",
                told(
                    Answer::Untried,
                    "its ssh daemon forwards no connection there: administratively prohibited: open failed",
                ),
            ),
            ("Host key verification failed.", Some(Heard::Words("Host key verification failed.".to_owned()))),
            ("debug1: Connecting to 10.0.0.1 [10.0.0.1] port 22.", None),
            ("debug2: channel_input_open_confirmation: channel 0: callback start", None),
            ("", None),
        ] {
            assert_eq!(heard(line), expected, "{line}");
        }
    }
}

//! What is wrong with a command line, for whoever typed it: clap's words taken apart for programs, one sentence and the rest
//! of it; and the core's refusals, which name options as a request has them, with the options as they are typed.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use waypost::EngineError;
use waypost::service::client::ClientError;

use super::args::Cli;
use super::exit;

/// What is wrong, and what clap adds to that: what was missing, what is possible, a word that is nearer. Its usage line and
/// the hint at `--help` are for people.
pub fn words(error: &clap::Error) -> (String, Vec<String>) {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return ("no command is given: `waypost --help` lists them".to_owned(), Vec::new());
    }
    let text = error.render().to_string();
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let first = lines.next().unwrap_or("the command line makes no sense");
    let message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    (message, lines.map(str::to_owned).collect())
}

/// The same error, with the options of a refused request as they are typed.
pub fn as_typed(error: anyhow::Error) -> anyhow::Error {
    match refusal(&error) {
        Some(refusal) => anyhow::anyhow!("the request can't be taken: {}", dashed(&refusal, &options_of_migrate())),
        None => error,
    }
}

/// Why a request can't be taken, if the error says that: the core's own words, which a service passes on.
fn refusal(error: &anyhow::Error) -> Option<String> {
    if let Some(EngineError::Refused(refusal)) = error.downcast_ref::<EngineError>() {
        return Some(refusal.to_string());
    }
    match error.downcast_ref::<ClientError>().filter(|error| exit::refused_by_service(error)) {
        // What is refused of a task is no request for one.
        Some(ClientError::Problem { problem, .. }) if problem.task.is_none() => Some(problem.detail.clone()),
        _ => None,
    }
}

fn options_of_migrate() -> BTreeSet<String> {
    let mut command = Cli::command();
    let migrate = command.find_subcommand_mut("migrate");
    migrate.map_or_else(BTreeSet::new, |migrate| {
        migrate.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
    })
}

/// Puts two dashes before the options in a refusal. A word with a dash in it is one wherever it stands; another only where a
/// refusal names options, because `network` and `live` are words, too.
fn dashed(refusal: &str, options: &BTreeSet<String>) -> String {
    // The two of a conflict stand before its end, which the reason's own words may not be taken for.
    let named = refusal.find(" exclude each other").unwrap_or(0);
    let (mut at, mut before) = (0, "");
    let mut words = Vec::new();
    for word in refusal.split(' ') {
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let named_here =
            at == 0 || (before == "and" && at < named) || matches!(before, "needs" | "add" | "drop" | "leave");
        let is_option = options.contains(bare) && (bare.contains('-') || named_here);
        words.push(if is_option { format!("--{word}") } else { word.to_owned() });
        at += word.len() + 1;
        before = word;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};
    use waypost::core::admission::admit_options;
    use waypost::core::request::{Mode, Options, Persistence};
    use waypost::core::stream::{Stream, Transport};

    use super::*;

    #[test]
    fn the_usage_line_is_left_out_and_the_hints_stay() {
        let command = Command::new("x").subcommand(Command::new("move").arg(Arg::new("to").long("to").required(true)));
        let of = |words: &[&str]| super::words(&command.clone().try_get_matches_from(words).unwrap_err());
        let (message, because) = of(&["x", "mvoe"]);
        assert!(message.starts_with("unrecognized subcommand 'mvoe'"), "{message}");
        assert!(because.iter().any(|line| line.contains("'move'")), "{because:?}");
        let (message, because) = of(&["x", "move"]);
        assert!(message.contains("required arguments were not provided"), "{message}");
        assert_eq!(because, ["--to <to>"]);
    }

    #[test]
    fn a_refusal_names_the_options_as_they_are_typed() {
        let options = options_of_migrate();
        let stream = |stream| Options { stream, ..Options::default() };
        let said = |asked: Options| dashed(&admit_options(&asked).unwrap_err().to_string(), &options);
        for (asked, expected) in [
            (
                Options { persistence: Persistence::Transient, ..Options::default() },
                "--transient and undefining the source exclude each other: no definition would be left on either host; add \
                 --keep-source, or drop --transient",
            ),
            (
                Options {
                    network: Some("mig".into()),
                    migrate_uri: Some("tcp://10.0.0.1".into()),
                    ..Options::default()
                },
                "--network and --migrate-uri exclude each other: the URI says where the memory goes already; drop one of them",
            ),
            (
                Options { mode: Mode::Offline, bandwidth_mib_s: Some(1), ..Options::default() },
                "--offline and --bandwidth exclude each other: an offline migration moves a definition, no memory",
            ),
            (
                Options { transport: Transport::Tunnelled, ..stream(Stream { zero_copy: true, ..Stream::default() }) },
                "--tunnelled and --zerocopy exclude each other: a tunnelled migration has one stream, through the connection \
                 of the daemons",
            ),
            (stream(Stream { zero_copy: true, ..Stream::default() }), "--zerocopy needs --parallel: add --parallel"),
            (
                stream(Stream { mt_level: Some(1), ..Stream::default() }),
                "--compress-mt-level needs --compress mt: add the method, or leave it out",
            ),
            (
                Options { timeout_s: 0, ..Options::default() },
                "--timeout (s) is 0, which is outside 1 to 31536000 (a year)",
            ),
            (
                Options { destination_name: Some(" a".into()), ..Options::default() },
                "--name \" a\" is no domain name: it must not be empty, hold a slash, or begin or end with a space",
            ),
        ] {
            assert_eq!(said(asked), expected);
        }
    }

    #[test]
    fn no_command_at_all_is_said_in_words() {
        let command =
            Command::new("x").subcommand(Command::new("move")).subcommand_required(true).arg_required_else_help(true);
        let (message, _) = words(&command.try_get_matches_from(["x"]).unwrap_err());
        assert!(message.starts_with("no command is given"), "{message}");
    }
}

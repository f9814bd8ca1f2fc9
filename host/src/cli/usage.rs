//! What clap says of a command line, taken apart for programs: one sentence, and the rest of it.

use clap::error::ErrorKind;

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

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

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
    fn no_command_at_all_is_said_in_words() {
        let command =
            Command::new("x").subcommand(Command::new("move")).subcommand_required(true).arg_required_else_help(true);
        let (message, _) = words(&command.try_get_matches_from(["x"]).unwrap_err());
        assert!(message.starts_with("no command is given"), "{message}");
    }
}

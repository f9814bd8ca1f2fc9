//! The command line: one file per command, one place that opens things ([`app`]), one that answers, here or from a service
//! ([`answers`]), one that prints ([`output`]), one that follows a task ([`follow`]), one that decides the exit status ([`exit`]).

mod advice;
mod answers;
mod app;
mod args;
mod exit;
mod findings;
mod follow;
mod output;
mod plan;
mod report;

mod audit;
mod cancel;
mod check;
mod domains;
mod drive;
mod dry_run;
mod hosts;
mod lab;
mod log;
mod man;
mod migrate;
mod openapi;
mod plugin;
mod recover;
mod serve;
mod state;
mod steer;
mod task;
mod tasks;
mod token;
mod top;
mod usage;
mod watch;

use clap::{CommandFactory, Parser};
use waypost::api::v1::{Document, Failure};

use app::App;
use args::{Cli, Command};
use exit::Exit;
use output::{Audience, Out};

/// Runs the command line of this process.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let out = Out::new(if cli.global.json { Audience::Program } else { Audience::People });
    log::to_stderr(match &cli.command {
        Command::Serve(_) => log::Detail::Course,
        _ => log::Detail::Trouble,
    });
    let app = App::new(cli.global, out);
    run(&app, cli.command).unwrap_or_else(|error| {
        let (exit, advice) = (Exit::of_error(&error), advice::on(&error));
        out.error(&usage::as_typed(error), exit, advice.as_deref());
        exit
    })
}

/// Help and version are no errors, and clap prints them where they belong. An error goes to whoever asked: a program that
/// said `--json` gets a document here as everywhere.
fn not_understood(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    if std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json") {
        let (message, because) = usage::words(error);
        let failure = Failure { message, because, remedy: None, exit_code: Exit::Usage as u8 };
        Out::new(Audience::Program).document(Document::Error(failure));
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

fn run(app: &App, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Hosts => hosts::run(app),
        Command::Domains(args) => domains::run(app, &args),
        Command::Check(args) => check::run(app, *args),
        Command::Migrate(args) => migrate::run(app, *args),
        Command::Tasks(args) => tasks::run(app, &args),
        Command::Top(args) => top::run(app, &args),
        Command::Task(args) => task::run(app, args.id),
        Command::Watch(args) => watch::run(app, args.id),
        Command::Steer(args) => steer::run(app, &args),
        Command::Cancel(args) => cancel::run(app, args.id),
        Command::Recover(args) => recover::run(app, args),
        Command::Plugin(command) => plugin::run(app, command),
        Command::Serve(args) => {
            app.only_here("serve")?;
            serve::run(app, args)
        }
        Command::Token(command) => {
            app.only_beside_the_service("token")?;
            token::run(app, command)
        }
        Command::Audit(args::Audit { command: Some(command), .. }) => {
            app.only_beside_the_service("audit prune")?;
            audit::prune(app, command)
        }
        Command::Audit(args) => audit::run(app, args),
        Command::Openapi => {
            app.only_here("openapi")?;
            openapi::run()
        }
        Command::State(command) => {
            app.only_records_here("state")?;
            state::run(app, command)
        }
        Command::Lab(command) => {
            app.only_here("lab")?;
            lab::run(app, command)
        }
        Command::Drive(args) => drive::run(app, args.id),
        Command::Completions { shell } => {
            app.only_here("completions")?;
            clap_complete::generate(shell, &mut Cli::command(), "waypost", &mut std::io::stdout());
            Ok(Exit::Done)
        }
        Command::Man { dir } => {
            app.only_here("man")?;
            man::run(Cli::command(), &dir)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}

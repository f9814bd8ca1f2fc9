//! `waypost plugin`: what is in force, what a file is, a folder to start from.

mod inspect;
mod list;
mod new;

use super::app::App;
use super::args::Plugin;
use super::exit::Exit;

pub fn run(app: &App, command: Plugin) -> anyhow::Result<Exit> {
    match command {
        Plugin::List => list::run(app),
        Plugin::Inspect { file } => {
            app.only_here("plugin inspect")?;
            inspect::run(app, &file)
        }
        Plugin::New { dir, hook } => {
            app.only_here("plugin new")?;
            new::run(app, &dir, hook)
        }
    }
}

//! `waypost man`: a manual page per command, made from the command line itself, so that none can say what is not so.

use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;

use super::exit::Exit;

pub fn run(command: Command, dir: &Path) -> anyhow::Result<Exit> {
    let attempted = || format!("write the manual pages into {}", dir.display());
    std::fs::create_dir_all(dir).with_context(attempted)?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(&command, dir).with_context(attempted)?;
    Ok(Exit::Done)
}

/// Its own page and those of the commands below it.
fn pages(command: &Command, dir: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, dir)?;
    }
    let source = concat!("waypost ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(source).manual("Waypost").generate_to(dir).map(drop)
}

//! `waypost top`: what runs, waits and ended, on one screen that stays fresh. It reads the state store alone, as `tasks`
//! does: it works without a service, shows what every process drives, and asks no host anything. Where a service is named, it
//! shows the same of that.
//!
//! [`picture`] is what is shown, [`screen`] what keys do to it, [`draw`] how it looks, [`live`] the loop over all three, [`terminal`]
//! how the terminal is taken and given back. The first three know no terminal, so that all of them can be tested to the line.

mod draw;
mod live;
mod picture;
mod screen;
mod terminal;

use std::io::{IsTerminal as _, stdout};

use anyhow::Context as _;
use tokio::runtime::Builder;
use waypost::World;
use waypost::api::v1::Document;

use super::app::App;
use super::args;
use super::exit::Exit;
use picture::Desk;
use screen::Screen;

/// Columns where nobody says how many there are.
const COLUMNS: u16 = 120;

pub fn run(app: &App, args: &args::Top) -> anyhow::Result<Exit> {
    let desk = desk(app)?;
    if !app.out.for_people() {
        app.out.document(Document::Top(desk.picture()?));
        return Ok(Exit::Done);
    }
    // Whoever reads a file or a pipe gets one frame: there is nobody to press a key.
    if args.once || !stdout().is_terminal() {
        for line in draw::plain(&desk.picture()?, columns()) {
            app.out.line(line);
        }
        return Ok(Exit::Done);
    }
    live::run(&desk, &mut Screen::default())?;
    Ok(Exit::Done)
}

fn desk(app: &App) -> anyhow::Result<Desk> {
    if let Some(client) = app.service()? {
        let runtime = Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        return Ok(Desk::There { client, runtime });
    }
    let (store, feed) = app.store_and_feed()?;
    let hosts = match app.world() {
        World::Libvirt => app.config()?.hosts.iter().map(|host| host.name.to_string()).collect(),
        World::Simulated { .. } => Vec::new(),
    };
    Ok(Desk::Here { store, feed, hosts, requester: app.requester() })
}

fn columns() -> u16 {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let wide = || stdout().is_terminal().then(ratatui::crossterm::terminal::size).and_then(Result::ok);
    said.or_else(|| wide().map(|(columns, _)| columns)).unwrap_or(COLUMNS).clamp(40, 400)
}

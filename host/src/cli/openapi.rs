//! `waypost openapi`: the description of the service's HTTP interface, made from the routes themselves.

use anyhow::Context as _;

use super::exit::Exit;

pub fn run() -> anyhow::Result<Exit> {
    let text = waypost::service::openapi().to_pretty_json().context("write the description as JSON")?;
    println!("{text}");
    Ok(Exit::Done)
}

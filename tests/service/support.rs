//! What every test here is made of: a site with simulated hosts and a store on disk, a client, and a reader of events.

// A folder with a fleet and a configuration, and the command run in it: the same as in the tests of the command.
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the command's tests need more of it")]
pub mod command;

mod client;
mod collector;
mod described;
pub mod exposition;
pub mod guests;
mod listener;
mod minds;
mod network;
mod program;
mod site;
mod stream;

pub use client::{Answer, Client};
pub use collector::Collector;
pub use listener::Heard;
pub use minds::TriesAgain;
pub use network::{Authority, Back, Network, OnPort};
pub use program::{Program, SOCKET};
pub use site::{BEGAN, SLOW, Site, TWO_HOSTS, VirtualClock, in_virtual_time};
pub use stream::Kept;

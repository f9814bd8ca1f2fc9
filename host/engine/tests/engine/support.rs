//! What every test here is made of: a case, a site to play it on, and the judge of how it ended.

mod judge;
mod meanwhile;
mod memory;
mod minds;
mod site;
mod spy;

pub use judge::{Ran, judge, tell};
pub use meanwhile::Sight;
pub use memory::MemoryStore;
pub use minds::{Dice, Mind, Minded};
pub use site::{Case, OWN, Place, Site, VirtualClock, a, b, in_virtual_time, side_by_side};
pub use spy::{Ledger, Meddle, Stroke};

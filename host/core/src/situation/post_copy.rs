//! A domain whose memory is on both sides: from the moment of the switch the two copies together are *one* guest. The
//! destination's runs and lacks memory, the source's holds what it lacks and is older than the disks. So neither is ever
//! destroyed here, and the source's is never resumed. The table is in `docs/recovery.md`
//! (*Half a guest*), where `flows` and `broken` are libvirt's `post-copy` and `post-copy failed`, as that side knows.
//!
//! The order to interrupt goes to the source alone: on the destination libvirt has no such call (9.0 lets even the
//! monitor's wait behind the migration). A destination that has not noticed can't be told; it notices by itself when the
//! source's farewell or the next page request comes through, and until then refuses to be joined, which harms nothing.

use super::view::{Ending, Half, View, began_anew};
use super::{Action, Side};
use crate::plan::{DestinationFate, Plan};

/// What is permitted if either side is in post-copy.
pub(super) fn permitted(plan: &Plan, there: &Side, source: View, destination: View) -> Option<Vec<Action>> {
    use Action as A;
    use Half::{Broken, Flowing};
    Some(match (source, destination) {
        (View::PostCopy(Flowing), View::PostCopy(Flowing)) => vec![A::Wait, A::InterruptPostCopy],
        (View::PostCopy(Flowing), View::PostCopy(Broken) | View::Absent | View::Inactive(_)) => {
            vec![A::InterruptPostCopy, A::Wait, A::HandOver]
        }
        (View::PostCopy(Broken), View::PostCopy(_)) => vec![A::ResumePostCopy, A::Wait, A::HandOver],
        (View::PostCopy(Broken), gone) if destination_died(plan, gone) => vec![A::DeclareLost, A::HandOver],
        (gone, View::PostCopy(Broken)) if source_died(gone) => vec![A::DeclareLost, A::HandOver],
        // What was booted there has nothing to do with the half that is here.
        (View::PostCopy(_), View::Runs) if began_anew(there) => vec![A::HandOver],
        (View::PostCopy(_), _) | (_, View::PostCopy(_)) => vec![A::Wait, A::HandOver],
        _ => return None,
    })
}

/// Whether nothing will move by itself any more.
pub(super) fn is_interrupted(source: View, destination: View) -> bool {
    use Half::Broken;
    match (source, destination) {
        // Beside a guest that is whole, too: where the source was told otherwise, it shows its job until its daemon looks again.
        (View::PostCopy(Broken), there) => there != View::Unknown,
        (View::PostCopy(_), View::PostCopy(Broken) | View::Absent | View::Inactive(_)) => true,
        (gone, View::PostCopy(Broken)) => source_died(gone),
        // A destination whose source lost its power hears nothing, and may wait for the rest for ever. Where nothing is left on the
        // source the guest may as well have arrived, and the destination doesn't know it yet.
        (View::Inactive(Ending::Broken | Ending::InOrder | Ending::Untold), View::PostCopy(Half::Flowing)) => true,
        _ => false,
    }
}

/// Whether the source alone says that it broke. It says so, too, where only whoever drove the migration is gone.
pub(super) fn is_left_alone(source: View, destination: View) -> bool {
    (source, destination) == (View::PostCopy(Half::Broken), View::PostCopy(Half::Flowing))
}

/// The destination's process is gone before it had all memory. One that was shut down in order had it; of one that was
/// to be transient nothing is left to tell the two apart.
fn destination_died(plan: &Plan, destination: View) -> bool {
    match destination {
        View::Inactive(Ending::Broken) => true,
        View::Absent => plan.destination_fate == DestinationFate::Define,
        _ => false,
    }
}

/// The source's process is gone, and the destination knows that it lacks memory.
fn source_died(source: View) -> bool {
    matches!(source, View::Absent | View::Inactive(Ending::Broken | Ending::InOrder | Ending::Untold))
}

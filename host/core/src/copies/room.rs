//! What whole copies take of their pools, and what there is to carry of disks that are copied.
//!
//! libvirt has the hypervisor read a disk through all of its images and write one whole image, so what counts is what all of them
//! hold together, and never more than the disk's size. What two of them hold of one place counts twice: no call of libvirt tells
//! where they overlap. An incremental copy is that of the disk's own image alone, over a target that is there already.

use super::{CopiedDisk, Copies, Uncopyable};
use crate::facts::{Candidate, Pool, Snapshot};
use crate::stream::{DiskCopy, Disks};

/// What a copy comes to, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weight {
    /// As far as it is told.
    told: u64,
    /// With what isn't told, at most.
    most: u64,
}

impl Weight {
    /// What the images hold that travel.
    fn held(copy: &CopiedDisk, facts: &Snapshot) -> Self {
        let disk = facts.domain.disks.iter().find(|disk| disk.target == copy.target);
        let behind = disk.filter(|_| copy.backing.is_none()).map(|disk| disk.backing.as_slice()).unwrap_or_default();
        let images = [used(facts, &copy.target)].into_iter().chain(behind.iter().map(|layer| layer.allocation_bytes));
        let (mut told, mut whole) = (0_u64, true);
        for image in images {
            told = told.saturating_add(image.unwrap_or(0));
            whole &= image.is_some();
        }
        let told = told.min(copy.capacity_bytes);
        Self { told, most: if whole { told } else { copy.capacity_bytes } }
    }

    /// What its volume takes of a pool. A file grows as it is written; a logical volume has no holes.
    fn in_pool(copy: &CopiedDisk, facts: &Snapshot, pool: &Pool) -> Self {
        match pool.kind.as_str() {
            "logical" => Self { told: copy.capacity_bytes, most: copy.capacity_bytes },
            _ => Self::held(copy, facts),
        }
    }

    fn is_told(self) -> bool {
        self.told == self.most
    }
}

/// What a disk's own image uses of its store, bytes.
fn used(facts: &Snapshot, target: &str) -> Option<u64> {
    let disk = facts.domain.disks.iter().find(|disk| disk.target == target)?;
    let seen = facts.source_disks.iter().find(|view| view.target == target).and_then(|view| view.volume.as_ref());
    disk.allocation_bytes.or(seen.map(|volume| volume.allocation_bytes))
}

/// What the images of disks that are copied hold on the source, bytes: what there is to carry of them. None where it isn't told of
/// one.
pub fn used_bytes(copies: &Copies, facts: &Snapshot) -> Option<u64> {
    let mut each = copies.0.iter().map(|copy| Weight::held(copy, facts));
    each.try_fold(0_u64, |sum, held| held.is_told().then(|| sum.saturating_add(held.told)))
}

/// Takes back what there is no room for, as far as is told what it takes.
pub(super) fn weigh(found: &mut [(String, Result<CopiedDisk, Uncopyable>)], facts: &Snapshot, to: &Candidate) {
    let mut taken: Vec<(String, u64)> = Vec::new();
    for (target, disk) in found {
        let Ok(copy) = disk else { continue };
        let Some(pool) = to.host.pool(&copy.pool) else { continue };
        let takes = Weight::in_pool(copy, facts, pool).told;
        let before: u64 = taken.iter().filter(|(name, _)| *name == copy.pool).map(|(_, bytes)| bytes).sum();
        let needed = before.saturating_add(takes);
        taken.push((copy.pool.clone(), takes));
        if needed > pool.available_bytes {
            *disk = Err(Uncopyable::NoRoom {
                disk: target.clone(),
                host: to.host.name.clone(),
                pool: copy.pool.clone(),
                needed,
                free: pool.available_bytes,
            });
        }
    }
}

/// A sentence for each pool that may have too little room, because not every image tells what it holds. An incremental copy goes
/// over what is there.
pub(crate) fn doubts(asked: &Disks, copies: &Copies, facts: &Snapshot, to: &Candidate) -> Vec<String> {
    if asked.copy != DiskCopy::Full {
        return Vec::new();
    }
    let doubt = |pool: &Pool| {
        let (mut told, mut most, mut untold) = (0_u64, 0_u64, Vec::new());
        for copy in copies.0.iter().filter(|copy| copy.pool == pool.name) {
            let takes = Weight::in_pool(copy, facts, pool);
            told = told.saturating_add(takes.told);
            most = most.saturating_add(takes.most);
            if !takes.is_told() {
                untold.push(copy.target.as_str());
            }
        }
        (most > pool.available_bytes).then(|| {
            format!(
                "pool {} of {} may have too little room: what is copied there takes between {told} and {most} bytes, and {} are \
                 left; what every image of {} holds is not told: {} has no pool over the folders of all of them",
                pool.name,
                to.host.name,
                pool.available_bytes,
                untold.join(", "),
                facts.source.name,
            )
        })
    };
    to.host.pools.iter().filter_map(doubt).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::copies::copies;
    use crate::copies::tests::scene;
    use crate::facts::{BackingLayer, DiskView};

    const GIB: u64 = 1 << 30;

    /// A raw disk of 1 GiB whose own image uses a quarter of it, over images that hold so much, and a pool with so much room.
    fn over(images: &[Option<u64>], free: u64) -> (Disks, Snapshot) {
        let (asked, mut facts) = scene();
        let layer = |bytes: Option<u64>| BackingLayer {
            kind: "file".into(),
            source: Some("/srv/base.img".into()),
            format: None,
            allocation_bytes: bytes,
        };
        Arc::make_mut(&mut facts.domain).disks[0].backing = images.iter().copied().map(layer).collect();
        pool(&mut facts).available_bytes = free;
        (asked, facts)
    }

    fn pool(facts: &mut Snapshot) -> &mut Pool {
        &mut Arc::make_mut(&mut facts.candidates[0].host).pools[0]
    }

    /// What is said of the room, or how much is needed where there is too little.
    fn said(asked: &Disks, facts: &Snapshot) -> Result<Vec<String>, u64> {
        let to = &facts.candidates[0];
        match copies(asked, facts, to) {
            Ok(copies) => Ok(doubts(asked, &copies, facts, to)),
            Err(Uncopyable::NoRoom { needed, .. }) => Err(needed),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_whole_copy_takes_what_all_of_its_images_hold_and_no_more_than_the_disks_size() {
        let rows = [
            (vec![], GIB / 4, Ok(vec![])),
            (vec![], GIB / 4 - 1, Err(GIB / 4)),
            (vec![Some(GIB / 2)], GIB * 3 / 4, Ok(vec![])),
            (vec![Some(GIB / 2)], GIB * 3 / 4 - 1, Err(GIB * 3 / 4)),
            (vec![Some(GIB / 8), Some(GIB / 8)], GIB / 2 - 1, Err(GIB / 2)),
            (vec![Some(3 * GIB)], GIB, Ok(vec![])),
            (vec![Some(3 * GIB)], GIB - 1, Err(GIB)),
        ];
        for (images, free, says) in rows {
            let (asked, facts) = over(&images, free);
            assert_eq!(said(&asked, &facts), says, "{images:?}, {free}");
        }
    }

    #[test]
    fn an_image_that_is_not_told_of_is_said_where_it_may_not_fit() {
        let (asked, facts) = over(&[None], GIB / 2);
        let says = "pool images of b may have too little room: what is copied there takes between 268435456 and 1073741824 bytes, \
                    and 536870912 are left; what every image of vda holds is not told: a has no pool over the folders of all of \
                    them";
        assert_eq!(said(&asked, &facts), Ok(vec![says.to_owned()]));
        let options = crate::request::Options { disks: asked, ..Default::default() };
        let plan = crate::plan::plan(1, &options, &facts, &facts.candidates[0]).unwrap();
        assert!(plan.notes.0.contains(&says.to_owned()), "{:?}", plan.notes);
        for (images, free, says) in [
            (vec![None], GIB, Ok(vec![])),
            (vec![None], GIB / 8, Err(GIB / 4)),
            (vec![None, Some(GIB / 2)], GIB / 2, Err(GIB * 3 / 4)),
            // What is told is all that the disk can hold.
            (vec![None, Some(GIB)], GIB, Ok(vec![])),
        ] {
            let (asked, facts) = over(&images, free);
            assert_eq!(said(&asked, &facts), says, "{images:?}, {free}");
        }
    }

    #[test]
    fn a_logical_volume_takes_the_disks_size() {
        for (free, says) in [(GIB, Ok(vec![])), (GIB - 1, Err(GIB))] {
            let (asked, mut facts) = over(&[None], free);
            pool(&mut facts).kind = "logical".into();
            assert_eq!(said(&asked, &facts), says, "{free}");
        }
    }

    #[test]
    fn what_goes_into_one_pool_is_added_up() {
        for (free, base, says) in [
            (GIB, Some(GIB / 2), Ok(0)),
            (GIB - 1, Some(GIB / 2), Err(GIB)),
            (GIB * 5 / 4, None, Ok(0)),
            (GIB * 5 / 4 - 1, None, Ok(1)),
            (GIB / 2 - 1, None, Err(GIB / 2)),
        ] {
            let (asked, mut facts) = over(&[base], free);
            let mut second = facts.domain.disks[0].clone();
            let path = "/srv/images/data.img";
            (second.target, second.source, second.volume) = ("vdb".into(), Some(path.into()), Some("data.img".into()));
            second.backing.clear();
            Arc::make_mut(&mut facts.domain).disks.push(second);
            let nothing =
                DiskView { target: "vdb".into(), source: path.into(), pool: Some("images".into()), volume: None };
            facts.candidates[0].pair.destination_disks.push(nothing);
            assert_eq!(said(&asked, &facts).map(|doubts| doubts.len()), says, "{free}, {base:?}");
        }
    }

    #[test]
    fn what_there_is_to_carry_is_that_of_the_images_that_travel() {
        for (images, whole) in [
            (vec![], Some(GIB / 4)),
            (vec![Some(GIB / 2)], Some(GIB * 3 / 4)),
            (vec![Some(GIB / 2), Some(GIB / 2)], Some(GIB)),
            (vec![Some(GIB / 2), None], None),
        ] {
            let (asked, facts) = over(&images, 10 * GIB);
            let mut copied = copies(&asked, &facts, &facts.candidates[0]).unwrap();
            assert_eq!(used_bytes(&copied, &facts), whole, "{images:?}");
            copied.0[0].backing = Some("/srv/base.img".into());
            assert_eq!(used_bytes(&copied, &facts), Some(GIB / 4), "{images:?}, over them");
        }
    }
}

//! The turn of one task, and a day of five hundred.

use uuid::Uuid;

use super::*;

fn task(number: u128) -> TaskId {
    TaskId(Uuid::from_u128(number))
}

fn wish(source: &str, destination: &str) -> SlotWish {
    SlotWish { priority: Priority::Normal, source: source.into(), destination: destination.into(), network: None }
}

fn entry(number: u128, at: u64, wish: SlotWish) -> Entry {
    Entry { task: task(number), asked_at: Moment(at), wish, holds: false }
}

fn holding(entry: Entry) -> Entry {
    Entry { holds: true, ..entry }
}

#[test]
fn a_place_that_is_full_is_named_and_so_is_the_place_in_line() {
    let limits = SlotLimits { networks: [("mig".to_owned(), 2)].into(), ..SlotLimits::default() };
    let over = |wish: SlotWish| SlotWish { network: Some("mig".into()), ..wish };
    let mut entries = vec![
        holding(entry(1, 0, over(wish("a", "b")))),
        holding(entry(2, 0, over(wish("a", "c")))),
        entry(3, 5, wish("a", "d")),
        entry(4, 6, wish("a", "d")),
        entry(5, 7, over(wish("e", "f"))),
        entry(6, 8, wish("e", "f")),
    ];
    let say = |entries: &[Entry], number| turn(task(number), entries, &limits, Moment(10)).to_string();
    assert_eq!(say(&entries, 1), "it may begin");
    assert_eq!(say(&entries, 3), "waiting for a slot: 1st; a sends 2 of 2");
    assert_eq!(say(&entries, 4), "waiting for a slot: 2nd; a sends 2 of 2");
    assert_eq!(say(&entries, 5), "waiting for a slot: 1st; network mig carries 2 of 2");
    assert_eq!(say(&entries, 6), "it may begin", "it needs nothing that is full");
    entries.remove(0);
    assert_eq!(say(&entries, 3), "it may begin");
    assert_eq!(say(&entries, 4), "waiting for a slot: 2nd; what is free is kept for tasks before it");
    for (place, expected) in
        [(2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"), (102, "102nd")]
    {
        assert!(Turn::Waiting { place, full: vec![] }.to_string().contains(&format!(": {expected};")), "{expected}");
    }
}

#[test]
fn a_higher_priority_passes_and_only_for_so_long() {
    let busy = holding(entry(1, 0, wish("a", "b")));
    let limits = SlotLimits { outgoing_per_host: 1, ..SlotLimits::default() };
    let of = |priority, number, at| entry(number, at, SlotWish { priority, ..wish("a", "c") });
    let place = |entries: &[Entry], number| match turn(task(number), entries, &limits, Moment(HEAD_START_MS * 3)) {
        Turn::Waiting { place, .. } => place,
        Turn::Granted => 0,
    };
    let entries = [busy.clone(), of(Priority::Low, 2, 0), of(Priority::Normal, 3, 1), of(Priority::High, 4, 2)];
    assert_eq!([2, 3, 4].map(|number| place(&entries, number)), [3, 2, 1]);
    let late = [busy, of(Priority::Low, 2, 0), of(Priority::High, 4, 2 * HEAD_START_MS + 1)];
    assert_eq!([2, 4].map(|number| place(&late, number)), [1, 2]);
}

#[test]
fn who_needs_two_busy_hosts_is_not_passed_for_ever() {
    let limits = SlotLimits { outgoing_per_host: 1, incoming_per_host: 1, ..SlotLimits::default() };
    // It needs a and z; a is busy, z is free, and another task would take z at once.
    let entries = [holding(entry(1, 0, wish("a", "b"))), entry(2, 0, wish("a", "z")), entry(3, 1, wish("c", "z"))];
    assert_eq!(turn(task(3), &entries, &limits, Moment(RESERVED_AFTER_MS - 1)), Turn::Granted);
    assert!(matches!(turn(task(3), &entries, &limits, Moment(RESERVED_AFTER_MS)), Turn::Waiting { place: 2, .. }));
}

#[test]
fn a_clock_that_is_set_back_lets_nobody_pass_and_takes_no_reservation_away() {
    const DAY_MS: u64 = 86_400_000;
    let limits = SlotLimits { outgoing_per_host: 1, incoming_per_host: 1, ..SlotLimits::default() };
    let busy = holding(entry(1, 3 * DAY_MS, wish("a", "b")));
    let two = [entry(7, DAY_MS, wish("a", "z")), entry(8, DAY_MS + 1, wish("a", "z"))];
    let mut entries = vec![busy];
    assert_eq!(arrival(Moment(5), &entries), Moment(5), "nobody waits");
    entries.extend(two);
    for (now, came) in [(5, DAY_MS + 2), (DAY_MS, DAY_MS + 2), (DAY_MS + 1, DAY_MS + 1), (DAY_MS + 9, DAY_MS + 9)] {
        assert_eq!(arrival(Moment(now), &entries), Moment(came), "at {now}");
    }
    // Two come when the clock is set back by a day, and their ids are as old as it says.
    for number in [2, 3] {
        let came = arrival(Moment(5), &entries);
        entries.push(entry(number, came.0, wish("c", "z")));
    }
    let places = |entries: &[Entry], now: u64| {
        [7, 8, 2, 3].map(|number| match turn(task(number), entries, &limits, Moment(now)) {
            Turn::Waiting { place, .. } => place,
            Turn::Granted => 0,
        })
    };
    assert_eq!(places(&entries, 5), [1, 2, 3, 4], "z is free, and kept for who was there first");
    assert_eq!(places(&entries, DAY_MS - RESERVED_AFTER_MS), [1, 2, 3, 4]);
    assert_eq!(places(&entries, DAY_MS - 1), [1, 2, 0, 4], "it can't have waited for long");
    assert_eq!(places(&entries, DAY_MS + RESERVED_AFTER_MS), [1, 2, 3, 4], "it has by the clock");
    entries.remove(0);
    assert_eq!(places(&entries, 5), [0, 2, 3, 4]);
}

/// A generator of numbers that is the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn a_place_in_line_counts_each_before_it_that_shares_anything_once() {
    let limits = SlotLimits { outgoing_per_host: 1, incoming_per_host: 1, ..SlotLimits::default() };
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let entries: Vec<Entry> = (0..60_u128)
            .map(|number| {
                let network = ["mig", "other"].get(usize::try_from(dice.below(3)).unwrap()).map(|n| (*n).to_owned());
                // The same few names on both sides: a source is no destination.
                let ends = wish(&format!("h{}", dice.below(3)), &format!("h{}", dice.below(3)));
                let entry = entry(number, dice.below(1000), SlotWish { network, ..ends });
                Entry { holds: dice.below(8) == 0, ..entry }
            })
            .collect();
        let turns = standings(&entries, &limits, Moment(1000));
        assert_eq!(turns.len(), entries.len());
        let mut waited = 0;
        for entry in &entries {
            let Turn::Waiting { place, .. } = turns[&entry.task] else { continue };
            let mine = entry.wish.places();
            let before = entries.iter().filter(|other| !other.holds && other.order() < entry.order());
            let sharing = before.filter(|other| other.wish.places().iter().any(|place| mine.contains(place)));
            assert_eq!(place, sharing.count() + 1, "seed {seed}: {entry:?}");
            assert_eq!(turn(entry.task, &entries, &limits, Moment(1000)), turns[&entry.task]);
            waited += 1;
        }
        assert!(waited > 20, "seed {seed}: {waited}");
    }
    assert_eq!(turn(task(99), &[], &limits, Moment(0)), Turn::Waiting { place: 1, full: vec![] });
}

/// Five hundred tasks between eight hosts over two networks come within a quarter of an hour and hold their slots for up
/// to half a minute. At no moment is a limit broken; everybody is served; nobody is passed by one that came so much
/// later that no priority could explain it and that needs exactly the same.
#[test]
fn five_hundred_tasks_are_served_in_a_fair_order_within_the_limits() {
    let limits = SlotLimits { networks: [("mig".to_owned(), 5)].into(), ..SlotLimits::default() };
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let mut coming: Vec<(Entry, u64)> = (0..500_u128)
            .map(|number| {
                let source = dice.below(8);
                let destination = (source + 1 + dice.below(7)) % 8;
                let wish = SlotWish {
                    priority: Priority::ALL[usize::try_from(dice.below(3)).unwrap()],
                    network: (dice.below(2) == 0).then(|| "mig".to_owned()),
                    ..wish(&format!("h{source}"), &format!("h{destination}"))
                };
                (entry(number, dice.below(900_000), wish), 1000 + dice.below(29_000))
            })
            .collect();
        coming.sort_by_key(|(entry, _)| entry.asked_at);
        let all = coming.clone();
        let mut entries: Vec<Entry> = Vec::new();
        let mut ends: BTreeMap<TaskId, u64> = BTreeMap::new();
        let mut began: BTreeMap<TaskId, u64> = BTreeMap::new();
        let mut now = 0;
        while began.len() < all.len() || !entries.is_empty() {
            assert!(now < 24 * 3_600_000, "seed {seed}: {} tasks were never served", all.len() - began.len());
            entries.retain(|entry| !entry.holds || ends[&entry.task] > now);
            while coming.first().is_some_and(|(entry, _)| entry.asked_at.0 <= now) {
                entries.push(coming.remove(0).0);
            }
            // They ask in any order, as processes do.
            let start = usize::try_from(dice.below(500)).unwrap();
            for at in 0..entries.len() {
                let at = (start + at) % entries.len();
                if entries[at].holds || turn(entries[at].task, &entries, &limits, Moment(now)) != Turn::Granted {
                    continue;
                }
                entries[at].holds = true;
                let id = entries[at].task;
                let takes = all.iter().find(|(entry, _)| entry.task == id).unwrap().1;
                ends.insert(id, now + takes);
                began.insert(id, now);
                let mut held: BTreeMap<Place, u32> = BTreeMap::new();
                for place in entries.iter().filter(|entry| entry.holds).flat_map(|entry| entry.wish.places()) {
                    *held.entry(place).or_default() += 1;
                }
                for (place, used) in held {
                    assert!(limits.of(&place).is_none_or(|max| used <= max), "seed {seed}: {used} at {place:?}");
                }
            }
            now += 500;
        }
        for (first, _) in &all {
            for (second, _) in &all {
                let same = first.wish.places() == second.wish.places();
                if same && first.order() < second.order() && first.asked_at <= second.asked_at {
                    assert!(began[&first.task] <= began[&second.task], "seed {seed}: {first:?} after {second:?}");
                }
            }
        }
    }
}

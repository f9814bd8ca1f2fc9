//! What a store that can't be read for a moment must not cost whoever listens, and what the listeners must not cost it.

use std::sync::atomic::AtomicBool;

use tokio::time::Instant;
use uuid::Uuid;
use waypost_core::access::{Scope, Scopes};
use waypost_core::feed::{
    DecisionQuery, DrivenBy, KeyClaim, PastReading, RequestKey, Standings, TaskDecision, TaskQuery,
};
use waypost_core::ids::{HostName, Moment};
use waypost_core::journal::Record;
use waypost_core::phase::Phase;
use waypost_core::ports::TaskBrief;
use waypost_core::sample::Sample;

use super::*;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// Two domains, each with a task.
const G: u128 = 1;
const OTHER: u128 = 2;

/// How a listener's reading of the store goes.
#[derive(Clone, Copy)]
enum Goes {
    Well,
    Wrong,
    Panics,
}

/// Records as they are written, and how the next readings go. G's transfer runs all the while.
#[derive(Default)]
struct Shelf {
    changes: Mutex<Vec<Change>>,
    next: Mutex<VecDeque<Goes>>,
    /// Readings by listeners.
    asked: AtomicUsize,
    /// G was found on host a.
    found: AtomicBool,
}

impl Shelf {
    fn write(&self, tasks: &[u128]) {
        let mut changes = self.changes.lock().expect("nobody panics with it");
        for task in tasks {
            let sequence = changes.len() as u64 + 1;
            changes.push(Change {
                sequence,
                task: TaskId(Uuid::from_u128(*task)),
                number: 1,
                attempt: 1,
                at: Moment(0),
                phase: None,
                record: Record::Prepared,
            });
        }
    }

    /// The next readings go like this, and well after that.
    fn let_go(&self, next: impl IntoIterator<Item = Goes>) {
        *self.next.lock().expect("nobody panics with it") = next.into_iter().collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn read<T>(&self, read: impl FnOnce() -> T) -> Result<T, StoreFault> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let goes = self.next.lock().expect("nobody panics with it").pop_front();
        match goes.unwrap_or(Goes::Well) {
            Goes::Well => Ok(read()),
            Goes::Wrong => Err(StoreFault { attempted: "read".into(), message: "the disk is away".into() }),
            Goes::Panics => panic!("as it was told to"),
        }
    }

    fn written_after(&self, after: u64) -> Vec<Change> {
        let changes = self.changes.lock().expect("nobody panics with it");
        changes.iter().filter(|change| change.sequence > after).cloned().collect()
    }
}

fn told(task: TaskId) -> TaskBrief {
    TaskBrief {
        id: task,
        created_at: Moment(0),
        updated_at: Moment(0),
        domain: None,
        domain_name: if task == TaskId(Uuid::from_u128(G)) { "g".into() } else { "other".into() },
        source: None,
        destination: HostName::new("b"),
        phase: Phase::Performing,
        outcome: None,
        summary: None,
        waits: false,
        permille: 0,
    }
}

impl Feed for Shelf {
    fn version(&self) -> Result<u64, StoreFault> {
        self.last_change()
    }
    fn last_change(&self) -> Result<u64, StoreFault> {
        Ok(self.changes.lock().expect("nobody panics with it").len() as u64)
    }
    fn changes(&self, _: Option<TaskId>, after: u64, _: u32) -> Result<Vec<Change>, StoreFault> {
        self.read(|| self.written_after(after))
    }
    fn moving(&self) -> Result<Vec<Moving>, StoreFault> {
        let reading = Reading { at: Moment(0), permille: 0, sample: Sample::default() };
        Ok(vec![Moving { brief: told(TaskId(Uuid::from_u128(G))), attempt: 1, reading }])
    }
    fn brief(&self, task: TaskId) -> Result<Option<TaskBrief>, StoreFault> {
        let known = task == TaskId(Uuid::from_u128(G)) && self.found.load(Ordering::Relaxed);
        self.read(|| Some(TaskBrief { source: known.then(|| HostName::new("a")), ..told(task) }))
    }
    fn last_change_of(&self, _: TaskId) -> Result<u64, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn samples(&self, _: TaskId) -> Result<Vec<PastReading>, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn decisions_of(&self, _: &DecisionQuery, _: u32) -> Result<Vec<TaskDecision>, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn standings(&self) -> Result<Standings, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn page(&self, _: &TaskQuery, _: u32) -> Result<Vec<TaskBrief>, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn targets(&self, _: &[TaskId]) -> Result<BTreeMap<TaskId, String>, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn note_context(&self, _: TaskId, _: &str) -> Result<(), StoreFault> {
        unreachable!("no event is made of it")
    }
    fn context_of(&self, _: TaskId) -> Result<Option<String>, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn driver(&self, _: TaskId) -> Result<DrivenBy, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn claim_key(&self, _: &RequestKey, _: TaskId, _: Moment, _: Moment) -> Result<KeyClaim, StoreFault> {
        unreachable!("no event is made of it")
    }
    fn release_key(&self, _: &RequestKey) -> Result<(), StoreFault> {
        unreachable!("no event is made of it")
    }
}

/// A store of one record, which is not G's, and a hub whose ring ends with it.
fn begun() -> (Arc<Shelf>, Arc<Hub>) {
    let shelf = Arc::new(Shelf::default());
    shelf.write(&[OTHER]);
    let hub = Hub::new(Arc::clone(&shelf) as Arc<dyn Feed>, 1 << 20);
    (shelf, hub)
}

/// A stream of what is about G alone.
fn of_g(hub: &Arc<Hub>, after: u64) -> Stream {
    Stream::new(hub, None, Scopes::from(Scope { domains: vec!["g".into()], ..Scope::default() }), after)
}

/// What the next pieces are, each within a heartbeat.
async fn hear(stream: &mut Stream, pieces: usize) -> Vec<String> {
    let mut heard = Vec::new();
    for _ in 0..pieces {
        let piece = stream.next(Instant::now() + HEARTBEAT).await.expect("the service is not stopped");
        let text = String::from_utf8(piece.into()).expect("events are text");
        let said = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("-").to_owned();
        heard.push(format!("{} {}", said("event: "), said("id: ")));
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_looked_up_for_now_is_shown_a_little_later() {
    for trouble in [Goes::Wrong, Goes::Panics] {
        let (shelf, hub) = begun();
        let mut stream = of_g(&hub, 1);
        hub.refresh().unwrap();
        shelf.write(&[G, OTHER, G]);
        hub.refresh().unwrap();
        // The other task's look-up fails, too, when G's has gone well.
        shelf.let_go([trouble, Goes::Well, trouble]);
        let began = Instant::now();
        assert_eq!(hear(&mut stream, 4).await, ["- 1", "record 2", "record 4", "progress -"]);
        assert!(began.elapsed() < HEARTBEAT, "{:?}", began.elapsed());
        // Nothing comes twice.
        assert_eq!(hear(&mut stream, 1).await, ["- -"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_served_from_the_store_goes_on_where_that_failed() {
    let (shelf, hub) = begun();
    shelf.write(&[G, OTHER, G]);
    // The ring begins with what comes next.
    let mut narrow = of_g(&hub, 0);
    let mut wide = Stream::new(&hub, None, Scope::default().into(), 0);
    hub.refresh().unwrap();
    let began = Instant::now();
    // Its records are read, then its tasks are looked up.
    shelf.let_go([Goes::Wrong, Goes::Well, Goes::Wrong, Goes::Panics]);
    assert_eq!(hear(&mut narrow, 4).await, ["- 0", "record 2", "record 4", "progress -"]);
    shelf.let_go([Goes::Wrong, Goes::Panics]);
    let all = ["- 0", "record 1", "record 2", "record 3", "record 4", "progress -"];
    assert_eq!(hear(&mut wide, 6).await, all);
    assert!(began.elapsed() < HEARTBEAT, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_task_was_in_the_scope_is_not_told_out_of_its_turn() {
    let (shelf, hub) = begun();
    let on_a = || Scopes::from(Scope { hosts: vec![HostName::new("a")], ..Scope::default() });
    let mut stream = Stream::new(&hub, None, on_a(), 1);
    hub.refresh().unwrap();
    shelf.write(&[G]);
    hub.refresh().unwrap();
    assert_eq!(hear(&mut stream, 2).await, ["- 1", "- -"]);
    shelf.found.store(true, Ordering::Relaxed);
    shelf.write(&[OTHER, G, G]);
    hub.refresh().unwrap();
    assert_eq!(hear(&mut stream, 3).await, ["record 4", "record 5", "- -"]);
    // Who comes that late hears all of it in its place.
    let mut late = Stream::new(&hub, None, on_a(), 1);
    assert_eq!(hear(&mut late, 5).await, ["- 1", "record 2", "record 4", "record 5", "progress -"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_in_trouble_is_asked_ever_less_often_and_the_stream_is_not_silent() {
    let (shelf, hub) = begun();
    let mut stream = of_g(&hub, 1);
    hub.refresh().unwrap();
    assert_eq!(hear(&mut stream, 2).await, ["- 1", "progress -"]);
    // Of the other task it is not known yet whether it may be seen.
    shelf.write(&[OTHER, G]);
    hub.refresh().unwrap();
    shelf.let_go([Goes::Wrong; 1000]);
    let before = shelf.asked();
    let much_happens = async {
        for _ in 0..150 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            hub.published.send_modify(|count| *count += 1);
        }
    };
    let (heard, ()) = tokio::join!(hear(&mut stream, 1), much_happens);
    assert_eq!(heard, ["- -"], "a heartbeat, at its time");
    // At once, and after 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 and 11.3 seconds.
    assert_eq!(shelf.asked() - before, 8);
    shelf.let_go([]);
    assert_eq!(hear(&mut stream, 1).await, ["record 3"]);

    // It ends with the service, whatever it waits for.
    shelf.write(&[OTHER]);
    hub.refresh().unwrap();
    shelf.let_go([Goes::Wrong; 1000]);
    hub.stop();
    let began = Instant::now();
    assert!(stream.next(began + HEARTBEAT).await.is_none());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

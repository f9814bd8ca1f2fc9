//! What journals come to, remembered for whoever looks again. A journal only grows, so who asks a second time needs what came
//! since; reading all of it anew for each look made a look at a running task the dearer the longer it ran.
//!
//! Drivers have their own course and never ask here: it is for watching alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waypost_core::ids::TaskId;
use waypost_core::journal::{Course, ReplayError};
use waypost_core::ports::Store;

use crate::error::EngineError;
use crate::observer::Times;

/// Tasks of which it is remembered: more than are looked at together. Of more, the one that was asked for longest ago is read anew.
const REMEMBERED: usize = 256;

/// The memory of one engine.
#[derive(Default)]
pub(crate) struct Courses(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    by_task: HashMap<TaskId, Remembered>,
    /// Counts the questions.
    asked: u64,
}

struct Remembered {
    read: Read,
    /// The question that it was last an answer to.
    asked: u64,
}

/// A journal up to a record.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) course: Arc<Course>,
    /// How many records that is.
    pub(crate) records: u32,
    /// When what mattered was written down.
    pub(crate) times: Times,
}

impl Courses {
    /// What a task's journal comes to right now.
    pub(crate) fn read(&self, store: &dyn Store, id: TaskId) -> Result<Read, EngineError> {
        let known = self.memory().by_task.get(&id).map(|remembered| remembered.read.clone());
        match onward(store, id, known) {
            Ok(read) => {
                self.remember(id, read.clone());
                Ok(read)
            }
            Err(error) => {
                // A task that is gone, or a journal that can't be: the next one who asks is told of all of it.
                self.memory().by_task.remove(&id);
                Err(error)
            }
        }
    }

    fn remember(&self, id: TaskId, read: Read) {
        let mut memory = self.memory();
        memory.asked += 1;
        let asked = memory.asked;
        match memory.by_task.get_mut(&id) {
            // Somebody who asked at the same time may have read further.
            Some(known) if known.read.records > read.records => known.asked = asked,
            _ => {
                memory.by_task.insert(id, Remembered { read, asked });
            }
        }
        if memory.by_task.len() > REMEMBERED
            && let Some(oldest) = memory.by_task.iter().min_by_key(|(_, known)| known.asked).map(|(id, _)| *id)
        {
            memory.by_task.remove(&oldest);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing is half done between two statements that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on from what is known to the journal's end.
fn onward(store: &dyn Store, id: TaskId, known: Option<Read>) -> Result<Read, EngineError> {
    let after = known.as_ref().map_or(0, |known| known.records);
    let newer = store.journal_after(id, after)?;
    let records = after + newer.len() as u32;
    let mut times = known.as_ref().map_or_else(Times::default, |known| known.times);
    newer.iter().for_each(|(at, record)| times.note(*at, record));
    let illegal = |source| EngineError::Journal { task: id, source };
    let course = match known {
        Some(known) if newer.is_empty() => return Ok(known),
        None if newer.is_empty() => return Err(EngineError::NoTask(id)),
        None => Course::replay(newer.iter().map(|(_, record)| record)).map_err(illegal)?,
        Some(known) => {
            let mut course = Arc::unwrap_or_clone(known.course);
            for (number, (_, record)) in (after as usize + 1..).zip(&newer) {
                course.apply(record).map_err(|source| illegal(ReplayError::Illegal { number, source }))?;
            }
            course
        }
    };
    Ok(Read { course: Arc::new(course), records, times })
}

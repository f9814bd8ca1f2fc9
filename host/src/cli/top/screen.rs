//! What keys do: a state machine without a terminal. A task is selected by its id, so that the selection stays on it while the
//! rows move; nothing is asked of a task before a second key confirms it.

use waypost::api::v1::{Top, TopTask};

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Screen {
    /// The selected task.
    pub selected: Option<String>,
    /// Where the selection was, for when its task is gone.
    row: usize,
    /// One task in full instead of all in rows.
    pub detail: bool,
    /// A question that waits for its answer.
    pub question: Option<Question>,
    /// A word about the last key.
    pub note: Option<String>,
}

/// Something that is done only once it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What.
    pub what: Wanted,
    /// Of which task.
    pub task: String,
    /// Its domain.
    pub domain: String,
}

/// What may be asked of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Cancel it.
    Cancel,
    /// Switch it to post-copy.
    PostCopy,
}

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Up,
    Down,
    First,
    Last,
    Detail,
    Cancel,
    PostCopy,
    Yes,
    Back,
    Quit,
    Other,
}

/// What is to be done because of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    Quit,
    /// That is asked of that task.
    Ask(Wanted, String),
}

impl Screen {
    /// Takes in a new picture: the selection stays on its task, or near where that was.
    pub fn take(&mut self, top: &Top) {
        let tasks: Vec<&TopTask> = rows(top).collect();
        let found = tasks.iter().position(|task| Some(&task.task) == self.selected.as_ref());
        self.row = found.unwrap_or(self.row).min(tasks.len().saturating_sub(1));
        self.selected = tasks.get(self.row).map(|task| task.task.clone());
        if found.is_none() {
            // Not another one's details in place of it.
            self.detail = false;
        }
        let is_there =
            |question: &Question| tasks.iter().any(|task| task.task == question.task && task.outcome.is_none());
        if self.question.take_if(|question| !is_there(question)).is_some() {
            self.note = Some("it is over by now".to_owned());
        }
    }

    /// Takes in a key.
    pub fn press(&mut self, key: Key, top: &Top) -> Effect {
        self.note = None;
        if let Some(question) = self.question.take() {
            return match key {
                Key::Yes => Effect::Ask(question.what, question.task),
                _ => {
                    self.note = Some("nothing was done".to_owned());
                    Effect::Nothing
                }
            };
        }
        match key {
            Key::Quit => return Effect::Quit,
            Key::Back if self.detail => self.detail = false,
            Key::Back => return Effect::Quit,
            Key::Up => self.go(top, |row, _| row.saturating_sub(1)),
            Key::Down => self.go(top, |row, last| (row + 1).min(last)),
            Key::First => self.go(top, |_, _| 0),
            Key::Last => self.go(top, |_, last| last),
            Key::Detail => self.detail = !self.detail && self.selected.is_some(),
            Key::Cancel => self.ask(Wanted::Cancel, top),
            Key::PostCopy => self.ask(Wanted::PostCopy, top),
            Key::Yes | Key::Other => {}
        }
        Effect::Nothing
    }

    /// The selected task.
    pub fn task<'t>(&self, top: &'t Top) -> Option<&'t TopTask> {
        rows(top).find(|task| Some(&task.task) == self.selected.as_ref())
    }

    fn go(&mut self, top: &Top, to: impl FnOnce(usize, usize) -> usize) {
        let tasks: Vec<&TopTask> = rows(top).collect();
        self.row = to(self.row, tasks.len().saturating_sub(1));
        self.selected = tasks.get(self.row).map(|task| task.task.clone());
    }

    fn ask(&mut self, what: Wanted, top: &Top) {
        let Some(task) = self.task(top) else { return };
        let refused = match what {
            _ if task.outcome.is_some() => Some("it is over"),
            Wanted::Cancel if task.cancel_requested => Some("it is being cancelled already"),
            Wanted::PostCopy if !task.may_post_copy => {
                Some("only a running transfer that was begun with --postcopy can be switched")
            }
            Wanted::Cancel | Wanted::PostCopy => None,
        };
        match refused {
            Some(why) => self.note = Some(format!("{}: {why}", task.domain)),
            None => self.question = Some(Question { what, task: task.task.clone(), domain: task.domain.clone() }),
        }
    }
}

/// All tasks in the order in which they are shown.
pub fn rows(top: &Top) -> impl Iterator<Item = &TopTask> {
    top.running.iter().chain(&top.waiting).chain(&top.finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> TopTask {
        TopTask { task: id.into(), domain: format!("{id}-domain"), ..TopTask::default() }
    }

    fn top() -> Top {
        let ended = TopTask { outcome: Some("completed".into()), ..task("over") };
        let running = vec![TopTask { may_post_copy: true, ..task("one") }, task("two")];
        Top { running, waiting: vec![task("three")], finished: vec![ended], ..Top::default() }
    }

    fn screen(top: &Top, keys: &[Key]) -> (Screen, Vec<Effect>) {
        let mut screen = Screen::default();
        screen.take(top);
        let effects = keys.iter().map(|key| screen.press(*key, top)).collect();
        (screen, effects)
    }

    #[test]
    fn the_selection_goes_through_all_sections_and_stops_at_both_ends() {
        let top = top();
        let selected = |keys: &[Key]| screen(&top, keys).0.selected.unwrap();
        assert_eq!(selected(&[]), "one");
        assert_eq!(selected(&[Key::Up]), "one");
        assert_eq!(selected(&[Key::Down, Key::Down]), "three");
        assert_eq!(selected(&[Key::Last, Key::Down]), "over");
        assert_eq!(selected(&[Key::Last, Key::Up, Key::First]), "one");
        assert_eq!(screen(&Top::default(), &[Key::Down, Key::Detail]).0, Screen::default());
    }

    #[test]
    fn the_selection_stays_on_its_task_and_near_it_where_that_is_gone() {
        let mut now = top();
        let (mut screen, _) = screen(&now, &[Key::Down, Key::Detail]);
        now.running.remove(0);
        screen.take(&now);
        assert_eq!((screen.selected.as_deref(), screen.detail), (Some("two"), true));
        now.running.clear();
        screen.take(&now);
        assert_eq!((screen.selected.as_deref(), screen.detail), (Some("three"), false), "what took its row");
        screen.take(&Top::default());
        assert_eq!(screen.selected, None);
    }

    #[test]
    fn nothing_is_asked_of_a_task_before_it_is_confirmed() {
        let top = top();
        let (asking, effects) = screen(&top, &[Key::Down, Key::Cancel]);
        assert_eq!(effects, [Effect::Nothing, Effect::Nothing]);
        assert_eq!(asking.question.unwrap().domain, "two-domain");
        let (after, effects) = screen(&top, &[Key::Down, Key::Cancel, Key::Yes]);
        assert_eq!((effects[2].clone(), after.question), (Effect::Ask(Wanted::Cancel, "two".into()), None));
        for no in [Key::Other, Key::Back, Key::Quit, Key::Cancel, Key::Down] {
            let (after, effects) = screen(&top, &[Key::Cancel, no]);
            assert_eq!((effects[1].clone(), after.question), (Effect::Nothing, None), "{no:?} is no yes");
            assert_eq!(after.selected.as_deref(), Some("one"));
        }
        let (_, effects) = screen(&top, &[Key::PostCopy, Key::Yes, Key::Yes]);
        assert_eq!(effects[1..], [Effect::Ask(Wanted::PostCopy, "one".into()), Effect::Nothing]);
    }

    #[test]
    fn what_can_not_be_asked_says_why() {
        let mut top = top();
        top.running[0].cancel_requested = true;
        let note = |keys: &[Key]| {
            let (screen, _) = screen(&top, keys);
            assert_eq!(screen.question, None);
            screen.note.unwrap()
        };
        assert_eq!(note(&[Key::Cancel]), "one-domain: it is being cancelled already");
        assert!(note(&[Key::Down, Key::PostCopy]).contains("--postcopy"));
        assert_eq!(note(&[Key::Last, Key::Cancel]), "over-domain: it is over");
    }

    #[test]
    fn a_question_about_a_task_that_ends_meanwhile_goes_away() {
        let mut now = top();
        let (mut screen, _) = screen(&now, &[Key::Cancel]);
        now.running[0].outcome = Some("completed".into());
        screen.take(&now);
        assert_eq!((screen.question.clone(), screen.note.as_deref()), (None, Some("it is over by now")));
        assert_eq!(screen.press(Key::Yes, &now), Effect::Nothing);
    }

    #[test]
    fn back_leaves_the_detail_first_and_then_the_program() {
        let (screen, effects) = screen(&top(), &[Key::Detail, Key::Back, Key::Back]);
        assert_eq!((screen.detail, effects), (false, vec![Effect::Nothing, Effect::Nothing, Effect::Quit]));
    }
}

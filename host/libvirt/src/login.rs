//! A login that is used once: what libvirt is answered when it asks for it, and what keeps the connection that it opened.
//!
//! libvirt asks again when a password was wrong, over ssh without end. So a password is given away once and is gone from here
//! at that moment; whoever asks a second time gets nothing, which ends the open. It is gone as well when nobody waits for the
//! open any more. The copy that libvirt gets is libvirt's to free.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waypost_core::login::{Login, Secret};

use crate::link::Link;

/// What libvirt wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Who.
    User,
    /// The password, or what is typed without being shown.
    Password,
    /// Anything else, among it whether an unknown host key is fine.
    Other,
}

/// A login, until it was used.
#[derive(Debug)]
pub(crate) struct Once {
    user: Secret,
    password: Mutex<Option<Secret>>,
}

impl Once {
    pub(crate) fn new(login: Login) -> Arc<Self> {
        let (user, password) = login.into_parts();
        Arc::new(Self { user, password: Mutex::new(Some(password)) })
    }

    pub(crate) fn user(&self) -> &str {
        self.user.text()
    }

    /// Whether somebody asked for the password, or nobody may any more.
    pub(crate) fn was_given(&self) -> bool {
        self.password().is_none()
    }

    /// Forgets the password.
    fn forget(&self) {
        drop(self.password().take());
    }

    fn password(&self) -> MutexGuard<'_, Option<Secret>> {
        self.password.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers some questions that come together, each by `give`; false, and nothing given, where one has no answer.
    pub(crate) fn answer(&self, wanted: &[Wanted], mut give: impl FnMut(usize, &str) -> bool) -> bool {
        let passwords = wanted.iter().filter(|one| **one == Wanted::Password).count();
        if passwords > 1 || wanted.contains(&Wanted::Other) {
            return false;
        }
        let password = if passwords == 1 { self.password().take() } else { None };
        if passwords == 1 && password.is_none() {
            return false;
        }
        wanted.iter().enumerate().all(|(at, one)| match (one, &password) {
            (Wanted::User, _) => give(at, self.user()),
            (Wanted::Password, Some(password)) => give(at, password.text()),
            _ => false,
        })
    }
}

/// Forgets a password when it is dropped.
pub(crate) struct Forgetting(pub(crate) Arc<Once>);

impl Drop for Forgetting {
    fn drop(&mut self) {
        self.0.forget();
    }
}

/// What everybody shares who holds a host: the connection that a login opened, if one did. It closes with the last of them.
#[derive(Default)]
pub(crate) struct Stay(Mutex<Lent>);

#[derive(Default)]
enum Lent {
    #[default]
    Never,
    Open(Link),
    Broken,
}

impl Stay {
    fn state(&self) -> MutexGuard<'_, Lent> {
        // Each change is one assignment, so a state is never half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if there is one that stands. One that broke is noticed here, and never opened again.
    pub(crate) fn link(&self) -> Option<Link> {
        let mut state = self.state();
        match &*state {
            Lent::Open(link) if link.closed().is_none() => return Some(link.clone()),
            Lent::Open(_) => {}
            Lent::Never | Lent::Broken => return None,
        }
        *state = Lent::Broken;
        None
    }

    /// Whether there was one that broke.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(&*self.state(), Lent::Broken)
    }

    /// Takes a connection in, unless another one stands already.
    pub(crate) fn lend(&self, link: Link) {
        if self.link().is_none() {
            *self.state() = Lent::Open(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once() -> Arc<Once> {
        let secret = |text: &str| Secret::new(text.to_owned());
        Once::new(Login::new(secret("carla"), secret("horse")).unwrap())
    }

    /// What is given for these questions.
    fn given(once: &Once, wanted: &[Wanted]) -> Option<Vec<String>> {
        let mut all = Vec::new();
        let answered = once.answer(wanted, |at, text| {
            assert_eq!(at, all.len());
            all.push(text.to_owned());
            true
        });
        assert!(answered || all.is_empty(), "{all:?}");
        answered.then_some(all)
    }

    #[test]
    fn a_password_is_given_away_once() {
        let once = once();
        assert_eq!(given(&once, &[]), Some(vec![]));
        assert_eq!(given(&once, &[Wanted::User]), Some(vec!["carla".into()]));
        assert!(!once.was_given());
        assert_eq!(given(&once, &[Wanted::User, Wanted::Password]), Some(vec!["carla".into(), "horse".into()]));
        assert!(once.was_given());
        assert_eq!(given(&once, &[Wanted::Password]), None, "that it was wrong once is enough");
        assert_eq!(given(&once, &[Wanted::User]), Some(vec!["carla".into()]));
        assert!(!format!("{once:?}").contains("carla"));
    }

    #[test]
    fn what_is_no_question_for_a_login_has_no_answer_and_costs_nothing() {
        let once = once();
        // Whether a host key is fine; two passwords.
        for wanted in [&[Wanted::Other][..], &[Wanted::Password, Wanted::Other], &[Wanted::Password; 2]] {
            assert_eq!(given(&once, wanted), None, "{wanted:?}");
        }
        assert_eq!(given(&once, &[Wanted::Password]), Some(vec!["horse".into()]));
    }

    #[test]
    fn nobody_waits_any_more_and_the_password_is_gone() {
        let once = once();
        drop(Forgetting(once.clone()));
        assert_eq!(given(&once, &[Wanted::Password]), None);
    }
}

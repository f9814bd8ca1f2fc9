//! A name and a password that somebody gives with a request, for one open of one connection.
//!
//! A host may let nobody in by what is configured for it. Whoever knows a password can give it: it is used once, and is gone
//! then. It is in no record, so nothing opens the same connection a second time. What it opened is *lent*: it stays for as
//! long as somebody holds the host (a [`Hold`]), and once it is lost the host is one that can't be reached.

use std::any::Any;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// A text that is shown nowhere and overwritten when it is dropped. It can't be copied.
#[derive(PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over. What grew to it may have left pieces of it in memory: take it in one piece.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever needs it right now.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // Nobody reads these zeros; this is for the compiler, which would leave them out.
        black_box(&bytes);
    }
}

/// Who is to be let in, and by which password. Neither is empty, and neither holds a NUL.
#[derive(Debug, PartialEq, Eq)]
pub struct Login {
    user: Secret,
    password: Secret,
}

impl Login {
    /// None where one of them is empty or holds a NUL, which no host takes.
    pub fn new(user: Secret, password: Secret) -> Option<Self> {
        let fits = |text: &Secret| !text.text().is_empty() && !text.text().contains('\0');
        (fits(&user) && fits(&password)).then_some(Self { user, password })
    }

    /// The name.
    pub fn user(&self) -> &str {
        self.user.text()
    }

    /// Name and password.
    pub fn into_parts(self) -> (Secret, Secret) {
        (self.user, self.password)
    }
}

/// What came of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// The host can be asked without it: it was not used.
    Unneeded,
    /// It opened the connection.
    Opened,
}

/// Whether the daemons of other hosts get at a host that is open to us by a login alone: they don't have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerWay {
    /// The configuration gives them another way there than ours.
    Own,
    /// They would be asked for the same login.
    Shut,
}

/// Keeps a connection that a login opened, while it lives. It keeps nothing of a connection that is as it was configured.
#[must_use = "what it keeps goes with it"]
pub struct Hold {
    _kept: Arc<dyn Any + Send + Sync>,
}

impl Hold {
    /// Keeps this.
    pub fn new(kept: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _kept: kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn neither_part_is_ever_shown() {
        let login = Login::new(secret("carla"), secret("horse")).unwrap();
        let shown = format!("{login:?} {login:#?}");
        assert!(!shown.contains("carla") && !shown.contains("horse"), "{shown}");
        let (user, password) = login.into_parts();
        assert_eq!((user.text(), password.text()), ("carla", "horse"));
    }

    #[test]
    fn what_no_host_takes_is_no_login() {
        for (user, password) in [("", "p"), ("u", ""), ("u\0", "p"), ("u", "p\0q")] {
            assert_eq!(Login::new(secret(user), secret(password)), None, "{user:?}");
        }
    }
}

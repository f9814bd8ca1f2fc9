//! Who else gets at a file that holds a secret, judged by what was seen of the file: every border that reads such a file judges
//! alike, and looks at the file itself.
//!
//! One kind of file is closed although its mode does not say so: a credential that systemd has put down for a service with
//! `User=`. It belongs to root with mode 0440, where the bits of the group are the mask of an access control list that names this
//! one user, and its folder is closed to everybody else.

use std::path::Path;

/// What is known of a file with a secret.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Where it really is, without links.
    pub path: &'a Path,
    /// Its mode, of which the permissions count.
    pub mode: u32,
    /// The user whom it belongs to.
    pub owner: u32,
    /// The user as whom this program reads it.
    pub reader: u32,
    /// The folder of credentials that systemd made for this program (`$CREDENTIALS_DIRECTORY`), without links, if there is one.
    pub credentials: Option<&'a Path>,
}

/// Who may be able to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner, who must be root or whoever reads it: anybody else could swap it after the look.
    Owner,
    /// A group as well, as where a machine keeps its keys for several services. Nobody but the owner may write.
    Group,
}

/// Why it is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposed {
    /// Others can read it, or change it: its permissions.
    Mode(u32),
    /// It belongs to another user.
    Owner,
}

impl Seen<'_> {
    /// Whether only those can read it who may.
    pub fn judged(&self, readers: Readers) -> Result<(), Exposed> {
        let mode = self.mode & 0o7777;
        match readers {
            _ if self.is_credential() => Ok(()),
            Readers::Group if mode & 0o027 != 0 => Err(Exposed::Mode(mode)),
            Readers::Owner if mode & 0o077 != 0 => Err(Exposed::Mode(mode)),
            Readers::Owner if self.owner != self.reader && self.owner != 0 => Err(Exposed::Owner),
            Readers::Group | Readers::Owner => Ok(()),
        }
    }

    /// Whether systemd made it for this program: in that folder, root's, changed by nobody, and not for the world to read.
    fn is_credential(&self) -> bool {
        self.owner == 0
            && self.mode & 0o037 == 0
            && self.credentials.is_some_and(|made| self.path.parent() == Some(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: &str = "/run/credentials/waypost.service";

    fn judged(path: &str, mode: u32, owner: u32, readers: Readers) -> Result<(), Exposed> {
        let credentials = Some(Path::new(MADE));
        Seen { path: Path::new(path), mode, owner, reader: 107, credentials }.judged(readers)
    }

    #[test]
    fn a_secret_is_its_owners() {
        for (mode, owner, expected) in [
            (0o100_600, 107, Ok(())),
            (0o100_400, 0, Ok(())),
            (0o100_640, 107, Err(Exposed::Mode(0o640))),
            (0o100_440, 0, Err(Exposed::Mode(0o440))),
            (0o100_601, 107, Err(Exposed::Mode(0o601))),
            (0o100_600, 108, Err(Exposed::Owner)),
        ] {
            assert_eq!(judged("/etc/waypost/auth", mode, owner, Readers::Owner), expected, "{mode:o} of {owner}");
        }
        assert_eq!(judged("/etc/waypost/key", 0o640, 108, Readers::Group), Ok(()));
        for open in [0o644, 0o660, 0o604] {
            assert_eq!(judged("/etc/waypost/key", open, 107, Readers::Group), Err(Exposed::Mode(open)));
        }
    }

    #[test]
    fn what_systemd_put_down_is_a_secret_although_its_mode_has_a_group() {
        let there = format!("{MADE}/kvm2.auth");
        for readers in [Readers::Owner, Readers::Group] {
            assert_eq!(judged(&there, 0o440, 0, readers), Ok(()));
            // Not everything in that folder: what the world reads, what somebody may write, what another one put there.
            for mode in [0o444, 0o460, 0o442] {
                assert_eq!(judged(&there, mode, 0, readers), Err(Exposed::Mode(mode)), "{mode:o}");
            }
        }
        assert_eq!(judged(&there, 0o440, 108, Readers::Owner), Err(Exposed::Mode(0o440)));
        // Not below it, not beside it, and nowhere if there is no such folder.
        for other in [format!("{MADE}/deeper/kvm2.auth"), format!("{MADE}-2/kvm2.auth"), "/tmp/kvm2.auth".to_owned()] {
            assert_eq!(judged(&other, 0o440, 0, Readers::Owner), Err(Exposed::Mode(0o440)), "{other}");
        }
        let none = Seen { path: Path::new(&there), mode: 0o440, owner: 0, reader: 107, credentials: None };
        assert_eq!(none.judged(Readers::Owner), Err(Exposed::Mode(0o440)));
    }
}

//! The words of `waypost token` and `waypost audit`.

use std::time::Duration;

use clap::{Args, Subcommand};
use waypost::TaskId;
use waypost::core::access::Role;
use waypost::state::AUDIT_ENTRIES;

use super::{age, task_id};

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and show it, once
    Create(CreateToken),
    /// All tokens, newest first, without their secrets
    List,
    /// Take a token back: it is worth nothing from now on
    Revoke {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct CreateToken {
    /// The name that will stand in records: letters, digits, `.`, `_`, `-`, `@`
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// viewer, operator, policy-admin or admin
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: Role,
    /// Only this host; may be given several times
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Only domains whose names fit this pattern (`*`, `?`), or with this UUID; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub domain: Vec<String>,
    /// For how long it is good: a number of minutes (30m), hours (12h), days (90d) or weeks (8w); without it until it is taken back
    #[arg(long, value_name = "TIME", value_parser = lasting)]
    pub expires: Option<Duration>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

fn role(text: &str) -> Result<Role, String> {
    let known = || Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    Role::parse(text).ok_or_else(|| format!("no such role; there are: {}", known()))
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Only what this caller asked for
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
    /// Only what is about this task
    #[arg(long, value_name = "ID", value_parser = task_id)]
    pub task: Option<TaskId>,
    /// Most entries
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Only entries before this number
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Forget old entries, and those beyond a number; that it was done is an entry itself
    Prune {
        /// Entries that are older go: a number of minutes (30m), hours (12h), days (90d) or weeks (8w)
        #[arg(long, value_name = "AGE", value_parser = age, default_value = "400d")]
        older_than: Duration,
        /// Of the others so many of the newest stay
        #[arg(long, value_name = "N", default_value_t = AUDIT_ENTRIES)]
        keep: u64,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// A time that isn't over at once.
fn lasting(text: &str) -> Result<Duration, String> {
    let lasts = age(text)?;
    if lasts.is_zero() {
        Err("a token that is good for no time is good for nothing; give it some, as 90d".to_owned())
    } else {
        Ok(lasts)
    }
}

#[cfg(test)]
mod tests {
    use waypost::state::AUDIT_AGE;

    use super::*;

    #[test]
    fn what_is_kept_of_the_audit_log_by_default_is_what_the_library_says() {
        assert_eq!(age("400d"), Ok(AUDIT_AGE));
    }
}

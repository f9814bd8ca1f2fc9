//! What hosts still tell of a transfer that failed, where no call's return told it: of one that another controller began,
//! or whose call said nothing of use. Sorting it is the whole of this; asking for it is the engine's.

use crate::plan::Plan;
use crate::ports::FaultKind;
use crate::recovery::FailureClass;
use crate::situation::{Situation, clue};

/// What one host still tells of a domain beside its state. Asking for it changes nothing there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The error of the migration that ended last, as the host keeps it: of what kind, and its words. None where the host
    /// keeps none.
    pub job: Option<(FaultKind, String)>,
    /// What the host has on record of the domain: taints, what is deprecated, I/O errors.
    pub messages: Vec<String>,
}

/// A failure, and what both hosts still tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// What the source tells.
    pub source: &'a Evidence,
    /// What the destination tells.
    pub destination: &'a Evidence,
    /// Both sides, if they were looked at after the failure.
    pub situation: Option<&'a Situation>,
    /// The transfer had begun: it was seen to move something. What is shown of a domain that is off may else be from before.
    pub begun: bool,
}

impl Heard<'_> {
    /// The class and the words that a failure goes on record with. A class that a call told stays; where it told none, or
    /// where nobody was there to be told, it is what the hosts show. Their words are put behind in any case.
    pub fn weigh(&self, plan: &Plan, own: FailureClass, told: Told, message: &str) -> (FailureClass, String) {
        let clue = self.situation.and_then(|situation| clue(plan, situation, self.begun));
        let sides = [
            (&plan.source.host, &plan.name, self.source),
            (&plan.destination.host, &plan.destination_name, self.destination),
        ];
        let of_jobs = sides.iter().filter_map(|(_, _, evidence)| evidence.job.as_ref());
        let of_a_job = of_jobs.map(|(kind, _)| kind.class()).find(|class| *class != FailureClass::Other);
        let shown = clue.as_ref().map(|(class, _)| *class).or(of_a_job);
        let class = match told {
            Told::ByACall => own,
            Told::ByNobody => shown.unwrap_or(own),
        };
        let mut words = vec![message.to_owned()];
        words.extend(clue.map(|(_, words)| words));
        for (host, name, evidence) in sides {
            // A call's return has the same words, as a rule.
            let job = evidence.job.iter().filter(|(_, error)| !message.contains(error.as_str()));
            words.extend(job.map(|(_, error)| format!("{host} keeps as the job's error: {error}")));
            if !evidence.messages.is_empty() {
                words.push(format!("{host} has on record of {name}: {}", evidence.messages.join(", ")));
            }
        }
        (class, words.join("; "))
    }
}

/// Who told the class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The migration's call returned with it.
    ByACall,
    /// Nobody: it says no more than that, or what was guessed from outside.
    ByNobody,
}

#[cfg(test)]
mod tests;

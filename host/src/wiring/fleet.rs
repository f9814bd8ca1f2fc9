//! The file behind `--sim`: the fleet as the simulator reads it, and beside it the faults that shall happen.
//!
//! ```toml
//! [[fault]]
//! at = "perform"          # a call, or a stage of a migration
//! permille = 500          # of `perform`: when so much of the first pass was sent
//! what = "hypervisor-dies"
//! who = "destination"     # source, destination, or a host's name
//! ```

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use thiserror::Error;
use waypost_core::ids::HostName;
use waypost_core::ports::FaultKind;
use waypost_sim::{Fleet, FleetError, Lasting, OtherHosts, Scripted, Step, What, Who, World};

/// Why there is no simulated world.
#[derive(Debug, Error)]
pub enum SimulationError {
    /// It can't be read.
    #[error("the file can't be read")]
    Read(#[source] std::io::Error),
    /// It is no TOML, or its faults aren't of the right shape.
    #[error("the file is not of the right shape")]
    Shape(#[source] Box<toml::de::Error>),
    /// The fleet.
    #[error(transparent)]
    Fleet(FleetError),
    /// A fault that can't be.
    #[error("fault {number}: {why}")]
    Fault {
        /// Which, from 1.
        number: usize,
        /// Why.
        why: String,
    },
}

/// Reads a file and makes its world.
pub(super) fn world(path: &Path) -> Result<World, SimulationError> {
    let (fleet, script) = read(path)?;
    let world = World::new(&fleet).map_err(SimulationError::Fleet)?;
    world.script(script);
    Ok(world)
}

/// Reads it again, for a world that goes on: which hosts it has now. Its faults are those of the beginning.
pub(super) fn others(world: &World, path: &Path) -> Result<OtherHosts, SimulationError> {
    world.others(&read(path)?.0).map_err(SimulationError::Fleet)
}

fn read(path: &Path) -> Result<(Fleet, Vec<Scripted>), SimulationError> {
    let text = std::fs::read_to_string(path).map_err(SimulationError::Read)?;
    let shape = |error| SimulationError::Shape(Box::new(error));
    let mut table: toml::Table = text.parse().map_err(shape)?;
    let Some(faults) = table.remove("fault") else {
        // The text itself, so that an error can name its line.
        return Ok((Fleet::parse(&text).map_err(SimulationError::Fleet)?, Vec::new()));
    };
    let fleet = Fleet::parse(&table.to_string()).map_err(SimulationError::Fleet)?;
    let faults: Vec<FaultSpec> = faults.try_into().map_err(shape)?;
    let script = faults
        .into_iter()
        .enumerate()
        .map(|(at, fault)| fault.script().map_err(|why| SimulationError::Fault { number: at + 1, why }));
    Ok((fleet, script.collect::<Result<Vec<_>, _>>()?))
}

/// One `[[fault]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultSpec {
    #[serde(deserialize_with = "step")]
    at: Step,
    host: Option<String>,
    occurrence: Option<u32>,
    permille: Option<u16>,
    what: Kind,
    kind: Option<String>,
    who: Option<String>,
    for_s: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Error,
    HypervisorDies,
    DaemonDies,
    Unreachable,
    LinkCut,
    ReplyLost,
    Hang,
    LeftBehind,
}

impl FaultSpec {
    fn script(self) -> Result<Scripted, String> {
        let lasting = self.for_s.map_or(Lasting::Forever, |s| Lasting::For(Duration::from_secs(s)));
        let what = match self.what {
            Kind::Error => What::Error(self.fault_kind()?),
            Kind::ReplyLost => What::ReplyLost(self.fault_kind()?),
            Kind::HypervisorDies => What::HypervisorDies(self.who()?),
            Kind::DaemonDies => What::DaemonDies(self.who()?, lasting),
            Kind::Unreachable => What::Unreachable(self.who()?, lasting),
            Kind::LinkCut => What::LinkCut(lasting),
            Kind::Hang => What::Hang,
            Kind::LeftBehind => What::LeftBehind,
        };
        let plain = Scripted::at(self.at, what);
        Ok(Scripted {
            host: self.host.map(HostName::new),
            occurrence: self.occurrence.unwrap_or(plain.occurrence),
            permille: self.permille.unwrap_or(plain.permille),
            ..plain
        })
    }

    fn fault_kind(&self) -> Result<FaultKind, String> {
        let words = || FaultKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        let kind = self.kind.as_deref().ok_or_else(|| format!("`kind` is missing; it is one of: {}", words()))?;
        FaultKind::parse(kind).ok_or_else(|| format!("unknown kind {kind:?}; it is one of: {}", words()))
    }

    fn who(&self) -> Result<Who, String> {
        match self.who.as_deref() {
            Some("source") => Ok(Who::Source),
            Some("destination") => Ok(Who::Destination),
            Some(host) => Ok(Who::Host(HostName::new(host))),
            None => Err("`who` is missing; it is source, destination, or a host's name".into()),
        }
    }
}

fn step<'de, D: Deserializer<'de>>(from: D) -> Result<Step, D::Error> {
    let text = String::deserialize(from)?;
    Step::parse(&text).ok_or_else(|| {
        let words: Vec<_> = Step::ALL.iter().map(|step| step.as_str()).collect();
        serde::de::Error::custom(format!("unknown step {text:?}; it is one of: {}", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Result<Scripted, String> {
        let spec: FaultSpec = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        spec.script()
    }

    #[test]
    fn a_fault_is_read_in_full() {
        let expected =
            Scripted::at(Step::Perform, What::DaemonDies(Who::Destination, Lasting::For(Duration::from_secs(5))))
                .permille(200)
                .on("b")
                .occurrence(2);
        let text = "at = 'perform'\npermille = 200\nhost = 'b'\noccurrence = 2\nwhat = 'daemon-dies'\nwho = 'destination'\nfor_s = 5";
        assert_eq!(fault(text), Ok(expected));
        assert_eq!(fault("at = 'finish'\nwhat = 'hang'"), Ok(Scripted::at(Step::Finish, What::Hang)));
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_said() {
        assert!(fault("at = 'begn'\nwhat = 'hang'").unwrap_err().contains("unknown step \"begn\""));
        assert!(
            fault("at = 'begin'\nwhat = 'error'")
                .unwrap_err()
                .starts_with("`kind` is missing; it is one of: no-domain")
        );
        assert!(fault("at = 'begin'\nwhat = 'hypervisor-dies'").unwrap_err().starts_with("`who` is missing"));
    }
}

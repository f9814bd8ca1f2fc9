//! Fleets of any size from a seed: the same seed gives the same fleet on every machine.

use serde::Deserialize;
use uuid::Uuid;

use crate::fleet::{DomainSpec, Fleet, HostSpec, Power};

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Generate {
    /// Hosts.
    pub hosts: usize,
    /// Domains on each.
    pub domains_per_host: usize,
    /// Seed.
    pub seed: u64,
    /// What the names of the hosts begin with.
    pub prefix: String,
}

impl Default for Generate {
    fn default() -> Self {
        Self { hosts: 2, domains_per_host: 10, seed: 1, prefix: "sim".into() }
    }
}

impl Generate {
    /// Adds the hosts and domains; their names are numbered, their sizes and activity vary with the seed.
    pub(crate) fn add_to(&self, fleet: &mut Fleet) {
        let mut random = Random(self.seed);
        let width = self.hosts.to_string().len();
        for number in 1..=self.hosts {
            let name = format!("{}{number:0width$}", self.prefix);
            let host = HostSpec {
                memory_mib: random.pick(&[65_536, 131_072, 262_144]),
                cpus: random.pick(&[16, 32, 64]),
                cpu: random.pick(&["Haswell", "Broadwell", "Skylake-Server"]).into(),
                ..HostSpec::named(&name)
            };
            for which in 1..=self.domains_per_host {
                fleet.domains.push(DomainSpec {
                    // One in eight is off, one in sixteen paused.
                    state: match random.below(16) {
                        0 => Power::Paused,
                        1 | 2 => Power::ShutOff,
                        _ => Power::Running,
                    },
                    memory_mib: random.pick(&[512, 1024, 2048, 4096, 8192]),
                    vcpus: random.pick(&[1, 2, 4]),
                    dirty_pages_s: random.pick(&[0, 100, 1000, 10_000]),
                    working_set_mib: random.pick(&[16, 64, 256]),
                    autostart: random.below(4) == 0,
                    cpu: Some("Haswell".into()),
                    ..DomainSpec::named(&format!("{name}-vm{which}"), &name)
                });
            }
            fleet.hosts.push(host);
        }
    }
}

/// A UUID that depends on nothing but a name.
pub(crate) fn uuid_of(kind: &str, name: &str) -> Uuid {
    // FNV-1a, because the standard library's hash may change with the compiler.
    let hash = [kind, "/", name]
        .iter()
        .flat_map(|part| part.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut random = Random(hash);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.next().to_be_bytes());
    bytes[8..].copy_from_slice(&random.next().to_be_bytes());
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.next() % of.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_fleet() {
        let made = |seed| Fleet { generate: Some(Generate { seed, ..Generate::default() }), ..Fleet::default() };
        assert_eq!(made(7).expand().unwrap(), made(7).expand().unwrap());
        assert_ne!(made(7).expand().unwrap(), made(8).expand().unwrap());
        assert_eq!(made(7).expand().unwrap().domains.len(), 20);
    }
}

//! What several grants come to for one caller: each role as far as its own grants reach, and no further.

use waypost_core::access::{Role, Scope, Scopes};

/// The roles, the one that most depends on first.
const STRONGEST_FIRST: [Role; 4] = [Role::Admin, Role::Operator, Role::PolicyAdmin, Role::Viewer];

/// The same grants in as few words: the strongest role first, and of one role those that one scope can say as one.
pub(crate) fn together(granted: &[(Role, Scope)]) -> Vec<(Role, Scope)> {
    let of = |role: Role| {
        let own = granted.iter().filter(move |(one, _)| *one == role).map(|(_, scope)| scope.clone());
        Scopes::new(own).as_slice().iter().map(|scope| (role, scope.clone())).collect::<Vec<_>>()
    };
    STRONGEST_FIRST.into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use waypost_core::ids::HostName;

    use super::*;

    fn on(host: &str) -> Scope {
        Scope { hosts: vec![HostName::new(host)], ..Scope::default() }
    }

    #[test]
    fn every_role_keeps_its_own_scopes() {
        let granted = [
            (Role::Viewer, Scope::default()),
            (Role::Operator, on("kvm1")),
            (Role::PolicyAdmin, Scope::default()),
            (Role::Operator, on("kvm2")),
            (Role::Viewer, on("kvm1")),
        ];
        let both = Scope { hosts: vec![HostName::new("kvm1"), HostName::new("kvm2")], ..Scope::default() };
        let expected =
            [(Role::Operator, both), (Role::PolicyAdmin, Scope::default()), (Role::Viewer, Scope::default())];
        assert_eq!(together(&granted), expected);
        assert!(together(&[]).is_empty());
    }

    #[test]
    fn no_role_is_forgotten() {
        for role in Role::ALL {
            assert_eq!(together(&[(*role, Scope::default())]), [(*role, Scope::default())], "{role}");
        }
    }
}

//! What several grants come to for one caller, who has one role and one scope.

use waypost_core::access::{Role, Scope};

use super::Grant;

/// Of several grants the role that lets its caller do most, as far as the grants of this role reach together. A weaker one adds nothing:
/// a caller has one role, and has it everywhere in one scope.
pub(super) fn strongest<'g>(granted: impl Iterator<Item = &'g Grant>) -> Option<(Role, Scope)> {
    let granted: Vec<&Grant> = granted.collect();
    let role = granted.iter().map(|grant| grant.role).max_by_key(|role| rank(*role))?;
    let mut scopes: Vec<Scope> =
        granted.iter().filter(|grant| grant.role == role).map(|grant| grant.scope.clone()).collect();
    // What two of them make together may go with a third that goes with neither.
    while let Some((one, other, both)) = pair(&scopes) {
        scopes[one] = both;
        scopes.remove(other);
    }
    // Where no one scope says what is left, the first of the configuration counts: a wider one would grant what nobody wrote.
    scopes.into_iter().next().map(|scope| (role, scope))
}

/// Two that can be one, by their places, the first of them first.
fn pair(scopes: &[Scope]) -> Option<(usize, usize, Scope)> {
    let mut all = scopes.iter().enumerate();
    all.find_map(|(one, scope)| {
        let mut later = scopes.iter().enumerate().skip(one + 1);
        later.find_map(|(other, next)| Some((one, other, scope.united(next)?)))
    })
}

fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::PolicyAdmin => 1,
        Role::Operator => 2,
        Role::Admin => 3,
    }
}

#[cfg(test)]
mod tests {
    use waypost_core::ids::HostName;

    use super::*;

    #[test]
    fn of_several_grants_the_strongest_counts() {
        let grant = |role| Grant { value: String::new(), role, scope: Scope::default() };
        let grants = [Role::Viewer, Role::Operator, Role::PolicyAdmin].map(grant);
        assert_eq!(strongest(grants.iter()), Some((Role::Operator, Scope::default())));
        assert_eq!(strongest([].iter()), None);
    }

    #[test]
    fn grants_of_one_role_reach_together_as_far_as_one_scope_says() {
        let scope = |hosts: &[&str], domains: &[&str]| Scope {
            hosts: hosts.iter().map(|host| HostName::new(*host)).collect(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        };
        let of = |scopes: &[Scope]| {
            let grant = |scope: &Scope| Grant { value: String::new(), role: Role::Operator, scope: scope.clone() };
            let mut grants: Vec<Grant> = scopes.iter().map(grant).collect();
            // Weaker roles that reach everywhere, one before and one after.
            grants.insert(0, Grant { role: Role::Viewer, ..grant(&Scope::default()) });
            grants.push(Grant { role: Role::PolicyAdmin, ..grant(&Scope::default()) });
            let (role, reach) = strongest(grants.iter()).unwrap();
            assert_eq!(role, Role::Operator);
            reach
        };
        let (one, two) = (scope(&["kvm1"], &[]), scope(&["kvm2"], &[]));
        assert_eq!(of(&[one.clone(), two.clone()]), scope(&["kvm1", "kvm2"], &[]));
        for at in 0..3 {
            let mut three = vec![one.clone(), two.clone()];
            three.insert(at, Scope::default());
            assert_eq!(of(&three), Scope::default(), "{at}");
        }
        // The last two make one that goes with the first, which neither of them does alone.
        let (web, db) = (scope(&["kvm1", "kvm2"], &["web-*"]), |host| scope(&[host], &["db-*"]));
        assert_eq!(of(&[web, db("kvm1"), db("kvm2")]), scope(&["kvm1", "kvm2"], &["web-*", "db-*"]));
        // As one they would reach db-1 on kvm1.
        let (web, db) = (scope(&["kvm1"], &["web-*"]), scope(&["kvm2"], &["db-*"]));
        assert_eq!((of(&[web.clone(), db.clone()]), of(&[db.clone(), web.clone()])), (web, db));
    }
}

//! `hosts` and `domains`.

use super::support::{Site, TWO_HOSTS};

#[test]
fn hosts_and_domains_are_listed() {
    let site = Site::new(TWO_HOSTS);
    let hosts = site.expect(0, &["hosts"]).out;
    assert!(hosts.lines().next().is_some_and(|header| header.starts_with("HOST")), "{hosts}");
    assert!(hosts.lines().any(|line| line.starts_with("a ") && line.contains("Simulated 7.2.22")), "{hosts}");
    let domains = site.expect(0, &["domains"]).out;
    let off = domains.lines().find(|line| line.starts_with("off ")).expect("the domain is listed");
    assert!(off.contains(" a ") && off.contains("shut-off"), "{off}");
    assert!(site.expect(0, &["domains", "--host", "b"]).out.lines().count() == 1, "only the header");
}

#[test]
fn a_program_reads_the_same() {
    let site = Site::new(TWO_HOSTS);
    let hosts = site.document(0, &["hosts"]);
    assert_eq!(hosts["kind"], "hosts");
    assert_eq!(hosts["hosts"][0]["name"], "a");
    assert_eq!(hosts["hosts"][0]["active_domains"], 2);
    // Two guests with a vCPU each on sixteen CPUs; places for migrations are a service's to tell.
    assert_eq!(hosts["hosts"][0]["vcpus"], 2);
    assert_eq!(hosts["hosts"][0]["cpu_busy_permille"], 125);
    assert!(hosts["hosts"][0]["outgoing"].is_null(), "{hosts}");
    assert_eq!(hosts["hosts"][0]["domains"], 3);
    let domains = site.document(0, &["domains"]);
    let names: Vec<_> = domains["domains"].as_array().expect("domains").iter().map(|d| d["name"].clone()).collect();
    assert_eq!(names, ["g1", "off", "pinned"]);
}

#[test]
fn a_host_that_does_not_answer_is_told_and_hides_nobody() {
    let fleet = TWO_HOSTS.replacen("name = \"b\"", "name = \"b\"\nreachable = false", 1);
    let site = Site::new(&fleet);
    let ran = site.expect(1, &["hosts"]);
    assert!(ran.out.lines().any(|line| line.starts_with("a ")), "{}", ran.out);
    assert!(ran.err.starts_with("b: "), "{}", ran.err);
    let domains = site.json(1, &["domains"]).remove(0);
    assert_eq!(domains["domains"].as_array().expect("domains").len(), 3);
    assert_eq!(domains["unread"][0]["name"], "b");
}

//! The configuration of nginx in the guide, read as nginx reads it: its words, and which request it sends where. nginx itself, which
//! was tried with it when it was written, is no part of what a test needs.

use regex::Regex;

const GUIDE: &str = include_str!("../../../../docs/kimchi.md");

/// A directive with its words, and what stands in its braces.
#[derive(Debug)]
struct Directive {
    words: Vec<String>,
    inside: Vec<Directive>,
}

/// Words, `;`, `{` and `}`; what stands in quotes is one word, and a comment is none.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or("").trim()) {
        let mut rest = if line.starts_with('#') { "" } else { line };
        while !rest.is_empty() {
            let length = match rest.as_bytes()[0] {
                b'"' => 2 + rest[1..].find('"').expect("a quote is closed"),
                b';' | b'{' | b'}' => 1,
                _ => rest.find([' ', ';']).unwrap_or(rest.len()),
            };
            tokens.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

fn directives(tokens: &mut impl Iterator<Item = String>, is_inside: bool) -> Vec<Directive> {
    let (mut all, mut words) = (Vec::new(), Vec::new());
    while let Some(token) = tokens.next() {
        match token.as_str() {
            ";" => all.push(Directive { words: std::mem::take(&mut words), inside: Vec::new() }),
            "{" => {
                let words = std::mem::take(&mut words);
                all.push(Directive { words, inside: directives(tokens, true) });
            }
            "}" => {
                assert!(is_inside && words.is_empty(), "a brace too many, or no semicolon: {words:?}");
                return all;
            }
            _ => words.push(token),
        }
    }
    assert!(!is_inside && words.is_empty(), "a brace too few, or no semicolon: {words:?}");
    all
}

fn of_guide() -> Vec<Directive> {
    let (_, rest) = GUIDE.split_once("```nginx example\n").expect("the guide has it");
    let (text, _) = rest.split_once("```").expect("it ends");
    directives(&mut tokens(text).into_iter(), false)
}

/// The location that takes a path: the one that is exactly it, else the first whose expression fits.
fn location<'d>(all: &'d [Directive], path: &str) -> Option<&'d Directive> {
    let mut locations = all.iter().filter(|directive| directive.words[0] == "location");
    let exact = locations.clone().find(|one| one.words[1] == "=" && one.words[2] == path);
    exact.or_else(|| {
        let fits = |one: &&Directive| {
            one.words[1] == "~" && Regex::new(one.words[2].trim_matches('"')).unwrap().is_match(path)
        };
        locations.find(fits)
    })
}

fn value<'d>(inside: &'d [Directive], name: &str) -> Option<&'d str> {
    inside.iter().find(|directive| directive.words[0] == name).map(|directive| directive.words[1].as_str())
}

#[test]
fn the_proxy_of_the_guide_sends_migrations_here_and_all_else_where_it_went() {
    let all = of_guide();
    let upstreams: Vec<_> =
        all.iter().filter(|one| one.words[0] == "upstream").map(|one| one.words[1].as_str()).collect();
    assert_eq!(upstreams, ["wok", "waypost"]);
    let ours = "01890000-0000-7000-8000-000000000000";
    let theirs = "f47ac10b-58cc-11ee-8c99-0242ac120002";
    for (path, to) in [
        ("/plugins/kimchi/vms/web1/migrate".to_owned(), Some("http://waypost")),
        ("/plugins/kimchi/vms/a%2Fb/migrate".to_owned(), Some("http://waypost")),
        (format!("/plugins/kimchi/tasks/{ours}"), Some("http://waypost")),
        (format!("/plugins/kimchi/tasks/{theirs}"), None),
        ("/plugins/kimchi/vms/web1".to_owned(), None),
        ("/plugins/kimchi/vms/web1/migrate/x".to_owned(), None),
        ("/x/plugins/kimchi/vms/web1/migrate".to_owned(), None),
        ("/plugins/kimchi/tasks".to_owned(), Some("http://wok")),
    ] {
        let taken = location(&all, &path);
        assert_eq!(taken.and_then(|one| value(&one.inside, "proxy_pass")), to, "{path}");
        // Nobody comes here whom Wok was not asked about.
        if to == Some("http://waypost") {
            assert_eq!(taken.and_then(|one| value(&one.inside, "auth_request")), Some("/wok-session"), "{path}");
        }
    }
    // A list goes by what its tasks are about.
    let list = location(&all, "/plugins/kimchi/tasks").unwrap();
    let asked = list.inside.iter().find(|one| one.words[0] == "if").unwrap();
    assert_eq!(
        (asked.words[1..3].join(" "), value(&asked.inside, "return")),
        ("($arg_target_uri ~".into(), Some("418"))
    );
    let on = list.inside.iter().find(|one| one.words[0] == "error_page").unwrap();
    assert_eq!(on.words[1..], ["418", "=", "@migrations"]);
    let migrations = all.iter().find(|one| one.words[..] == ["location", "@migrations"]).unwrap();
    assert_eq!(value(&migrations.inside, "proxy_pass"), Some("http://waypost"));
    assert_eq!(value(&migrations.inside, "auth_request"), Some("/wok-session"));
    // The question to Wok is no page's to ask.
    let session = location(&all, "/wok-session").unwrap();
    assert_eq!(session.inside[0].words, ["internal"]);
    // Under the name that nginx passes on without a word of its own, the socket answers.
    let host = ["proxy_set_header", "Host"].map(str::to_owned);
    assert!(!all.iter().flat_map(|one| &one.inside).any(|inside| inside.words.starts_with(&host)));
    assert!(upstreams.iter().all(|name| !name.contains('.')));
}

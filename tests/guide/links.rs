//! Links of the pages, and names of pages in the code: each leads to a file that is there, and to a heading that the file has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder whose names end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of the workspace can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect()
}

/// What is not in a fenced block.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// Headings: their level, and what a link calls them.
fn headings(prose: &str) -> Vec<(usize, String)> {
    let heading = |line: &str| {
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        let title = title.strip_prefix(' ').filter(|_| level > 0)?;
        Some((level, anchor(title)))
    };
    prose.lines().filter_map(heading).collect()
}

/// What a heading is called in a link: lower case, hyphens for spaces, nothing else but letters, digits, `-` and `_`.
fn anchor(title: &str) -> String {
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
        _ => None,
    };
    title.trim().to_lowercase().chars().filter_map(kept).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let named = prose.split("<a id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let named: Vec<String> = named.map(|(name, _)| name.to_owned()).collect();
    headings(&prose).into_iter().map(|(_, name)| name).chain(named).collect()
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    // What is between backticks is no link, and no code goes on over the end of its paragraph.
    for paragraph in prose(page).split("\n\n") {
        let words: String = paragraph.split('`').step_by(2).collect();
        found.extend(words.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to.to_owned()));
    }
    found
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut pages = files("", "md");
    pages.extend(files("docs", "md"));
    pages.extend(files("host/service/web", "md"));
    let mut followed = 0;
    for page in pages {
        let text = read(&page);
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let there = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            assert!(there.exists(), "{} links to {link}, which is not there", page.display());
            if !heading.is_empty() {
                let known = anchors(&read(&there)).contains(heading);
                assert!(known, "{} links to {link}, and that page has no such heading", page.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 200, "{followed} links were followed");
}

/// A reader who looks for something finds every section in the list at the top.
#[test]
fn the_contents_of_a_long_page_name_every_section() {
    for name in ["operator-guide.md", "service.md"] {
        let prose = prose(&read(&root().join("docs").join(name)));
        let (contents, sections) = prose.split_once("\n## ").expect("sections");
        let sections = headings(&format!("## {sections}"));
        assert!(sections.len() > 10, "{name} has {} sections", sections.len());
        for (level, section) in sections {
            assert!(level > 3 || contents.contains(&format!("](#{section})")), "the contents of {name} lack {section}");
        }
    }
}

/// Sources send readers to pages, in comments and in what they say when something is wrong.
#[test]
fn every_page_that_a_source_names_is_there() {
    let mut folders: Vec<PathBuf> = ["host", "plugins", "tests", "examples"].map(|name| root().join(name)).into();
    let mut sources = vec![root().join("waypost.toml.sample"), root().join("Makefile"), root().join("Cargo.toml")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| ["rs", "sh", "service"].iter().any(|one| extension == *one))
            {
                sources.push(path);
            }
        }
    }
    let mut named = 0;
    for source in sources {
        let text = read(&source);
        for rest in text.split("docs/").skip(1) {
            let end =
                rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-')).unwrap_or(rest.len());
            if rest[end..].starts_with(".md") {
                let page = format!("docs/{}.md", &rest[..end]);
                assert!(root().join(&page).exists(), "{} names {page}, which is not there", source.display());
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named} pages are named");
}

/// The map and the lists of files: a file that was moved is looked for where it is.
#[test]
fn every_path_of_the_map_is_there() {
    let mut named = 0;
    for page in ["ARCHITECTURE.md", "docs/changing.md"] {
        let prose = prose(&read(&root().join(page)));
        for path in prose.split('`').skip(1).step_by(2) {
            let ours =
                ["host/", "plugins/", "tests/", "wit/", "docs/", "examples/"].iter().any(|top| path.starts_with(top));
            if ours && !path.contains(['*', ' ']) {
                assert!(root().join(path).exists(), "{page} names {path}, which is not there");
                named += 1;
            }
        }
    }
    assert!(named > 150, "{named} paths are named");
}

#[test]
fn a_link_is_told_from_code_and_a_heading_from_a_comment() {
    let page = "# One `two`: three's\n\n[a](b.md#c) `[d](e)` [`f`](g\n.md) `h\ni` [j](#k)\n\n```sh run\n# no [l](m)\n```\n<a id=\"n\"></a>\n";
    assert_eq!(links(page), ["b.md#c", "g\n.md", "#k"]);
    assert_eq!(anchors(page), BTreeSet::from(["one-two-threes", "n"].map(str::to_owned)));
}

//! The screen, line by line, over a terminal that is made of memory.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use waypost::api::v1::{Sample, TopHost};

use super::super::screen::Key;
use super::*;

fn sample() -> Sample {
    Sample {
        stage: "pre-copy".into(),
        elapsed_ms: 60_000,
        total_bytes: 4 << 30,
        processed_bytes: 3 << 30,
        remaining_bytes: 1 << 30,
        bytes_per_s: Some(100 << 20),
        dirty_bytes_per_s: Some(20 << 20),
        iteration: Some(2),
        downtime_ms: Some(250),
        remaining_ms: Some(13_000),
        throttle_percent: None,
    }
}

fn task(domain: &str, from: &str, to: &str) -> TopTask {
    TopTask {
        task: format!("id-of-{domain}"),
        domain: domain.into(),
        source: Some(from.into()),
        destination: to.into(),
        phase: "performing".into(),
        attempt: 1,
        ..TopTask::default()
    }
}

fn top() -> Top {
    let host = |host: &str, outgoing, incoming, waiting_out, waiting_in| TopHost {
        host: host.into(),
        outgoing,
        incoming,
        waiting_out,
        waiting_in,
    };
    let web = TopTask {
        progress: Percent::of_permille(755),
        message: "web1 is moving to kvm2".into(),
        elapsed_ms: 61_000,
        sample: Some(sample()),
        max_downtime_ms: Some(300),
        may_post_copy: true,
        ..task("web1", "kvm1", "kvm2")
    };
    let early = TopTask { phase: "planned".into(), ..task("a-domain-with-a-very-long-name", "kvm2", "kvm1") };
    let waits = TopTask {
        phase: "accepted".into(),
        message: "the migration of db waits for its turn".into(),
        elapsed_ms: 4000,
        ..task("db", "kvm1", "kvm2")
    };
    let over = TopTask {
        phase: "ended".into(),
        outcome: Some("completed".into()),
        progress: Percent::of_permille(1000),
        message: "mail is running on kvm2 (downtime 80 ms)".into(),
        elapsed_ms: 7_500_000,
        ..task("mail", "kvm1", "kvm2")
    };
    Top {
        at: "2026-01-02T03:04:05.000Z".into(),
        hosts: vec![host("kvm1", 1, 1, 1, 0), host("kvm2", 1, 1, 0, 1), host("kvm3", 0, 0, 0, 0)],
        running: vec![web, early],
        waiting: vec![waits],
        finished: vec![over],
    }
}

/// What stands on a screen of that size after these keys, without what is blank at the ends of lines.
fn shown(width: u16, height: u16, top: &Top, keys: &[Key], samples: &[PastSample]) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut screen = Screen::default();
    screen.take(top);
    for key in keys {
        screen.press(*key, top);
    }
    terminal.draw(|drawn| frame(drawn, top, &screen, samples)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(width.into());
    lines.map(|cells| trimmed(cells.iter().map(|cell| cell.symbol()).collect())).collect()
}

#[test]
fn everything_is_on_one_screen() {
    let expected = [
        "waypost top  2026-01-02T03:04:05.000Z  2 running, 1 waiting, 1 finished",
        "",
        "HOST                  OUT   IN  WAITING OUT  WAITING IN",
        "kvm1                    1    1            1           0",
        "kvm2                    1    1            0           1",
        "kvm3                    0    0            0           0",
        "",
        "RUNNING                  FROM > TO         PHASE      PROGRESS             LEFT        RATE       DIRTY    LIMIT      ETA",
        "web1                     kvm1 > kvm2       pre-copy   ███████░░░  75%   1.0 GiB   100 MiB/s  20.0 MiB/s   300 ms      13s",
        "a-domain-with-a-very-lo… kvm2 > kvm1       planned    ░░░░░░░░░░   0%         -           -           -        -        -",
        "",
        "WAITING              FROM > TO         STATE            FOR  MESSAGE",
        "db                   kvm1 > kvm2       queued            4s  the migration of db waits for its turn",
        "",
        "FINISHED             FROM > TO         STATE           TOOK  MESSAGE",
        "mail                 kvm1 > kvm2       completed    2:05:00  mail is running on kvm2 (downtime 80 ms)",
        "",
        "↑↓ select  d detail  c cancel  p post-copy  q quit",
    ];
    assert_eq!(shown(121, 18, &top(), &[], &[]), expected);
    // The plain frame is the same without the keys.
    assert_eq!(plain(&top(), 121), expected[..16]);
}

#[test]
fn a_transfer_of_which_nothing_is_heard_shows_no_rate_and_says_so() {
    let words = "no news for 34 s: does anybody drive it? `waypost watch id-of-web1`";
    let mut silent = top();
    let web = &mut silent.running[0];
    (web.message, web.silent_ms) = (words.to_owned(), Some(34_000));
    web.sample = Some(Sample { bytes_per_s: None, dirty_bytes_per_s: None, remaining_ms: None, ..sample() });
    let lines = shown(121, 20, &silent, &[], &[]);
    let row = "web1                     kvm1 > kvm2       pre-copy   ███████░░░  75%   1.0 GiB           -           -   300 ms        -";
    assert_eq!(lines[8..10], [row.to_owned(), format!("  {words}")]);
    assert!(lines[10].starts_with("a-domain-with"), "{lines:#?}");
    let past = PastSample { at: String::new(), attempt: 1, progress: Percent::default(), sample: sample() };
    let lines = shown(80, 20, &silent, &[Key::Detail], &[past]);
    assert_eq!(lines[4], format!("message     {words}"));
    assert_eq!(lines[9..11], ["ETA         -", "left        1.0 GiB now, 1.0 GiB at most"]);
    assert!(lines.contains(&"rate        - now, 100 MiB/s at most".to_owned()), "{lines:#?}");
}

#[test]
fn a_narrow_screen_leaves_columns_out_and_breaks_no_line() {
    let lines = shown(80, 18, &top(), &[], &[]);
    assert_eq!(lines[7], "RUNNING         FROM > TO         PROGRESS             LEFT        RATE      ETA");
    assert_eq!(lines[8], "web1            kvm1 > kvm2       ███████░░░  75%   1.0 GiB   100 MiB/s      13s");
    assert_eq!(lines[15], "mail                 kvm1 > kvm2       completed    2:05:00  mail is running on…");
    for width in [40, 60, 200] {
        assert!(plain(&top(), width).iter().all(|line| Span::raw(line).width() <= width.into()), "{width}");
    }
}

#[test]
fn the_selected_task_is_always_in_sight() {
    let lines = shown(121, 8, &top(), &[Key::Last], &[]);
    assert!(lines[0].starts_with("waypost top"));
    assert!(lines[6].starts_with("mail"), "{lines:#?}");
    assert!(lines[7].contains("quit"));
}

#[test]
fn a_question_and_a_note_stand_where_the_keys_were() {
    let foot = |keys: &[Key]| shown(121, 18, &top(), keys, &[]).pop().unwrap();
    assert_eq!(foot(&[Key::Cancel]), "cancel the migration of web1? y: yes, any other key: no");
    let question = "switch to post-copy, which nothing takes back, the migration of web1? y: yes, any other key: no";
    assert_eq!(foot(&[Key::PostCopy]), question);
    assert_eq!(foot(&[Key::Cancel, Key::Other]), "nothing was done");
    assert_eq!(foot(&[Key::Last, Key::Cancel]), "mail: it is over");
}

#[test]
fn the_detail_has_every_figure_and_the_course_of_the_transfer() {
    let past = |n: u64| PastSample {
        at: String::new(),
        attempt: 1,
        progress: Percent::default(),
        sample: Sample { remaining_bytes: (8 - n) << 27, bytes_per_s: Some(n << 20), ..sample() },
    };
    let samples: Vec<PastSample> = (1..=8).map(past).collect();
    let expected = [
        "waypost top  2026-01-02T03:04:05.000Z  2 running, 1 waiting, 1 finished",
        "domain      web1  kvm1 > kvm2",
        "task        id-of-web1",
        "state       performing, attempt 1, for 1:01",
        "message     web1 is moving to kvm2",
        "progress    ██████████████████████░░░░░░░░  75%",
        "left        1.0 GiB of 4.0 GiB, 3.0 GiB moved",
        "transfer    pre-copy, pass 2, CPUs held back by -",
        "downtime    250 ms expected, 300 ms allowed",
        "ETA         13s",
        "left        0 B now, 896 MiB at most",
        "█▅▃▁",
        "████▆▄▂",
        "rate        8.0 MiB/s now, 8.0 MiB/s at most",
        "    ▂▄▆█",
        "▂▄▆█████",
        "dirty       20.0 MiB/s now, 20.0 MiB/s at most",
        "████████",
        "████████",
        "d back  c cancel  p post-copy  q quit",
    ];
    assert_eq!(shown(80, 20, &top(), &[Key::Detail], &samples), expected);
    // Of one that is over, the last reading, whose downtime is the real one.
    let last = PastSample { sample: Sample { stage: "final".into(), ..sample() }, ..past(8) };
    let lines = shown(80, 20, &top(), &[Key::Last, Key::Detail], &[last]);
    assert_eq!(lines[6], "left        1.0 GiB of 4.0 GiB, 3.0 GiB moved");
    assert_eq!(lines[8], "downtime    250 ms measured, - allowed");
}

#[test]
fn what_does_not_fit_is_cut_by_what_a_terminal_makes_of_it() {
    assert_eq!(fit("abc", 5), "abc  ");
    assert_eq!(fit("abcdef", 5), "abcd…");
    assert_eq!(fit("日本語", 5), "日本…");
    assert_eq!(fit("a\nb", 3), "a b");
    assert_eq!([59_000, 60_000, 3_600_000, 90_000_000].map(clock), ["59s", "1:00", "1:00:00", "1d 01:00"]);
    assert_eq!(
        [0, 99, 100, 999, 1000].map(|permille| bar(Percent::of_permille(permille), 2)),
        ["░░   0%", "░░   9%", "░░  10%", "█░  99%", "██ 100%"]
    );
}

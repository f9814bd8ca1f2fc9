//! How a picture looks: lines of a given width. The same lines make the screen and the plain frame of `--once`.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};
use waypost::amounts::bytes;
use waypost::api::v1::{PastSample, Percent, Top, TopTask};

use super::picture::no_news;
use super::screen::{Screen, Wanted};

/// Hosts that are shown; the busy ones come first.
const HOSTS: usize = 6;
/// Cells of a progress bar.
const BAR: usize = 10;
/// The least that a domain's name gets before columns are left out.
const NAME: usize = 12;

/// A line, and the task that it is about.
struct Row<'t> {
    text: String,
    style: Style,
    task: Option<&'t str>,
}

/// A column of the running transfers.
struct Column {
    title: &'static str,
    width: usize,
    value: fn(&TopTask) -> String,
}

/// All of them. Where the screen is narrow they are left out in the order of [`LEFT_OUT`].
const COLUMNS: [Column; 8] = [
    Column { title: "FROM > TO", width: 17, value: route },
    Column { title: "PHASE", width: 10, value: phase },
    Column { title: "PROGRESS", width: 15, value: |task| bar(task.progress, BAR) },
    Column { title: "LEFT", width: 9, value: |task| amount(task.sample.as_ref().map(|s| s.remaining_bytes), "") },
    Column { title: "RATE", width: 11, value: |task| amount(task.sample.as_ref().and_then(|s| s.bytes_per_s), "/s") },
    Column {
        title: "DIRTY",
        width: 11,
        value: |task| amount(task.sample.as_ref().and_then(|s| s.dirty_bytes_per_s), "/s"),
    },
    Column {
        title: "LIMIT",
        width: 8,
        value: |task| task.max_downtime_ms.map_or_else(nothing, |ms| format!("{ms} ms")),
    },
    Column {
        title: "ETA",
        width: 8,
        value: |task| task.sample.as_ref().and_then(|s| s.remaining_ms).map_or_else(nothing, clock),
    },
];
const LEFT_OUT: [&str; 4] = ["LIMIT", "DIRTY", "PHASE", "ETA"];

/// One frame without a terminal.
pub fn plain(top: &Top, width: u16) -> Vec<String> {
    std::iter::once(line(&title(top), width.into()))
        .chain(rows(top, width.into()).into_iter().map(|row| row.text))
        .map(trimmed)
        .collect()
}

/// The screen.
pub fn frame(frame: &mut Frame<'_>, top: &Top, screen: &Screen, samples: &[PastSample]) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    let strong = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(title(top), strong), head);
    match screen.task(top).filter(|_| screen.detail) {
        Some(task) => detail(frame, body, task, samples),
        None => list(frame, body, top, screen),
    }
    frame.render_widget(Line::styled(footer(screen), strong), foot);
}

fn list(frame: &mut Frame<'_>, area: Rect, top: &Top, screen: &Screen) {
    let rows = rows(top, area.width.into());
    let selected = rows.iter().position(|row| row.task.is_some() && row.task == screen.selected.as_deref());
    // As far down as it takes to see the selected one, and no further.
    let above = selected.map_or(0, |row| (row + 1).saturating_sub(area.height.into()));
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .enumerate()
        .skip(above)
        .take(area.height.into())
        .map(|(at, row)| {
            let chosen = if Some(at) == selected { Modifier::REVERSED } else { Modifier::empty() };
            Line::styled(row.text, row.style.add_modifier(chosen))
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn detail(frame: &mut Frame<'_>, area: Rect, task: &TopTask, samples: &[PastSample]) {
    // Of one that is over, the last that was kept.
    let sample = task.sample.as_ref().or_else(|| samples.last().map(|past| &past.sample));
    let measured = if sample.is_some_and(|s| s.stage == "final") { "measured" } else { "expected" };
    let value = |value: Option<String>| value.unwrap_or_else(nothing);
    let field = |name: &str, value: String| Line::raw(line(&format!("{name:<12}{value}"), area.width.into()));
    let state = task.outcome.as_deref().unwrap_or(&task.phase);
    let lines = vec![
        field("domain", format!("{}  {}", task.domain, route(task))),
        field("task", task.task.clone()),
        field("state", format!("{state}, attempt {}, for {}", task.attempt, clock(task.elapsed_ms))),
        field("message", task.message.clone()),
        field("progress", bar(task.progress, 3 * BAR)),
        field(
            "left",
            format!(
                "{} of {}, {} moved",
                amount(sample.map(|s| s.remaining_bytes), ""),
                amount(sample.map(|s| s.total_bytes), ""),
                amount(sample.map(|s| s.processed_bytes), "")
            ),
        ),
        field(
            "transfer",
            format!(
                "{}, pass {}, CPUs held back by {}",
                value(sample.map(|s| s.stage.clone())),
                value(sample.and_then(|s| s.iteration).map(|pass| pass.to_string())),
                value(sample.and_then(|s| s.throttle_percent).map(|percent| format!("{percent} %")))
            ),
        ),
        field(
            "downtime",
            format!(
                "{} {measured}, {} allowed",
                value(sample.and_then(|s| s.downtime_ms).map(|ms| format!("{ms} ms"))),
                value(task.max_downtime_ms.map(|ms| format!("{ms} ms")))
            ),
        ),
        field("ETA", value(sample.and_then(|s| s.remaining_ms).map(clock))),
    ];
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let [fields, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(lines), fields);
    type Figure = fn(&PastSample) -> Option<u64>;
    let plots: [(&str, Figure); 3] = [
        ("left", |past| Some(past.sample.remaining_bytes)),
        ("rate", |past| past.sample.bytes_per_s),
        ("dirty", |past| past.sample.dirty_bytes_per_s),
    ];
    let areas = Layout::vertical([Constraint::Length(3); 3]).areas::<3>(rest);
    for ((name, of), area) in plots.into_iter().zip(areas) {
        let per = if name == "left" { "" } else { "/s" };
        // What is left is as it was; a rate of which nothing was heard is none.
        let live = per.is_empty() || no_news(task).is_none();
        plot(frame, area, name, &samples.iter().map(of).collect::<Vec<_>>(), live, per);
    }
}

/// A line of the greatest and the last value, if that is one of right now, and two of the course.
fn plot(frame: &mut Frame<'_>, area: Rect, name: &str, values: &[Option<u64>], live: bool, per: &str) {
    let [head, course] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let most = values.iter().flatten().max().copied();
    let last = values.last().copied().flatten().filter(|_| live);
    let words = format!("{name:<12}{} now, {} at most", amount(last, per), amount(most, per));
    frame.render_widget(Line::raw(line(&words, area.width.into())), head);
    // The whole course, also where it has more readings than the screen has columns.
    let columns = usize::from(course.width).max(1);
    let step = values.len().div_ceil(columns).max(1);
    let shown: Vec<Option<u64>> = values.chunks(step).map(|some| some.iter().flatten().max().copied()).collect();
    frame.render_widget(Sparkline::default().data(shown).max(most.unwrap_or(1).max(1)), course);
}

fn title(top: &Top) -> String {
    format!(
        "waypost top  {}  {} running, {} waiting, {} finished",
        top.at,
        top.running.len(),
        top.waiting.len(),
        top.finished.len()
    )
}

fn footer(screen: &Screen) -> String {
    if let Some(question) = &screen.question {
        let what = match question.what {
            Wanted::Cancel => "cancel the migration of",
            Wanted::PostCopy => "switch to post-copy, which nothing takes back, the migration of",
        };
        return format!("{what} {}? y: yes, any other key: no", question.domain);
    }
    match &screen.note {
        Some(note) => note.clone(),
        None if screen.detail => "d back  c cancel  p post-copy  q quit".to_owned(),
        None => "↑↓ select  d detail  c cancel  p post-copy  q quit".to_owned(),
    }
}

/// Everything below the title.
fn rows(top: &Top, width: usize) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let head = |rows: &mut Vec<Row<'_>>, text: String| {
        rows.push(Row { text: String::new(), style: Style::new(), task: None });
        rows.push(Row { text: line(&text, width), style: Style::new().add_modifier(Modifier::BOLD), task: None });
    };
    let plain = |text: String| Row { text: line(&text, width), style: Style::new(), task: None };
    if !top.hosts.is_empty() {
        head(
            &mut rows,
            format!("{} {:>4} {:>4} {:>12} {:>11}", fit("HOST", 20), "OUT", "IN", "WAITING OUT", "WAITING IN"),
        );
        rows.extend(top.hosts.iter().take(HOSTS).map(|host| {
            let name = fit(&host.host, 20);
            let (outgoing, incoming) = (host.outgoing, host.incoming);
            plain(format!("{name} {outgoing:>4} {incoming:>4} {:>12} {:>11}", host.waiting_out, host.waiting_in))
        }));
        if let Some(more) = top.hosts.len().checked_sub(HOSTS).filter(|more| *more > 0) {
            rows.push(plain(format!("and {more} more")));
        }
    }
    if !top.running.is_empty() {
        let (name, columns) = columns(width);
        let titles = columns.iter().map(|column| right(column.title, column));
        head(&mut rows, joined(fit("RUNNING", name), titles));
        for task in &top.running {
            let values = columns.iter().map(|column| right(&(column.value)(task), column));
            rows.push(of_task(joined(fit(&task.domain, name), values), task, width));
            rows.extend(no_news(task).map(|words| plain(format!("  {words}"))));
        }
    }
    let short = [("WAITING", "FOR", &top.waiting), ("FINISHED", "TOOK", &top.finished)];
    for (name, time, tasks) in short.into_iter().filter(|(.., tasks)| !tasks.is_empty()) {
        let row = |name: &str, route: &str, state: &str, time: &str, message: &str| {
            format!("{} {} {} {time:>8}  {message}", fit(name, 20), fit(route, 17), fit(state, 11))
        };
        head(&mut rows, row(name, "FROM > TO", "STATE", time, "MESSAGE"));
        rows.extend(tasks.iter().map(|task| {
            let state = task.outcome.as_deref().unwrap_or("queued");
            of_task(row(&task.domain, &route(task), state, &clock(task.elapsed_ms), &task.message), task, width)
        }));
    }
    if top.running.is_empty() && top.waiting.is_empty() {
        rows.push(plain(String::new()));
        rows.push(plain("no migration runs or waits".to_owned()));
    }
    rows
}

fn of_task(text: String, task: &TopTask, width: usize) -> Row<'_> {
    Row { text: line(&text, width), style: Style::new(), task: Some(&task.task) }
}

/// The columns that there is room for, and what is left for the name.
fn columns(width: usize) -> (usize, Vec<&'static Column>) {
    static ALL: [Column; 8] = COLUMNS;
    let mut columns: Vec<&Column> = ALL.iter().collect();
    let taken = |columns: &[&Column]| columns.iter().map(|column| column.width + 1).sum::<usize>();
    for title in LEFT_OUT {
        if width < taken(&columns) + NAME {
            columns.retain(|column| column.title != title);
        }
    }
    (width.saturating_sub(taken(&columns)).clamp(NAME, 40), columns)
}

/// Numbers stand to the right, words to the left.
fn right(value: &str, column: &Column) -> String {
    match column.title {
        "FROM > TO" | "PHASE" | "PROGRESS" => fit(value, column.width),
        _ => format!("{value:>width$}", width = column.width),
    }
}

fn joined(first: String, others: impl Iterator<Item = String>) -> String {
    others.fold(first, |line, value| line + " " + &value)
}

fn route(task: &TopTask) -> String {
    format!("{} > {}", task.source.as_deref().unwrap_or("?"), task.destination)
}

fn phase(task: &TopTask) -> String {
    match (&task.sample, task.phase.as_str()) {
        _ if task.cancel_requested => "cancelling".to_owned(),
        (Some(sample), "performing") => sample.stage.clone(),
        (_, phase) => phase.to_owned(),
    }
}

fn bar(progress: Percent, cells: usize) -> String {
    let full = usize::from(progress.permille()) * cells / 1000;
    format!("{}{} {:>3}%", "█".repeat(full), "░".repeat(cells - full), progress.whole())
}

fn amount(count: Option<u64>, per: &str) -> String {
    count.map_or_else(nothing, |count| format!("{}{per}", bytes(count)))
}

fn nothing() -> String {
    "-".to_owned()
}

/// `42s`, `4:10`, `2:05:00`, `3d 04:05`.
fn clock(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}:{:02}", s / 60, s % 60),
        3600..86_400 => format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60),
        _ => format!("{}d {:02}:{:02}", s / 86_400, s / 3600 % 24, s / 60 % 60),
    }
}

/// One line of at most that width.
fn line(text: &str, width: usize) -> String {
    if Span::raw(text).width() > width || text.contains(char::is_control) { fit(text, width) } else { text.to_owned() }
}

/// A text of just that width, by what a terminal makes of it.
fn fit(text: &str, width: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut wide = Span::raw(clean.as_str()).width();
    let mut fitted = clean;
    if wide > width {
        while wide >= width
            && let Some(last) = fitted.pop()
        {
            wide -= Span::raw(last.to_string()).width();
        }
        fitted.push('…');
        wide += 1;
    }
    fitted + &" ".repeat(width.saturating_sub(wide))
}

fn trimmed(line: String) -> String {
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests;

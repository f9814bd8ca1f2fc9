//! Draws a recording: what is left, how fast it goes beside how fast the guest writes, the downtime limit, and how much the
//! guest is slowed down where it is.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::recording::Recording;

/// Width of the picture, and the height of its title and of one panel.
const WIDTH: u32 = 860;
const HEIGHT: (u32, u32) = (30, 180);
const FONT: &str = "sans-serif";
const SENT: RGBColor = RGBColor(31, 119, 180);
const DIRTIED: RGBColor = RGBColor(214, 39, 40);
const LIMIT: RGBColor = RGBColor(44, 120, 44);
const STEERED: RGBColor = RGBColor(150, 150, 150);

/// One line of a panel.
struct Line {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

pub fn draw(recording: &Recording) -> String {
    let mut svg = String::new();
    picture(recording, &mut svg).expect("text can be written");
    svg + "\n"
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn picture(recording: &Recording, svg: &mut String) -> Drawn {
    let throttled = recording.readings.iter().any(|reading| reading.4 > 0);
    let count = if throttled { 4 } else { 3 };
    let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT.0 + HEIGHT.1 * count)).into_drawing_area();
    root.fill(&WHITE)?;
    let head = &recording.head;
    let downtime = head.downtime_ms.map(|ms| format!(", downtime {ms} ms")).unwrap_or_default();
    let title = format!("{}: {} after {:.1} s{downtime}", head.title, head.outcome, head.seconds);
    let panels = root.titled(&title, (FONT, 18))?.split_evenly((count as usize, 1));
    let end = recording.readings.iter().map(|r| seconds(r.0)).fold(head.seconds, f64::max);
    let over = |value: fn(&crate::recording::Reading) -> u64| -> Vec<(f64, f64)> {
        recording.readings.iter().map(|reading| (seconds(reading.0), mib(value(reading)))).collect()
    };
    let panel = |number: usize, unit: &str, lines: &[Line]| panel(&panels[number], unit, end, lines, recording);
    panel(0, "MiB", &[Line { name: "left", color: SENT, points: over(|r| r.1) }])?;
    panel(
        1,
        "MiB/s",
        &[
            Line { name: "sent", color: SENT, points: over(|r| r.2) },
            Line { name: "dirtied", color: DIRTIED, points: over(|r| r.3) },
        ],
    )?;
    panel(2, "ms", &[Line { name: "downtime limit", color: LIMIT, points: steps(&recording.limits(), end) }])?;
    if throttled {
        let points = recording.readings.iter().map(|reading| (seconds(reading.0), f64::from(reading.4))).collect();
        panel(3, "%", &[Line { name: "slowed down", color: DIRTIED, points }])?;
    }
    root.present()
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    unit: &str,
    end: f64,
    lines: &[Line],
    recording: &Recording,
) -> Drawn {
    let top = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(1.0, f64::max) * 1.45;
    let mut chart = ChartBuilder::on(area)
        .margin(6)
        .margin_right(16)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end.max(1.0), 0.0..top)?;
    chart
        .configure_mesh()
        .y_desc(unit)
        .y_labels(5)
        .x_labels(12)
        .x_label_formatter(&|s| format!("{s:.0} s"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .label_style((FONT, 12))
        .draw()?;
    for done in &recording.steered {
        let at = seconds(done.at_ms);
        chart.draw_series([PathElement::new([(at, 0.0), (at, top)], STEERED)])?;
        // Downtimes are seen in the panel of the limit.
        if unit == "MiB" && done.action != "set-downtime" {
            let style = (FONT, 13).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Top));
            chart.draw_series([Text::new(format!("{} ", done.action), (at, top * 0.98), style)])?;
        }
    }
    for Line { name, color, points } in lines {
        let color = *color;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12))
        .draw()?;
    Ok(())
}

/// A value holds until the next is set.
fn steps(limits: &[(u64, u64)], end: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for (number, (from, value)) in limits.iter().enumerate() {
        let until = limits.get(number + 1).map_or(end, |next| seconds(next.0));
        points.extend([(seconds(*from), *value as f64), (until, *value as f64)]);
    }
    points
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

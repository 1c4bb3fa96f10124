//! Plots, as SVG for a page.

use plotters::prelude::*;

use super::manual::escaped;
use crate::base::error::{Error, Result};
use crate::mall::Report;

const WIDTH: u32 = 880;
const BAR_COLOUR: RGBColor = RGBColor(0x2f, 0x6d, 0xb5);
/// How large the letters are, however high the picture is.
const LABEL_SIZE: u32 = 13;
/// How many letters of a name fit beside a bar.
const NAME_CHARS: usize = 18;
/// How many products are drawn.
const DRAWN_MAX: usize = 10;

/// What a picture is called, and what it shows in words, for who cannot see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caption<'a> {
    pub(crate) title: &'a str,
    pub(crate) told: &'a str,
}

/// Exchanges, hour by hour or day by day.
///
/// # Errors
/// `Unavailable` when it cannot be drawn.
pub(crate) fn course(report: &Report, caption: Caption<'_>) -> Result<String> {
    let bars: Vec<(String, u64)> =
        report.course.iter().map(|slot| (slot.name.clone(), slot.exchanges)).collect();
    let (count, most) = (bars.len(), top(&bars));
    let name = |at: &f64| named(&bars, *at);
    let mut svg = String::new();
    let drawn = (|| {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, 260)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(56)
            .build_cartesian_2d(-0.5..count.max(1) as f64 - 0.5, 0.0..most)?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh().x_labels(count.min(13)).y_labels(5).light_line_style(TRANSPARENT);
        mesh.label_style(("sans-serif", LABEL_SIZE));
        mesh.x_label_formatter(&name).y_label_formatter(&whole).draw()?;
        chart.draw_series(bars.iter().enumerate().map(|(at, (_, value))| {
            let at = at as f64;
            Rectangle::new([(at - 0.4, 0.0), (at + 0.4, *value as f64)], BAR_COLOUR.filled())
        }))?;
        area.present()
    })();
    drawn.map_err(failed)?;
    Ok(named_svg(&svg, "course", caption))
}

/// The products that were exchanged most, by units; the first on top.
///
/// # Errors
/// `Unavailable` when it cannot be drawn.
pub(crate) fn products(report: &Report, caption: Caption<'_>) -> Result<String> {
    let products = report.products.iter().take(DRAWN_MAX);
    let mut bars: Vec<(String, u64)> = products
        .map(|it| {
            let name = it.name.as_deref().unwrap_or(&it.id);
            (name.chars().take(NAME_CHARS).collect(), it.units)
        })
        .collect();
    bars.reverse();
    let (count, most) = (bars.len(), top(&bars));
    let name = |at: &f64| named(&bars, *at);
    let mut svg = String::new();
    let drawn = (|| {
        let height = 56 + 26 * count as u32;
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(190)
            .build_cartesian_2d(0.0..most, -0.5..count.max(1) as f64 - 0.5)?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_mesh().x_labels(6).y_labels(2 * count + 1).light_line_style(TRANSPARENT);
        mesh.label_style(("sans-serif", LABEL_SIZE));
        mesh.x_label_formatter(&whole).y_label_formatter(&name).draw()?;
        chart.draw_series(bars.iter().enumerate().map(|(at, (_, value))| {
            let at = at as f64;
            Rectangle::new([(0.0, at - 0.35), (*value as f64, at + 0.35)], BAR_COLOUR.filled())
        }))?;
        area.present()
    })();
    drawn.map_err(failed)?;
    Ok(named_svg(&svg, "products", caption))
}

/// The picture with a name and with what it shows in words, for who cannot see it.
fn named_svg(svg: &str, id: &str, Caption { title, told }: Caption<'_>) -> String {
    let role =
        format!("<svg role=\"img\" aria-labelledby=\"{id}-title\" aria-describedby=\"{id}-told\"");
    let svg = svg.replacen("<svg", &role, 1);
    // Behind the tag that it begins with.
    let at = svg.find('>').map_or(0, |at| at + 1);
    let (head, drawn) = svg.split_at(at);
    let (title, told) = (escaped(title), escaped(told));
    format!(
        "{head}<title id=\"{id}-title\">{title}</title><desc id=\"{id}-told\">{told}</desc>{drawn}"
    )
}

/// Where the axis ends.
fn top(bars: &[(String, u64)]) -> f64 {
    let most = bars.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
    most as f64 * 1.05
}

/// The name of the bar in the middle of which a mark of the axis is; nothing between bars.
fn named(bars: &[(String, u64)], at: f64) -> String {
    let nearest = at.round();
    let is_bar = (at - nearest).abs() < 0.01 && nearest >= 0.0;
    let bar = is_bar.then(|| bars.get(nearest as usize)).flatten();
    bar.map(|(name, _)| name.clone()).unwrap_or_default()
}

/// Counts have no fractions.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "as plotters asks")]
fn whole(value: &f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { String::new() }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(cause: DrawingAreaErrorKind<E>) -> Error {
    Error::unavailable(format!("a plot cannot be drawn: {cause}"))
}

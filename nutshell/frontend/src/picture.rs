//! The history of autoscaling as a picture: three panels over one time axis. Geometry only; the
//! template draws it, the style sheet colours it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use protocol::api::autoscaling::{Action, AutoscalingStatus, Decision, LoadPoint};
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

/// The whole, in units of the picture.
pub(crate) const WIDTH: f64 = 760.0;
/// Where the panels begin and end; what is left of it are numbers.
pub(crate) const LEFT: f64 = 56.0;
pub(crate) const RIGHT: f64 = WIDTH - 12.0;
/// The height of a panel, and from one to the next.
const HEIGHT: f64 = 96.0;
const PITCH: f64 = 140.0;
/// Where the first one begins: above it are the marks of decisions.
const TOP: f64 = 44.0;
/// So many colours there are for types of nodes.
const COLOURS: usize = 6;
/// Measurements further apart are not joined by a line.
const GAP: i32 = 5;

/// See the module.
#[derive(Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) height: f64,
    pub(crate) panels: Vec<Panel>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) times: Vec<Label>,
}

/// One panel.
#[derive(Debug, PartialEq)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) lines: Vec<Line>,
    /// The numbers at its left.
    pub(crate) values: Vec<Label>,
    /// The height of what must not be exceeded.
    pub(crate) threshold: Option<f64>,
}

/// What goes up and down in a panel.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Of the style sheet.
    pub(crate) class: String,
    /// A path's `d`.
    pub(crate) path: String,
}

/// A word at some place of an axis.
#[derive(Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) at: f64,
    pub(crate) text: String,
}

/// A decision that changed something.
#[derive(Debug, PartialEq)]
pub(crate) struct Mark {
    pub(crate) at: f64,
    pub(crate) class: &'static str,
    /// What people read when they point at it.
    pub(crate) reason: String,
}

impl Picture {
    /// The picture of what was measured; `None` when nothing was.
    pub(crate) fn of(status: &AutoscalingStatus) -> Option<Self> {
        let points = &status.measurements;
        let (first, last) = (points.first()?.at, points.last()?.at);
        let axis = Axis::new(first, last);
        let threshold = status.wanted.map(|wanted| f64::from(wanted.response_time_threshold));
        let times = Self::panel(
            0,
            "Response time, ms",
            &axis,
            points,
            &[
                ("95 of 100 within", "line late", &|point| point.response_percentile_95),
                ("mean", "line mean", &|point| point.response_mean),
            ],
            threshold,
        );
        let rate = |point: &LoadPoint| Some(point.requests_per_second);
        let load = [("requests", "line rate", &rate as Value<'_>)];
        let load = Self::panel(1, "Requests a second", &axis, points, &load, None);
        let panels = vec![times, load, Self::nodes(&axis, points)];
        Some(Self {
            height: TOP + 2.0 * PITCH + HEIGHT + 28.0,
            marks: status.decisions.iter().filter_map(|it| axis.mark(it)).collect(),
            times: axis.labels(),
            panels,
        })
    }

    fn panel(
        index: u8,
        title: &'static str,
        axis: &Axis,
        points: &[LoadPoint],
        series: &[(&str, &str, Value<'_>)],
        threshold: Option<f64>,
    ) -> Panel {
        let values = points.iter().flat_map(|point| series.iter().filter_map(|it| (it.2)(point)));
        let scale = Scale::new(index, values.chain(threshold).fold(0.0, f64::max));
        let line = |(name, class, value): &(&str, &str, Value<'_>)| Line {
            name: (*name).to_owned(),
            class: (*class).to_owned(),
            path: axis.path(points, |point| value(point).map(|value| scale.at(value)), false),
        };
        Panel {
            title,
            top: scale.top,
            bottom: scale.bottom(),
            lines: series.iter().map(line).collect(),
            values: scale.labels(),
            threshold: threshold.map(|value| scale.at(value)),
        }
    }

    /// How many nodes there were, by role and type.
    fn nodes(axis: &Axis, points: &[LoadPoint]) -> Panel {
        let kinds: BTreeSet<(&String, &String)> = points
            .iter()
            .flat_map(|point| &point.nodes)
            .flat_map(|(role, types)| types.keys().map(move |name| (role, name)))
            .collect();
        let count = |point: &LoadPoint, (role, name): (&String, &String)| -> f64 {
            let none = BTreeMap::new();
            f64::from(*point.nodes.get(role).unwrap_or(&none).get(name).unwrap_or(&0))
        };
        let all = points.iter().flat_map(|point| kinds.iter().map(|kind| count(point, *kind)));
        let scale = Scale::whole(2, all.fold(0.0, f64::max));
        let line = |(index, kind): (usize, &(&String, &String))| Line {
            name: format!("{} {}", kind.0, kind.1),
            class: format!("line kind{}", index % COLOURS),
            path: axis.path(points, |point| Some(scale.at(count(point, *kind))), true),
        };
        Panel {
            title: "Nodes",
            top: scale.top,
            bottom: scale.bottom(),
            lines: kinds.iter().enumerate().map(line).collect(),
            values: scale.labels(),
            threshold: None,
        }
    }
}

/// What a line shows of a measurement.
type Value<'a> = &'a dyn Fn(&LoadPoint) -> Option<f64>;

/// Time, from left to right.
struct Axis {
    first: OffsetDateTime,
    last: OffsetDateTime,
}

impl Axis {
    fn new(first: OffsetDateTime, last: OffsetDateTime) -> Self {
        // One measurement alone is at the right end.
        Self { first: first.min(last - Duration::seconds(10)), last }
    }

    fn at(&self, moment: OffsetDateTime) -> f64 {
        let part =
            (moment - self.first).as_seconds_f64() / (self.last - self.first).as_seconds_f64();
        LEFT + (RIGHT - LEFT) * part.clamp(0.0, 1.0)
    }

    /// A line through what there is a height for; where there is none, or long nothing, it stops.
    fn path(
        &self,
        points: &[LoadPoint],
        height: impl Fn(&LoadPoint) -> Option<f64>,
        steps: bool,
    ) -> String {
        let longest = self.usual_distance(points) * GAP;
        let mut path = String::new();
        let mut before: Option<OffsetDateTime> = None;
        for point in points {
            let Some(y) = height(point) else {
                before = None;
                continue;
            };
            let x = self.at(point.at);
            // Writing to a string does not fail.
            let _ = match before {
                Some(before) if point.at - before <= longest => match steps {
                    true => write!(path, "H{x:.1}V{y:.1}"),
                    false => write!(path, "L{x:.1} {y:.1}"),
                },
                // Of a point that stays alone, the round ends of the line are seen.
                _ => write!(path, "M{x:.1} {y:.1}h0"),
            };
            before = Some(point.at);
        }
        path
    }

    /// How far measurements are apart for the most part.
    fn usual_distance(&self, points: &[LoadPoint]) -> Duration {
        let mut distances: Vec<Duration> =
            points.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        distances.sort();
        distances.get(distances.len() / 2).copied().unwrap_or_default().max(Duration::SECOND)
    }

    fn mark(&self, decision: &Decision) -> Option<Mark> {
        let class = match (&decision.action, &decision.failure) {
            (Action::Hold, _) => return None,
            (_, Some(_)) => "mark failed",
            (Action::Add(_), None) => "mark added",
            (Action::Remove(_), None) => "mark removed",
        };
        // Earlier ones are in the list alone.
        (self.first..=self.last).contains(&decision.at).then(|| {
            let at = self.at(decision.at);
            let failed = decision.failure.as_ref().map(|it| format!(" (failed: {it})"));
            let reason = format!("{}{}", decision.reason, failed.unwrap_or_default());
            Mark { at, class, reason }
        })
    }

    fn labels(&self) -> Vec<Label> {
        const LABELS: i32 = 5;
        let span = self.last - self.first;
        let minutes = format_description!("[hour]:[minute]");
        let seconds = format_description!("[hour]:[minute]:[second]");
        let label = |index: i32| {
            let moment = self.first + span * index / LABELS;
            let is_short = span < Duration::minutes(LABELS.into());
            let text = if is_short { moment.format(seconds) } else { moment.format(minutes) };
            Label { at: self.at(moment), text: text.unwrap_or_default() }
        };
        (0..=LABELS).map(label).collect()
    }
}

/// The heights of one panel.
struct Scale {
    top: f64,
    most: f64,
}

impl Scale {
    fn new(index: u8, most: f64) -> Self {
        Self { top: TOP + PITCH * f64::from(index), most: round(most) }
    }

    /// For what is counted.
    fn whole(index: u8, most: f64) -> Self {
        // Twice a whole number: the one in the middle is whole too.
        Self { most: round(most).max(2.0), ..Self::new(index, most) }
    }

    fn bottom(&self) -> f64 {
        self.top + HEIGHT
    }

    fn at(&self, value: f64) -> f64 {
        self.bottom() - HEIGHT * value / self.most
    }

    fn labels(&self) -> Vec<Label> {
        let label = |part: f64| {
            let value = self.most * part;
            Label { at: self.at(value), text: value.to_string() }
        };
        [0.0, 0.5, 1.0].map(label).into()
    }
}

/// The next number that people like, at least 1: 1, 2, 4, 6 or 8 times a power of ten.
fn round(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use protocol::api::{Autoscaling, Strategy};

    use super::*;

    fn point(minute: i64, rate: f64, response: Option<f64>, backends: u32) -> LoadPoint {
        let backends = ("backend".to_owned(), [("small".to_owned(), backends)].into());
        let proxy = ("proxy".to_owned(), [("small".to_owned(), 1)].into());
        LoadPoint {
            at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute),
            requests_per_second: rate,
            response_mean: response,
            response_percentile_95: response.map(|mean| 2.0 * mean),
            cpu_percent: 10.0,
            nodes: [backends, proxy].into(),
        }
    }

    fn picture(measurements: Vec<LoadPoint>, decisions: Vec<Decision>) -> Picture {
        let wanted = Autoscaling {
            adapt_interval: 5,
            response_time_threshold: 500,
            strategy: Strategy::Low,
        };
        Picture::of(&AutoscalingStatus { wanted: Some(wanted), measurements, decisions }).unwrap()
    }

    fn decided(minute: i64, action: Action) -> Decision {
        Decision {
            at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute),
            action,
            weights: [].into(),
            reason: "why".to_owned(),
            forecast: None,
            failure: None,
        }
    }

    #[test]
    fn nothing_is_no_picture_and_one_point_is_a_dot() {
        assert_eq!(Picture::of(&AutoscalingStatus::default()), None);
        let one = picture(vec![point(0, 0.0, None, 0)], vec![]);
        assert_eq!(one.panels[0].lines[0].path, "");
        assert_eq!(one.panels[1].lines[0].path, format!("M{RIGHT:.1} 280.0h0"));
        assert_eq!(one.times.last().unwrap().text, "00:00:00");
    }

    #[test]
    fn many_points_fill_the_panels_and_stop_where_nothing_was_measured() {
        let mut points: Vec<LoadPoint> =
            (0..60).map(|minute| point(minute, minute as f64, Some(100.0), 2)).collect();
        points.extend((100..=120).map(|minute| point(minute, 10.0, Some(100.0), 3)));
        let picture = picture(points, vec![]);
        let [times, load, nodes] = &picture.panels[..] else { panic!("three panels") };
        assert_eq!(times.threshold, Some(times.bottom - HEIGHT * 500.0 / 600.0));
        assert_eq!(load.lines[0].path.matches('M').count(), 2, "a gap");
        let texts: Vec<&str> = load.values.iter().map(|label| label.text.as_str()).collect();
        assert_eq!(texts, ["0", "30", "60"]);
        let names: Vec<&str> = nodes.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["backend small", "proxy small"]);
        assert!(nodes.lines[0].path.contains('V'), "steps");
        assert_eq!(picture.times[0].text, "00:00");
        for line in picture.panels.iter().flat_map(|panel| &panel.lines) {
            assert!(!line.path.contains("NaN") && !line.path.contains("inf"), "{line:?}");
        }
    }

    #[test]
    fn decisions_that_changed_something_are_marked() {
        let points = vec![point(0, 1.0, Some(1.0), 1), point(10, 1.0, Some(1.0), 1)];
        let mut failed = decided(5, Action::Add([("small".to_owned(), 1)].into()));
        failed.failure = Some("no".to_owned());
        let decisions = vec![decided(-9, Action::Remove(vec![])), decided(2, Action::Hold), failed];
        let marks = picture(points, decisions).marks;
        assert_eq!(marks.len(), 1);
        assert_eq!((marks[0].class, marks[0].reason.as_str()), ("mark failed", "why (failed: no)"));
        assert_eq!(marks[0].at, f64::midpoint(LEFT, RIGHT));
    }

    #[test]
    fn scales_end_at_numbers_that_people_like() {
        for (value, rounded) in [
            (0.0, 1.0),
            (0.3, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (59.0, 60.0),
            (61.0, 80.0),
            (99.0, 100.0),
        ] {
            assert_eq!(round(value), rounded, "{value}");
        }
    }
}

//! What a client says that it accepts: RFC 9110, 12.5.1.

use std::cmp::Reverse;

use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// The ranges of a request's `Accept`, in their order. No header accepts everything, and so does an
/// empty one.
pub(super) struct Accept<'a> {
    ranges: Vec<Range<'a>>,
}

/// How much a client wants something: the greater the sooner. Of equals it is the one that is named
/// first.
pub(super) type Rank = (u16, Reverse<usize>);

impl<'a> Accept<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default());
        let ranges = values.flat_map(|value| value.split(',')).map(str::trim);
        Self { ranges: ranges.filter(|range| !range.is_empty()).map(Range::parse).collect() }
    }

    pub(super) fn is_everything(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How much it wants a media type that goes by these names; `None` when it does not take it.
    pub(super) fn rank(&self, names: &[&str]) -> Option<Rank> {
        if self.is_everything() {
            return Some((1000, Reverse(0)));
        }
        // The most specific range decides about a type.
        let matching = self.ranges.iter().enumerate();
        let matching = matching.filter(|(_, range)| range.specificity(names) > 0);
        let (at, range) =
            matching.max_by_key(|(at, range)| (range.specificity(names), Reverse(*at)))?;
        (range.quality > 0).then_some((range.quality, Reverse(at)))
    }

    /// How much it wants a type that it names itself; 0 when it does not.
    pub(super) fn named(&self, name: &str) -> u16 {
        self.best(|media_type| media_type.eq_ignore_ascii_case(name))
    }

    /// How much it wants the best of the ranges that these are.
    pub(super) fn best(&self, is: impl Fn(&str) -> bool) -> u16 {
        let ranges = self.ranges.iter().filter(|range| is(range.media_type));
        ranges.map(|range| range.quality).max().unwrap_or_default()
    }

    /// Whether it names this type, and says nothing of any other.
    pub(super) fn names_alone(&self, name: &str) -> bool {
        let are_all = self.ranges.iter().all(|range| range.media_type.eq_ignore_ascii_case(name));
        are_all && self.named(name) > 0
    }
}

/// One range of the header.
struct Range<'a> {
    media_type: &'a str,
    /// In thousandths, as the header can tell; one that cannot be read accepts nothing.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |quality| quality.parse::<f32>().ok());
        let quality = quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or_default();
        Self { media_type, quality: (quality * 1000.0) as u16 }
    }

    /// How closely it says a type that goes by these names; 0 when it does not.
    fn specificity(&self, names: &[&str]) -> u8 {
        let is = |name: &&str| self.media_type.eq_ignore_ascii_case(name);
        let is_above = |name: &&str| {
            let kind = name.split('/').next().unwrap_or_default();
            let range = self.media_type.strip_suffix("/*");
            range.is_some_and(|range| range.eq_ignore_ascii_case(kind))
        };
        match self.media_type {
            "*/*" => 1,
            _ if names.iter().any(is) => 3,
            _ if names.iter().any(is_above) => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_closest_range_says_how_much_a_type_is_wanted() {
        for (accept, quality) in [
            ("", Some(1000)),
            ("text/html", Some(1000)),
            ("Text/*;q=0.5", Some(500)),
            ("*/*;q=0.1, text/html;q=0.7", Some(700)),
            ("*/*, text/*;q=0.2", Some(200)),
            ("*/*, text/html;q=0", None),
            ("application/*", None),
            ("text/csv", None),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            let rank = Accept::of(&headers).rank(&["text/html"]);
            assert_eq!(rank.map(|(quality, _)| quality), quality, "{accept}");
        }
    }

    #[test]
    fn a_type_is_alone_where_nothing_is_said_of_another() {
        for (accept, alone) in [
            ("text/csv", true),
            ("Text/CSV;q=0.5, text/csv", true),
            ("text/csv;q=0", false),
            ("text/csv, */*;q=0", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Accept::of(&headers).names_alone("text/csv"), alone, "{accept}");
        }
    }
}

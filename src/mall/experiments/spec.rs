//! What experiments there are, as the configuration says it, and which variant a user has.
//!
//! A user's variant follows from the names of the experiment and of the user, and from the shares:
//! nothing is kept for it, so it is the same after a restart, in another process and in another
//! language. `docs/api.md` gives the formula; the test below holds its numbers.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::base::error::{Error, Result};
use crate::base::every;

/// How many variants one may have.
const VARIANTS_MAX: usize = 8;
/// How long a name may be.
const NAME_BYTES_MAX: usize = 32;
/// Shares are parts of this.
const PERCENT: u64 = 100;

every! {
    /// What recommendations do for the users of a variant.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Strategy {
        /// What is affordable is ordered by category, price and sales, as without an experiment.
        Balanced,
        /// By the categories that the user takes above all.
        Category,
        /// By how near the price is to what the user is used to.
        Price,
        /// By what sells.
        Popular,
        /// Lists of the user's own, as without an experiment.
        Personal,
        /// What the mall calls hot, for everybody.
        Hot,
    }
}

/// What an experiment tries: two that run at one time do not try the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// What counts how much in what is affordable.
    Weights,
    /// Which lists there are.
    Lists,
}

impl Strategy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Category => "category",
            Self::Price => "price",
            Self::Popular => "popular",
            Self::Personal => "personal",
            Self::Hot => "hot",
        }
    }

    pub(crate) fn subject(self) -> Subject {
        match self {
            Self::Balanced | Self::Category | Self::Price | Self::Popular => Subject::Weights,
            Self::Personal | Self::Hot => Subject::Lists,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|strategy| strategy.name() == name)
    }
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Lists => "lists",
        }
    }
}

/// Some of the users, and what is done for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) strategy: Strategy,
    /// How many users of a hundred have it.
    pub(crate) percent: u64,
}

/// One experiment. The first variant is what the others are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) variants: Vec<Variant>,
}

/// The experiments that a mall runs: [`Experiments::parse`] reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Experiments(Vec<Experiment>);

/// A user as an experiment knows it: a number, and no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member(pub(crate) u64);

impl Member {
    /// The first eight bytes of SHA-256 of the experiment's name, a colon, and the user's id.
    pub(crate) fn of(experiment: &str, user: &str) -> Self {
        let hash = Sha256::new_with_prefix(experiment).chain_update(":").chain_update(user);
        let hash = hash.finalize();
        let (first, _) = hash.split_first_chunk::<8>().expect("it has 32 bytes");
        Self(u64::from_be_bytes(*first))
    }

    /// One of a hundred places. The first 13 hexadecimal digits decide: a number that JavaScript
    /// and SQL hold exactly.
    fn place(self) -> u64 {
        (self.0 >> 12) % PERCENT
    }
}

impl Experiment {
    /// Which variant a user has, by its place among them; `None` for one that takes no part.
    pub(crate) fn variant_of(&self, member: Member) -> Option<usize> {
        let (place, mut end) = (member.place(), 0);
        self.variants.iter().position(|variant| {
            end += variant.percent;
            place < end
        })
    }

    pub(crate) fn subject(&self) -> Subject {
        self.variants.first().map_or(Subject::Weights, |first| first.strategy.subject())
    }

    /// Reads one experiment.
    ///
    /// # Errors
    /// `Invalid` as [`Experiments::parse`].
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        check_name("an experiment", name)?;
        let wrong = |what: &str| Error::invalid(format!("the experiment {name}: {what}"));
        let variants = words.map(variant).collect::<Result<Vec<_>>>();
        let variants = variants.map_err(|why| wrong(&why.to_string()))?;
        if !(2..=VARIANTS_MAX).contains(&variants.len()) {
            return Err(wrong(&format!("it must have 2 to {VARIANTS_MAX} variants")));
        }
        let percent = variants.iter().map(|variant| variant.percent).sum::<u64>();
        if percent > PERCENT {
            return Err(wrong(&format!("its shares come to {percent} of {PERCENT}")));
        }
        let experiment = Self { name: name.to_owned(), variants };
        let subject = experiment.subject();
        for (at, variant) in experiment.variants.iter().enumerate() {
            if variant.strategy.subject() != subject {
                return Err(wrong("all its variants must be about the same"));
            }
            if experiment.variants[..at].iter().any(|other| other.name == variant.name) {
                return Err(wrong(&format!("two variants are called {}", variant.name)));
            }
        }
        Ok(experiment)
    }
}

/// Reads `NAME=STRATEGY:PERCENT`.
fn variant(text: &str) -> Result<Variant> {
    let parts = text.split_once('=').and_then(|(name, rest)| Some((name, rest.split_once(':')?)));
    let Some((name, (strategy, percent))) = parts else {
        return Err(Error::invalid(format!("{text:?} is not NAME=STRATEGY:PERCENT")));
    };
    check_name("a variant", name)?;
    let strategy = Strategy::named(strategy).ok_or_else(|| {
        let names: Vec<_> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
        Error::invalid(format!("{strategy:?} must be one of {}", names.join(", ")))
    })?;
    let number = percent.parse().ok().filter(|percent| (1..=PERCENT).contains(percent));
    let percent =
        number.ok_or_else(|| Error::invalid(format!("{percent:?} must be from 1 to {PERCENT}")))?;
    Ok(Variant { name: name.to_owned(), strategy, percent })
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let is_of = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_of) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name:?} cannot name {what}: 1 to {NAME_BYTES_MAX} of a to z, 0 to 9 and -"
    )))
}

impl Experiments {
    /// Reads `NAME VARIANT=STRATEGY:PERCENT VARIANT=STRATEGY:PERCENT`, with `;` between experiments.
    /// Users beyond the shares take no part.
    ///
    /// # Errors
    /// `Invalid` saying what is wrong: a name, a strategy, shares beyond a hundred, fewer variants
    /// than two, or two experiments about the same.
    pub fn parse(text: &str) -> Result<Self> {
        let texts = text.split(';').filter(|text| !text.trim().is_empty());
        let all = texts.map(Experiment::parse).collect::<Result<Vec<_>>>()?;
        for (at, experiment) in all.iter().enumerate() {
            for other in &all[..at] {
                if other.name == experiment.name {
                    return Err(Error::invalid(format!("two experiments: {}", other.name)));
                }
                if other.subject() == experiment.subject() {
                    return Err(Error::invalid(format!(
                        "{} and {} both try the {}: one of them at a time",
                        other.name,
                        experiment.name,
                        experiment.subject().name()
                    )));
                }
            }
        }
        Ok(Self(all))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Experiment> {
        self.0.iter()
    }
}

impl fmt::Display for Experiment {
    /// As it is parsed, always in the same words: what is written differently is another experiment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for Variant { name, strategy, percent } in &self.variants {
            write!(f, " {name}={}:{percent}", strategy.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: [(&str, &str, u64, u64); 5] = [
        ("reco-weights", "demo", 0x92af_8702_d017_0ee1, 84),
        ("reco-weights", "ann", 0x7b6d_0a16_1d3b_6a88, 58),
        ("reco-weights", "茶", 0x31a4_8375_aa17_c6dc, 16),
        ("reco-lists", "demo", 0xd50d_8ec7_5211_6d00, 2),
        ("a", "", 0xbfc6_22d4_a6d4_10f2, 29),
    ];

    fn one(text: &str) -> Experiment {
        Experiment::parse(text).expect("a valid experiment")
    }

    /// The numbers of docs/api.md, computed with another program.
    #[test]
    fn users_have_the_variants_that_the_formula_says() {
        for (name, user, number, place) in VECTORS {
            let member = Member::of(name, user);
            assert_eq!((member.0, member.place()), (number, place), "{name}:{user}");
        }
        let half = one("reco-weights control=balanced:50 close=price:50");
        let of = |user: &str| half.variant_of(Member::of("reco-weights", user));
        assert_eq!([of("demo"), of("ann"), of("茶")], [Some(1), Some(1), Some(0)]);
    }

    #[test]
    fn shares_are_met_and_experiments_know_nothing_of_each_other() {
        let first = one("a x=balanced:30 y=price:20");
        let second = one("b x=personal:50 y=hot:50");
        let mut counts = [[0_u32; 2]; 3];
        for user in 0..30_000 {
            let user = format!("user-{user}");
            let in_first = first.variant_of(Member::of("a", &user)).unwrap_or(2);
            let in_second = second.variant_of(Member::of("b", &user)).expect("everybody");
            counts[in_first][in_second] += 1;
        }
        // Each within five standard deviations of its share.
        for (row, share) in counts.iter().zip([0.3, 0.2, 0.5]) {
            for &count in row {
                let mean = 30_000.0 * share / 2.0;
                let off = (f64::from(count) - mean).abs();
                assert!(off < 5.0 * f64::sqrt(mean), "{counts:?}");
            }
        }
    }

    #[test]
    fn what_is_configured_is_read_and_told_in_the_same_words() {
        let text = " a  x=balanced:50\ty=price:50 ;; b x=hot:1 y=personal:99;";
        let all = Experiments::parse(text).expect("valid");
        let told: Vec<_> = all.iter().map(Experiment::to_string).collect();
        assert_eq!(told, ["a x=balanced:50 y=price:50", "b x=hot:1 y=personal:99"]);
        assert_eq!(Experiments::parse(&told.join(";")).expect("valid"), all);
        assert_eq!(Experiments::parse("").expect("none"), Experiments::default());
    }

    #[test]
    fn what_is_wrong_with_an_experiment_is_said() {
        for (text, why) in [
            ("a", "2 to 8 variants"),
            ("a x=price:50", "2 to 8 variants"),
            ("A x=price:50 y=balanced:50", "cannot name an experiment"),
            ("a x_y=price:50 y=balanced:50", "cannot name a variant"),
            ("a x=price y=balanced:50", "not NAME=STRATEGY:PERCENT"),
            ("a x=cheap:50 y=balanced:50", "must be one of balanced, category"),
            ("a x=price:0 y=balanced:50", "from 1 to 100"),
            ("a x=price:51 y=balanced:50", "come to 101"),
            ("a x=price:50 x=balanced:50", "two variants are called x"),
            ("a x=price:50 y=hot:50", "about the same"),
            ("a x=price:9 y=popular:9; a x=hot:9 y=personal:9", "two experiments: a"),
            ("a x=price:9 y=popular:9; b x=price:9 y=popular:9", "both try the weights"),
        ] {
            let error = Experiments::parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{text:?}: {error:?}");
        }
    }
}

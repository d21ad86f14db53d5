//! What a check is: a name, a documented fault, the measurements it needs, its limits, a judgement.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::evidence::{Evidence, Measurement};
use crate::verdict::{Judgement, Outcome};

/// What `nanprobe explain` and the docs say of a check. Written by [`describe!`](crate::describe).
pub trait Describe {
    /// The fault's name, in kebab case; the file is named after it.
    const NAME: &'static str;
    /// The family, named after the folder the check is in.
    const FAMILY: &'static str;
    /// The doc comment: a first line, then the sections of [`SECTIONS`].
    const DOC: &'static str;
}

/// The sections that every check's doc comment has, in this order.
pub const SECTIONS: [&str; 5] = ["What it looks for", "Why it matters", "What to do", "False alarms", "Reference"];

/// Declares a check's type with its documentation, which is readable at run time too.
#[macro_export]
macro_rules! describe {
    ($(#[doc = $doc:literal])+ $type:ident, $family:literal / $name:literal) => {
        $(#[doc = $doc])+
        pub struct $type;

        impl $crate::check::Describe for $type {
            const NAME: &'static str = $name;
            const FAMILY: &'static str = $family;
            const DOC: &'static str = concat!($($doc, "\n"),+);
        }
    };
}

/// The measurements a check reads: a measurement, a tuple of them, or [`Maybe`] one.
pub trait Needs {
    /// What the check is given.
    type Ref<'a>;

    /// Names of all measurements that should be taken for this check.
    fn names() -> Vec<&'static str>;

    /// The measurements, or the names of those that are missing.
    fn read(evidence: &Evidence) -> Result<Self::Ref<'_>, Vec<&'static str>>;
}

/// Reads one measurement; the macro that lists the measurements implements [`Needs`] with it.
pub(crate) fn read_one<M: Measurement>(evidence: &Evidence) -> Result<&M, Vec<&'static str>> {
    evidence.get::<M>().ok_or_else(|| vec![M::NAME])
}

/// A measurement that the check can do without.
pub struct Maybe<M>(std::marker::PhantomData<M>);

impl<M: Measurement> Needs for Maybe<M> {
    type Ref<'a> = Option<&'a M>;

    fn names() -> Vec<&'static str> {
        vec![M::NAME]
    }

    fn read(evidence: &Evidence) -> Result<Option<&M>, Vec<&'static str>> {
        Ok(evidence.get::<M>())
    }
}

macro_rules! needs_tuple {
    ($($part:ident),+) => {
        impl<$($part: Needs),+> Needs for ($($part,)+) {
            type Ref<'a> = ($($part::Ref<'a>,)+);

            fn names() -> Vec<&'static str> {
                let mut names = Vec::new();
                $(names.extend($part::names());)+
                names
            }

            #[expect(non_snake_case, reason = "one variable for each type parameter")]
            fn read(evidence: &Evidence) -> Result<Self::Ref<'_>, Vec<&'static str>> {
                let mut missing = Vec::new();
                $(let $part = $part::read(evidence).map_err(|names| missing.extend(names)).ok();)+
                match ($($part,)+) {
                    ($(Some($part),)+) => Ok(($($part,)+)),
                    _ => Err(missing),
                }
            }
        }
    };
}
needs_tuple!(A, B);
needs_tuple!(A, B, C);
needs_tuple!(A, B, C, D);
needs_tuple!(A, B, C, D, E);

/// A rule that turns measurements into a suspicion or clears the fault.
pub trait Check: Describe + Sync + 'static {
    /// The measurements it reads.
    type Needs: Needs;
    /// Its limits; each default names its source. Settable under `[checks.NAME]`.
    type Limits: Default + Serialize + DeserializeOwned + JsonSchema;

    /// Whether it only guesses: its remedy is tried once no other suspect is left, and it is no finding where others suffice.
    const GUESS: bool = false;

    /// Judges the evidence. Never panics, whatever the numbers.
    fn judge(needs: <Self::Needs as Needs>::Ref<'_>, limits: &Self::Limits) -> Judgement;
}

/// A check behind a pointer, as the lists in the family modules hold it.
pub trait AnyCheck: Sync {
    /// The fault's name.
    fn name(&self) -> &'static str;
    /// The family's name.
    fn family(&self) -> &'static str;
    /// The doc comment.
    fn doc(&self) -> &'static str;
    /// Names of the measurements it reads.
    fn needs(&self) -> Vec<&'static str>;
    /// Whether it only guesses; see [`Check::GUESS`].
    fn guesses(&self) -> bool;
    /// The default limits as JSON.
    fn default_limits(&self) -> serde_json::Value;
    /// What each limit means and where its default is from: the field's doc comment.
    fn about_limit(&self, name: &str) -> String;
    /// Judges the evidence. `limits` holds the ones to change; an unknown key is an error.
    fn judge(&self, evidence: &Evidence, limits: Option<&serde_json::Value>) -> Result<Outcome, serde_json::Error>;
}

impl dyn AnyCheck {
    /// The first line of the doc comment.
    pub fn summary(&self) -> &'static str {
        self.doc().lines().next().unwrap_or_default().trim()
    }
}

/// Judges the evidence by a check with `limits` in place of its defaults; an unknown key is an error.
pub(crate) fn judge<C: Check>(evidence: &Evidence, limits: Option<&serde_json::Value>) -> Result<Outcome, serde_json::Error> {
    let limits = match limits {
        Some(limits) => serde_json::from_value(limits.clone())?,
        None => C::Limits::default(),
    };
    Ok(match C::Needs::read(evidence) {
        Ok(needs) => Outcome::Judged(C::judge(needs, &limits)),
        Err(missing) => Outcome::NotMeasured { missing: missing.into_iter().map(str::to_owned).collect() },
    })
}

impl<C: Check> AnyCheck for C {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn family(&self) -> &'static str {
        C::FAMILY
    }

    fn doc(&self) -> &'static str {
        C::DOC
    }

    fn needs(&self) -> Vec<&'static str> {
        C::Needs::names()
    }

    fn guesses(&self) -> bool {
        C::GUESS
    }

    fn default_limits(&self) -> serde_json::Value {
        serde_json::to_value(C::Limits::default()).unwrap_or_default()
    }

    fn about_limit(&self, name: &str) -> String {
        let schema = schemars::schema_for!(C::Limits);
        let field = schema.get("properties").and_then(|fields| fields.get(name));
        field.and_then(|field| field.get("description")?.as_str()).unwrap_or_default().replace('\n', " ")
    }

    fn judge(&self, evidence: &Evidence, limits: Option<&serde_json::Value>) -> Result<Outcome, serde_json::Error> {
        judge::<C>(evidence, limits)
    }
}

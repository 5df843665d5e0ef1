//! Finds all problems of a graph of services, before any job runs.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;

use super::scope::is_built_in;
use super::scope::{Lifetime, Provider};
use super::{Dependency, Need, ServiceKey, Services};

/// All problems that were found, together.
///
/// Its `Debug` text equals its `Display` text, since a `main` that returns an error prints `Debug`.
///
/// ```
/// use std::sync::Arc;
///
/// use queue_core::Services;
///
/// struct Pool;
/// struct Repo(Arc<Pool>);
///
/// let error = Services::builder().singleton_fn(|pool: Arc<Pool>| Repo(pool)).build().unwrap_err();
/// assert_eq!(error.problems().len(), 1);
/// assert!(error.to_string().contains("Pool"));
/// ```
pub struct BuildError {
    problems: Vec<Problem>,
}

impl BuildError {
    /// Returns the problems.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Creates the error of one problem.
    #[must_use]
    pub fn of(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }

    /// Fails if there are problems.
    ///
    /// # Errors
    ///
    /// All problems, without duplicates.
    pub fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        let mut seen = HashSet::new();
        let problems: Vec<_> =
            problems.into_iter().filter(|problem| seen.insert(problem.0.clone())).collect();
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} problem{} found before the start:", if count == 1 { "" } else { "s" })?;
        self.problems.iter().enumerate().try_for_each(|(i, problem)| write!(f, "\n  {}. {problem}", i + 1))
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BuildError {}

/// One problem, as a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(String);

impl Problem {
    /// Creates a problem from a sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn nothing_to_replace(key: ServiceKey, registered: &[ServiceKey], at: &Location<'_>) -> Self {
        let hint = hint(key, registered.iter());
        let at = line(at);
        Self(format!(
            "`replace` at {at} found no `{key}` to replace{hint}: register it first, or drop the `replace`"
        ))
    }

    pub(super) fn nothing_to_dispose(key: ServiceKey, registered: &[ServiceKey], at: &Location<'_>) -> Self {
        let hint = hint(key, registered.iter());
        let at = line(at);
        Self(format!(
            "`dispose` at {at} found no `{key}` to dispose{hint}: register it, or drop the `dispose`"
        ))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks the registrations, without any job.
pub(super) fn graph(providers: &[Provider]) -> Vec<Problem> {
    let graph = Graph { providers: providers.iter().map(|provider| (provider.key, provider)).collect() };
    let mut problems = duplicates(providers);
    for provider in providers {
        let user = User { name: provider.key.name(), is_job: false };
        problems.extend(provider.dependencies.iter().filter_map(|taken| graph.check(&user, *taken)));
        problems.extend(graph.cycle(provider));
        problems.extend(graph.captive(provider));
    }
    problems
}

impl Services {
    /// Checks the dependencies of a job. `job` is its name.
    #[must_use]
    pub fn check(&self, job: &str, dependencies: &[Dependency]) -> Vec<Problem> {
        let graph =
            Graph { providers: self.0.providers.iter().map(|(key, provider)| (*key, provider)).collect() };
        let user = User { name: job.to_owned(), is_job: true };
        let mut problems: Vec<_> =
            dependencies.iter().filter_map(|taken| graph.check(&user, *taken)).collect();
        for (index, taken) in dependencies.iter().enumerate() {
            let again = |other: &Dependency| other.key == taken.key && other.need == Need::Exclusive;
            if taken.need == Need::Exclusive && dependencies.iter().take(index).any(again) {
                problems.push(Problem(format!(
                    "job `{job}` takes the unit of work `{}` by `&mut` twice: take it once and pass it on",
                    taken.key
                )));
            }
        }
        problems
    }
}

/// A job or a factory that takes a dependency.
struct User {
    name: String,
    is_job: bool,
}

struct Graph<'a> {
    providers: HashMap<ServiceKey, &'a Provider>,
}

impl Graph<'_> {
    /// Checks one dependency.
    fn check(&self, user: &User, taken: Dependency) -> Option<Problem> {
        let Dependency { key, need, parameter } = taken;
        let who = if user.is_job { format!("job `{}`", user.name) } else { format!("`{}`", user.name) };
        let by = parameter.map(|name| format!(" (parameter `{name}`)")).unwrap_or_default();
        let Some(provider) = self.providers.get(&key) else {
            if need == Need::Optional || (need == Need::Required && is_built_in(key)) {
                return None;
            }
            let near = hint(key, self.providers.keys());
            let (path, remedy) = (format!("{} → {key}", user.name), remedy(key, need));
            return Some(Problem(format!(
                "{who} needs `{key}`{by}, which nothing provides: {path}{near}: {remedy}"
            )));
        };
        match (need, provider.lifetime) {
            (Need::Exclusive, Lifetime::UnitOfWork) if user.is_job => None,
            (Need::Exclusive, Lifetime::UnitOfWork) => Some(Problem(format!(
                "{who} takes the unit of work `{key}`: only a job can, since it has one user at a time"
            ))),
            (Need::Exclusive, _) => Some(Problem(format!(
                "{who} takes `{key}` by `&mut`{by}, but it is not registered as a `unit_of_work`: take it by `&`"
            ))),
            (_, Lifetime::UnitOfWork) => Some(Problem(format!(
                "{who} takes the unit of work `{key}` shared{by}: a job takes it by `&mut`, a factory can't take it"
            ))),
            _ => None,
        }
    }

    /// Finds a cycle through this provider. Only the provider of the cycle whose name sorts first reports it.
    fn cycle(&self, start: &Provider) -> Option<Problem> {
        let path = self.path(start, &|key| key == start.key, &|_| true)?;
        let first = path.iter().map(|key| key.name()).min()?;
        (first == start.key.name()).then(|| {
            Problem(format!(
                "dependency cycle: {}: pass one of them its dependency when it is used",
                arrows(&path)
            ))
        })
    }

    /// Finds a service of a shorter lifetime that a singleton holds.
    fn captive(&self, start: &Provider) -> Option<Problem> {
        if start.lifetime != Lifetime::Singleton {
            return None;
        }
        let short = |key: ServiceKey| match self.providers.get(&key) {
            Some(provider) => matches!(provider.lifetime, Lifetime::Scoped | Lifetime::UnitOfWork),
            None => is_built_in(key),
        };
        // A singleton on the path is checked by itself.
        let through = |key: ServiceKey| {
            self.providers.get(&key).is_some_and(|provider| provider.lifetime == Lifetime::Transient)
        };
        let path = self.path(start, &short, &through)?;
        let held = path.last()?;
        Some(Problem(format!(
            "the singleton `{}` would hold `{held}`, which lives for one attempt: {}: register `{0}` as scoped",
            start.key,
            arrows(&path)
        )))
    }

    /// Finds a path from a provider to a key that fits. The path continues only through keys that pass.
    fn path(
        &self,
        start: &Provider,
        fits: &dyn Fn(ServiceKey) -> bool,
        passes: &dyn Fn(ServiceKey) -> bool,
    ) -> Option<Vec<ServiceKey>> {
        let mut seen = HashSet::new();
        let mut ways = vec![vec![start.key]];
        while let Some(way) = ways.pop() {
            let provider = way.last().and_then(|key| self.providers.get(key));
            for taken in provider.into_iter().flat_map(|provider| &provider.dependencies) {
                let longer: Vec<_> = way.iter().copied().chain([taken.key]).collect();
                if fits(taken.key) {
                    return Some(longer);
                }
                if passes(taken.key) && seen.insert(taken.key) {
                    ways.push(longer);
                }
            }
        }
        None
    }
}

fn duplicates(providers: &[Provider]) -> Vec<Problem> {
    let mut places: HashMap<ServiceKey, &Location<'_>> = HashMap::new();
    let mut problems = Vec::new();
    for Provider { key, registered_at, .. } in providers {
        let Some(first) = places.get(key) else {
            places.insert(*key, registered_at);
            continue;
        };
        problems.push(Problem(format!(
            "`{key}` is registered twice, at {} and at {}: remove one, tell them apart with `keyed`, or `replace` the first",
            line(first),
            line(registered_at)
        )));
    }
    problems
}

/// Returns a place in the source as `src/main.rs:7`.
fn line(place: &Location<'_>) -> String {
    format!("{}:{}", place.file(), place.line())
}

fn arrows(path: &[ServiceKey]) -> String {
    path.iter().map(|key| key.name()).collect::<Vec<_>>().join(" → ")
}

/// The maximum number of registered names that a hint lists.
const FEW: usize = 8;

/// Returns the nearest registered name, or all names if none is near and there are few.
fn hint<'a>(key: ServiceKey, registered: impl Iterator<Item = &'a ServiceKey>) -> String {
    let mut names: Vec<_> = registered.map(|key| key.name()).collect();
    names.sort_unstable();
    names.dedup();
    match nearest(&key.name(), names.iter().map(String::as_str)) {
        Some(name) => format!(" (the nearest that is registered: `{name}`)"),
        None if (1..=FEW).contains(&names.len()) => format!(" (registered: `{}`)", names.join("`, `")),
        None => String::new(),
    }
}

/// Returns how to register a missing service.
fn remedy(key: ServiceKey, need: Need) -> String {
    let (name, keyed) = (key.type_name(), key.keyed());
    if need == Need::Exclusive {
        return format!(
            "register it with `{keyed}.unit_of_work(begin, end)`, or if it is a queue's with \
             `{keyed}.unit_of_work(queue.unit_of_work(), {name}::end)`"
        );
    }
    if name.starts_with("dyn ") {
        return format!("register it with `{keyed}.singleton_as::<{name}>(Arc::new(..))`");
    }
    format!("register it with `{keyed}.singleton(..)`")
}

/// Returns the name that was most likely meant, or `None` if no name is similar.
pub(crate) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = wanted.strip_prefix("dyn ").unwrap_or(wanted);
    let likeness = |name: &str| {
        let within = bare.len() > 2 && (name.contains(bare) || wanted.contains(name));
        if within { 0.9 } else { strsim::normalized_levenshtein(wanted, name) }
    };
    names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S4: a name is near if it is spelled similarly, or if it contains the wanted name, however much longer it is.
    #[test]
    fn a_similar_or_containing_name_is_the_nearest() {
        let table = [
            ("dyn Mailer", "dyn Mailers", true),
            ("dyn Mailer", "SmtpMailerOfTheWholeHouse", true),
            ("CachedPoolOfConnections", "Pool", true),
            ("dyn Mailer", "Connections", false),
            // Many names contain these two letters.
            ("Tx", "TxtRecordsOfTheDomain", false),
            ("Txt", "TxtRecordsOfTheDomain", true),
        ];

        for (wanted, name, is_near) in table {
            assert_eq!(nearest(wanted, [name].into_iter()).is_some(), is_near, "{wanted}, {name}");
        }
    }
}

//! Rules: what a request costs and whether it needs work. First match decides, but for rules that look at what a
//! stranger writes into headers: they only make dearer what another rule decides.

mod conditions;
mod index;
mod networks;
mod paths;
mod request;
mod route;
mod subject;
mod unread;

#[cfg(test)]
mod tests;

pub use conditions::{Conditions, HeaderCondition, HeaderValueIs, Networks};
pub use index::{PolicyError, RULES_ALIKE_MAX};
pub use paths::PatternError;
pub use route::{Action, Reserve, Route};
pub use subject::Subject;

use super::target::{Target, path_behind_script};
use conditions::Compiled;
use index::Index;
use paths::{Key, PathMap};
use request::{Reading, Request};
use unread::Unread;

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, where it has one of its own.
    pub name: Option<String>,
    /// When it matches.
    pub conditions: Conditions,
    /// What it says.
    pub route: Route,
    /// Whether it is there without anybody having written it.
    pub built_in: bool,
    /// Whether it has a label of its own in metrics.
    labelled: bool,
    compiled: Compiled,
}

/// Rules with a label of their own in metrics, at the most: those that have a name, the first ones.
pub const RULE_LABELS_MAX: usize = 100;

impl Rule {
    /// What it is called in metrics: `others` where it is not among those with a label of their own.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().filter(|_| self.labelled).unwrap_or("others")
    }

    /// What it is called in logs.
    #[must_use]
    pub fn told(&self) -> String {
        let number = || self.route.rule.map_or(0, |number| u64::from(number) + 1);
        self.name.clone().unwrap_or_else(|| format!("rule {}", number()))
    }

    fn matches(&self, reading: &Reading<'_>) -> bool {
        self.compiled.hold(&self.conditions, &self.route, reading)
    }
}

/// All rules, compiled.
#[derive(Debug, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Those that decide.
    deciding: Index,
    /// Those that only raise what another one decides.
    raising: Index,
    raises: bool,
    /// The methods that rules name, each once.
    methods: Vec<String>,
    /// What paths are asked for that are too long to be read in every way.
    unread: Unread,
}

impl Policy {
    /// What the rules say of a request.
    #[must_use]
    pub fn route(&self, subject: &Subject<'_>) -> Route {
        let request = Request::new(subject, &self.methods);
        let by_path = |path: &str| self.of_path(&request, path);
        match subject.target {
            Target::Plain(path) => {
                let route = by_path(path);
                // Many sites have all of their addresses behind a program: only what asks for more is asked there too.
                let behind = path_behind_script(path).map(|path| by_path(&path)).filter(Route::is_strict);
                behind.map_or(route, |behind| route.dearest(behind))
            }
            Target::Odd(readings) => readings.iter().map(|path| by_path(path)).fold(Route::DEFAULT, Route::dearest),
            Target::TooLong => request.dearest_method(Reading::new(&request, ""), |reading| self.unread.route(reading)),
        }
    }

    /// The rules in order, for explaining them.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule that decided about a route.
    #[must_use]
    pub fn rule_of(&self, route: &Route) -> Option<&Rule> {
        self.rules.get(usize::try_from(route.rule?).ok()?)
    }

    /// What rules keep for themselves.
    pub fn reserves(&self) -> impl Iterator<Item = Reserve> {
        self.rules.iter().filter_map(|rule| rule.route.reserve)
    }

    /// What [`Policy::route`] says of a request whose path can be read in one way only, found by holding the request
    /// against one rule after the other: what the index is measured and tested against.
    #[must_use]
    pub fn route_by_scan(&self, subject: &Subject<'_>) -> Route {
        let Target::Plain(path) = subject.target else { return self.route(subject) };
        let request = Request::new(subject, &[]);
        let reading = Reading::new(&request, path);
        let mut raised: Vec<Route> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.matches(&reading)) {
            if !rule.conditions.are_strangers_words() {
                return raised.into_iter().fold(rule.route, Route::dearest);
            }
            raised.push(rule.route);
        }
        raised.into_iter().fold(Route::DEFAULT, Route::dearest)
    }

    fn of_path(&self, request: &Request<'_>, path: &str) -> Route {
        let reading = Reading::new(request, path);
        if request.overriding_methods.is_empty() {
            return self.of_reading(&reading);
        }
        // Everything but the method is found out once: an odd path is read in sixty ways, and a header may name many methods.
        let [deciding, raising] =
            [&self.deciding, &self.raising].map(|index| self.held_but_for_method(index, &reading));
        request.dearest_method(reading, |reading| {
            let holds = |number: &&u32| {
                self.rule(**number).is_some_and(|rule| rule.conditions.hold_for_method(&rule.route, reading.method))
            };
            let first = deciding.iter().find(holds).copied().unwrap_or(u32::MAX);
            let route = self.rule(first).map_or(Route::DEFAULT, |rule| rule.route);
            let raised = raising.iter().take_while(|number| **number < first).filter(holds);
            raised.filter_map(|number| self.rule(*number)).fold(route, |route, rule| route.dearest(rule.route))
        })
    }

    /// The rules of an index that hold for a reading, whatever its method is, in order.
    fn held_but_for_method(&self, index: &Index, reading: &Reading<'_>) -> Vec<u32> {
        let holds = |number: &&u32| {
            self.rule(**number)
                .is_some_and(|rule| rule.compiled.hold_but_for_method(&rule.conditions, &rule.route, reading))
        };
        let mut held = Vec::new();
        index.candidates(reading, |numbers| held.extend(numbers.iter().filter(holds)));
        held.sort_unstable();
        held.dedup();
        held
    }

    fn of_reading(&self, reading: &Reading<'_>) -> Route {
        let mut first = u32::MAX;
        self.deciding.candidates(reading, |numbers| {
            let found =
                numbers.iter().take_while(|number| **number < first).find(|number| self.matches(**number, reading));
            first = found.copied().unwrap_or(first);
        });
        let mut route = self.rule(first).map_or(Route::DEFAULT, |rule| rule.route);
        if self.raises {
            self.raising.candidates(reading, |numbers| {
                for number in numbers.iter().take_while(|number| **number < first) {
                    if let Some(rule) = self.rule(*number).filter(|rule| rule.matches(reading)) {
                        route = route.dearest(rule.route);
                    }
                }
            });
        }
        route
    }

    fn matches(&self, number: u32, reading: &Reading<'_>) -> bool {
        self.rule(number).is_some_and(|rule| rule.matches(reading))
    }

    fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(number).ok()?)
    }
}

/// Gathers rules in order.
#[derive(Debug, Default)]
pub struct PolicyBuilder {
    rules: Vec<Rule>,
    keys: Vec<Vec<Key>>,
    labels: usize,
}

impl PolicyBuilder {
    /// Whether a path pattern can be used.
    ///
    /// # Errors
    /// If it is none.
    pub fn check_path(pattern: &str) -> Result<(), PatternError> {
        Key::of(pattern, false).map(|_| ())
    }

    /// Adds a rule after those that were added before.
    ///
    /// # Errors
    /// If its patterns cannot be used; then nothing was added.
    pub fn add(
        &mut self,
        name: Option<String>,
        conditions: Conditions,
        route: Route,
        built_in: bool,
    ) -> Result<(), PatternError> {
        let route = Route { rule: u32::try_from(self.rules.len()).ok(), ..route };
        let mut keys = Vec::new();
        for pattern in &conditions.paths {
            keys.extend(Key::of(pattern, route.holds_in_doubt())?);
        }
        let paths = if keys.is_empty() { None } else { Some(PathMap::new(keys.iter().map(|key| (key, ())))?) };
        let compiled = Compiled::new(&conditions, paths);
        let labelled = name.is_some() && (built_in || self.labels < RULE_LABELS_MAX);
        self.labels += usize::from(labelled);
        self.rules.push(Rule { name, conditions, route, built_in, labelled, compiled });
        self.keys.push(keys);
        Ok(())
    }

    /// Adds a rule that looks at nothing but the path.
    ///
    /// # Errors
    /// If a pattern cannot be used.
    pub fn add_for_paths(&mut self, paths: &[&str], route: Route) -> Result<(), PatternError> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self.add(None, Conditions { paths, ..Conditions::default() }, route, false)
    }

    /// Compiles the rules.
    ///
    /// # Errors
    /// If they cannot be used together.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let Self { rules, keys, .. } = self;
        let raises = |rule: &Rule| rule.conditions.are_strangers_words();
        Ok(Policy {
            deciding: Index::new(&rules, &keys, |rule| !raises(rule), RULES_ALIKE_MAX)?,
            raising: Index::new(&rules, &keys, raises, RULES_ALIKE_MAX)?,
            raises: rules.iter().any(raises),
            methods: named_methods(&rules),
            unread: Unread::new(&rules)?,
            rules,
        })
    }
}

fn named_methods(rules: &[Rule]) -> Vec<String> {
    let mut methods: Vec<String> = rules.iter().flat_map(|rule| &rule.conditions.methods).cloned().collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

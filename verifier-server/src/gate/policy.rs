//! Rules: what a path costs and whether it needs work. First match decides.

use super::target::Target;
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use puzzle::Credits;

/// What a rule does, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Passes unpaid.
    Allow,
    /// Pays while the site's price is above zero.
    Price,
    /// Pays at any time in the modes `auto` and `on`.
    Challenge,
    /// Is refused.
    Deny,
}

/// A rule as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its path patterns.
    pub paths: Vec<String>,
    /// What it says.
    pub route: Route,
}

/// What the policy says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// What happens.
    pub action: Action,
    /// What a request costs.
    pub cost: Credits,
    /// Whether it is an asset, whose cost is a tenth.
    pub asset: bool,
    /// The least price of the route, in attempts for a full clearance.
    pub min_price: u64,
    /// What is kept for the rule alone, of what passes unpaid.
    pub reserve: Option<Reserve>,
}

/// A slice of the capacity that no other rule can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Which slice: below [`Reserve::SLICES_MAX`], and no two rules have the same.
    pub slice: usize,
    /// Credits a second, all verifiers together.
    pub per_second: Credits,
}

impl Reserve {
    /// Rules with a slice of their own at the most.
    pub const SLICES_MAX: usize = 16;
}

impl Route {
    /// A path under no rule.
    pub const DEFAULT: Self =
        Self { action: Action::Price, cost: Credits::ONE, asset: false, min_price: 0, reserve: None };

    /// Whether it asks for more than a path under no rule.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        matches!(self.action, Action::Challenge | Action::Deny) || self.cost > Credits::ONE || self.min_price > 0
    }

    /// What is left of a rule that allows its path, once what passes unpaid has had its share.
    #[must_use]
    pub fn without_allowance(self) -> Self {
        if self.action == Action::Allow { Self { action: Action::Price, reserve: None, ..self } } else { self }
    }

    /// The dearer of both in every respect, and never one that costs less than a path under no rule: what a path
    /// pays that the origin might read in more than one way.
    fn dearest(self, other: Self) -> Self {
        Self {
            action: self.action.max(other.action),
            cost: self.cost.max(other.cost),
            asset: false,
            min_price: self.min_price.max(other.min_price),
            reserve: None,
        }
    }
}

/// All rules, compiled.
#[derive(Debug, Default)]
pub struct Policy {
    patterns: GlobSet,
    /// The rule that each pattern belongs to.
    rule_of: Vec<usize>,
    rules: Vec<Rule>,
}

impl Policy {
    /// What the rules say of a target.
    #[must_use]
    pub fn route(&self, target: &Target<'_>) -> Route {
        match target {
            Target::Plain(path) => self.first_match(path).unwrap_or(Route::DEFAULT),
            Target::Odd(readings) => readings
                .iter()
                .map(|path| self.first_match(path).unwrap_or(Route::DEFAULT))
                .fold(Route::DEFAULT, Route::dearest),
        }
    }

    /// The rules in order, for explaining them.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What rules keep for themselves.
    pub fn reserves(&self) -> impl Iterator<Item = Reserve> {
        self.rules.iter().filter_map(|rule| rule.route.reserve)
    }

    fn first_match(&self, path: &str) -> Option<Route> {
        let rule = self.patterns.matches(path).into_iter().filter_map(|pattern| self.rule_of.get(pattern)).min()?;
        self.rules.get(*rule).map(|rule| rule.route)
    }
}

/// Gathers rules in order.
#[derive(Debug, Default)]
pub struct PolicyBuilder {
    patterns: Vec<Glob>,
    rule_of: Vec<usize>,
    /// Paths of the rule that comes next.
    paths: Vec<String>,
    rules: Vec<Rule>,
}

impl PolicyBuilder {
    /// Adds a path pattern to the rule that comes next. `*` stays within a segment, `**` crosses them, and
    /// `/part/**` matches `/part` too. With `strict` a pattern without trailing slash matches with one as well, as many
    /// applications do: a rule that asks for more must not be escaped by it, one that asks for less must not grow.
    pub fn add_path(&mut self, pattern: &str, strict: bool) -> Result<(), globset::Error> {
        self.add_glob(pattern)?;
        self.paths.push(pattern.to_owned());
        if strict && !pattern.ends_with(['/', '*']) {
            self.add_glob(&format!("{pattern}/"))?;
        }
        match pattern.strip_suffix("/**") {
            Some("") | None => Ok(()),
            Some(folder) => {
                self.add_glob(folder)?;
                self.add_glob(&format!("{folder}/"))
            }
        }
    }

    /// Ends the rule whose paths were added.
    pub fn add_rule(&mut self, route: Route) {
        self.rules.push(Rule { paths: std::mem::take(&mut self.paths), route });
    }

    /// Compiles the rules.
    pub fn build(self) -> Result<Policy, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for glob in self.patterns {
            set.add(glob);
        }
        Ok(Policy { patterns: set.build()?, rule_of: self.rule_of, rules: self.rules })
    }

    fn add_glob(&mut self, pattern: &str) -> Result<(), globset::Error> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()?;
        self.patterns.push(glob);
        self.rule_of.push(self.rules.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[(&str, Route)]) -> Policy {
        let mut builder = PolicyBuilder::default();
        for (path, route) in rules {
            builder.add_path(path, route.is_strict()).expect("a pattern");
            builder.add_rule(*route);
        }
        builder.build().expect("patterns")
    }

    fn acting(action: Action) -> Route {
        Route { action, ..Route::DEFAULT }
    }

    #[test]
    fn the_first_match_decides() {
        let policy = policy(&[
            ("/a/b", acting(Action::Deny)),
            ("/a/**", acting(Action::Allow)),
            ("/**", acting(Action::Challenge)),
        ]);
        let action = |path| policy.route(&Target::parse(path)).action;
        assert_eq!(action("/a/b"), Action::Deny);
        assert_eq!(action("/a/c/d"), Action::Allow);
        assert_eq!(action("/a"), Action::Allow);
        assert_eq!(action("/"), Action::Challenge);
        assert_eq!(action("/b"), Action::Challenge);
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        let policy = policy(&[("/feeds/*.xml", acting(Action::Allow))]);
        let action = |path| policy.route(&Target::parse(path)).action;
        assert_eq!(action("/feeds/news.xml"), Action::Allow);
        assert_eq!(action("/feeds/deep/news.xml"), Action::Price);
        assert_eq!(action("/feeds/news.xml?page=2"), Action::Allow);
    }

    #[test]
    fn no_odd_spelling_is_cheaper_than_the_plain_one() {
        let dear = Route { cost: Credits::whole(20), ..acting(Action::Challenge) };
        let asset = Route { asset: true, ..Route::DEFAULT };
        let policy = policy(&[("/static/**", asset), ("/robots.txt", acting(Action::Allow)), ("/admin/**", dear)]);
        let spellings = [
            "//admin",
            "/admin/",
            "/%61dmin",
            "/./admin",
            "/static/../admin",
            "/static/%2e%2e/admin",
            "/admin;x",
            "/admin;x/y",
            "/static/..%2fadmin",
            "/static/..%5cadmin",
            "/static/..\\admin",
            "/robots.txt/../admin",
            "/%2561dmin",
            "/admin%00",
            "/admin.",
            "/admin/.",
            "/x/../admin",
            "/x/..;/admin",
            "/%2e/admin",
            "/admin%20",
            "/admin//login",
            "/admin%2flogin",
            "/static/%252e%252e/admin",
            "/static/..;x/admin",
            "/a%2f..%2fadmin",
            "/%c0%ae%c0%ae/admin",
            "/robots.txt%2f..%2fadmin",
            "/static/./../admin",
            "/static//../admin",
            "/.%2fadmin",
            "/admin%3bx",
            "/admin/secret/x://y/../..",
            "/admin/x//../..",
            "/x://y/../../admin",
        ];
        for spelling in spellings {
            let route = policy.route(&Target::parse(spelling));
            let cheaper = route.action == Action::Allow || route.asset || route.cost < Credits::ONE;
            assert!(!cheaper, "{spelling}: {route:?}");
        }
        for spelling in [
            "//admin",
            "/%61dmin",
            "/./admin",
            "/static/../admin",
            "/admin;x",
            "/static/..%2fadmin",
            "/%2561dmin",
            "/admin/secret/x://y/../..",
            "/%61dmin/x//../..",
            "/x://y/../../admin",
        ] {
            assert_eq!(policy.route(&Target::parse(spelling)).action, Action::Challenge, "{spelling}");
        }
    }
}

//! The verifier's configuration file, key by key.

use toml::{Table, Value};

/// A configuration under construction: starts as mode `on`, one site, a price of one attempt.
#[derive(Debug, Clone)]
pub struct Settings {
    table: Table,
}

impl Default for Settings {
    fn default() -> Self {
        Self { table: Table::new() }
            .set("mode", "on")
            .set("log", "info")
            .set("table_mib", 8)
            .set("challenge.count", 1)
            .set("challenge.difficulty", 1)
    }
}

impl Settings {
    /// The default of the tests: mode `on`, and a price that any solver pays at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a file says, in mode `on` and at a price that any solver pays at once.
    pub fn from_text(text: &str) -> Self {
        let mut settings = Self { table: text.parse().unwrap() };
        for (key, value) in Self::default().table {
            settings.table.insert(key, value);
        }
        settings
    }

    /// Sets `section.key`, or a key at the top.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.put(path, value.into());
        self
    }

    /// [`Settings::set`] on a configuration already in use.
    pub fn put(&mut self, path: &str, value: Value) {
        let mut table = &mut self.table;
        let mut keys = path.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                table.insert(key.to_owned(), value);
                return;
            }
            let section = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
            table = section.as_table_mut().unwrap();
        }
    }

    /// Leaves a key of the top level out again.
    pub fn without(mut self, key: &str) -> Self {
        self.table.remove(key);
        self
    }

    /// Adds a `[[site]]` with a name, its hosts (none: every host) and, in front of one, its origin.
    pub fn site(self, name: &str, hosts: &[&str], origin: Option<&str>) -> Self {
        let mut site = Table::new();
        site.insert("name".into(), name.into());
        if !hosts.is_empty() {
            site.insert("hosts".into(), Value::Array(hosts.iter().map(|host| (*host).into()).collect()));
        }
        if let Some(origin) = origin {
            site.insert("origin".into(), origin.into());
        }
        self.push("site", site)
    }

    /// Sets a key of the site that was added last.
    pub fn of_site(mut self, key: &str, value: impl Into<Value>) -> Self {
        let sites = self.table.get_mut("site").and_then(Value::as_array_mut).unwrap();
        sites.last_mut().and_then(Value::as_table_mut).unwrap().insert(key.to_owned(), value.into());
        self
    }

    /// Adds a `[[rule]]`, written as in the file: `path = "/static/**"` and, on lines of their own, what applies there.
    pub fn rule(self, lines: &str) -> Self {
        let rule = lines.parse::<Table>().unwrap();
        self.push("rule", rule)
    }

    /// Adds a `[[site_key]]`, written as in the file.
    pub fn site_key(self, lines: &str) -> Self {
        let key = lines.parse::<Table>().unwrap();
        self.push("site_key", key)
    }

    fn push(mut self, list: &str, entry: Table) -> Self {
        let array = self.table.entry(list).or_insert_with(|| Value::Array(Vec::new()));
        array.as_array_mut().unwrap().push(Value::Table(entry));
        self
    }

    /// The port of a listener that a key of the top level names, if it does.
    pub fn port_of(&self, key: &str) -> Option<u16> {
        self.table.get(key)?.as_str()?.rsplit_once(':')?.1.parse().ok()
    }

    /// What the file says.
    pub fn text(&self) -> String {
        toml::to_string(&self.table).unwrap()
    }
}

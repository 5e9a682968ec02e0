//! ES modules joined into one script, so that page and worker need one request.
//!
//! Only `import { a, b } from './x.js';` and `export` before a declaration are understood; modules are written in the
//! order in which a browser would run them. Everything else is an error that names file and line.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};

use super::script::{Statement, is_word, statements, words};

/// Gives the text of a module by its file name.
pub(crate) type Read<'a> = &'a dyn Fn(&str) -> anyhow::Result<String>;

/// The modules that are built, not written: wasm-bindgen's glue. A script has at most one of them.
const GLUES: [&str; 2] = ["solver.js", "hashwx-solver.js"];

/// Joins the module `entry` and all it imports. What the entry exports, the script exports too.
pub(crate) fn join(entry: &str, glue: &str, read: Read<'_>) -> anyhow::Result<String> {
    let mut joined = Joined { read, glue, modules: BTreeMap::new(), owners: BTreeMap::new(), script: String::new() };
    joined.add(entry, &BTreeSet::new())?;
    joined.check_imports()?;
    let wanted = joined.wanted_of_glue();
    if !wanted.is_empty() {
        joined.add_glue(&wanted)?;
    }
    let exports = joined.modules.get(entry).map(|module| &module.exports).filter(|exports| !exports.is_empty());
    if let Some(exports) = exports {
        let names: Vec<&str> = exports.iter().map(String::as_str).collect();
        joined.script.extend(["export { ", &names.join(", "), " };\n"]);
    }
    Ok(joined.script)
}

/// A joined script without exports for a tag that is not `type="module"`: strict as a module, and no global name is its own.
pub(crate) fn classic(script: &str) -> String {
    format!("(() => {{\n'use strict';\n{script}}})();\n")
}

/// What is known of a module after it was read.
#[derive(Default)]
struct Module {
    exports: BTreeSet<String>,
    /// File, names, and the line of each import.
    imports: Vec<(String, BTreeSet<String>, usize)>,
}

struct Joined<'a> {
    read: Read<'a>,
    glue: &'a str,
    modules: BTreeMap<String, Module>,
    /// The module that declares a name.
    owners: BTreeMap<String, String>,
    script: String,
}

impl Joined<'_> {
    fn add(&mut self, file: &str, importers: &BTreeSet<String>) -> anyhow::Result<()> {
        if GLUES.contains(&file) || self.modules.contains_key(file) || importers.contains(file) {
            return Ok(());
        }
        let source = (self.read)(file)?;
        let mut module = Module::default();
        let mut own = Vec::new();
        for statement in statements(&source).with_context(|| file.to_owned())? {
            let line = statement.line;
            let place = || format!("{file}:{line}");
            match keyword(&statement.text) {
                "import" => {
                    let (names, from) = parse_import(&statement.text).with_context(place)?;
                    module.imports.push((from, names, line));
                }
                "export" => {
                    let text = statement.text.trim_start_matches("export").trim_start().to_owned();
                    let known = ["function", "async", "class", "const", "let"].contains(&keyword(&text));
                    ensure!(
                        known,
                        "{file}:{line}: only a declaration can be exported here, each with its own `export`"
                    );
                    module.exports.extend(declared(&text).with_context(place)?);
                    own.push(Statement { line, text });
                }
                _ => own.push(statement),
            }
        }
        let inside = importers.iter().cloned().chain([file.to_owned()]).collect();
        let imports: Vec<String> = module.imports.iter().map(|(from, ..)| from.clone()).collect();
        for from in imports {
            self.add(&from, &inside).with_context(|| format!("imported by {file}"))?;
        }
        for statement in own {
            self.own(file, &statement)?;
        }
        self.modules.insert(file.to_owned(), module);
        Ok(())
    }

    /// Writes a statement after checking that nobody else declares what it declares.
    fn own(&mut self, file: &str, statement: &Statement) -> anyhow::Result<()> {
        let line = statement.line;
        for name in declared(&statement.text).with_context(|| format!("{file}:{line}"))? {
            if let Some(other) = self.owners.insert(name.clone(), file.to_owned()) {
                bail!("{file}:{line}: `{name}` is declared in {other} already, and both become one script");
            }
        }
        self.script.push_str(&statement.text);
        self.script.push('\n');
        Ok(())
    }

    fn check_imports(&self) -> anyhow::Result<()> {
        for (file, module) in &self.modules {
            for (from, names, line) in module.imports.iter().filter(|(from, ..)| !GLUES.contains(&from.as_str())) {
                let exports = &self.modules.get(from).context("every imported module was read")?.exports;
                if let Some(name) = names.difference(exports).next() {
                    bail!("{file}:{line}: {from} does not export `{name}`");
                }
            }
        }
        Ok(())
    }

    fn wanted_of_glue(&self) -> BTreeSet<String> {
        let imports = self.modules.values().flat_map(|module| &module.imports);
        imports.filter(|(from, ..)| GLUES.contains(&from.as_str())).flat_map(|(_, names, _)| names.clone()).collect()
    }

    /// Writes what the script needs of the glue. It declares functions and unset variables, so it can stand last.
    fn add_glue(&mut self, wanted: &BTreeSet<String>) -> anyhow::Result<()> {
        let mut declarations = Vec::new();
        for Statement { line, text } in statements(self.glue).context("the glue")? {
            if text.starts_with("export {") {
                continue;
            }
            let statement = Statement { line, text: text.trim_start_matches("export ").to_owned() };
            declarations.push((declared(&statement.text)?, words(&statement.text)?, statement));
        }
        let mut needed = BTreeSet::new();
        let mut open: Vec<String> = wanted.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let declaring = declarations.iter().position(|(names, ..)| names.contains(&name));
            let Some(place) = declaring else {
                ensure!(!wanted.contains(&name), "the solver does not export `{name}`");
                continue;
            };
            if needed.insert(place) {
                open.extend(declarations[place].1.iter().cloned());
            }
        }
        for place in needed {
            self.own("the glue", &declarations[place].2)?;
        }
        Ok(())
    }
}

fn keyword(text: &str) -> &str {
    text.split(|character| !is_word(character)).next().unwrap_or_default()
}

/// The names and the file of `import { a, b } from './x.js';`.
fn parse_import(text: &str) -> anyhow::Result<(BTreeSet<String>, String)> {
    const FORM: &str = "only `import { a, b } from './x.js';` is understood here";
    let inner = text.strip_prefix("import").and_then(|rest| rest.trim_start().strip_prefix('{')).context(FORM)?;
    let (names, rest) = inner.split_once('}').context(FORM)?;
    let from = rest.trim_start().strip_prefix("from").context(FORM)?.trim();
    let from =
        from.strip_suffix(';').context(FORM)?.trim().strip_prefix("'./").and_then(|from| from.strip_suffix('\''));
    let from = from.context(FORM)?;
    let names: BTreeSet<String> =
        names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    ensure!(names.iter().all(|name| name.chars().all(is_word)), FORM);
    ensure!(from.chars().all(|character| is_word(character) || "-./".contains(character)), FORM);
    Ok((names, from.to_owned()))
}

/// The names that a statement at the top of a module declares.
fn declared(text: &str) -> anyhow::Result<Vec<String>> {
    let words = words(text)?;
    let mut rest = words.iter().map(String::as_str).skip_while(|word| *word == "async").peekable();
    match rest.next() {
        Some("function" | "class") => Ok(rest.find(|word| *word != "*").map(str::to_owned).into_iter().collect()),
        Some("const" | "let" | "var") => {
            ensure!(!matches!(rest.peek(), Some(&"{" | &"[")), "a declaration at the top must name what it declares");
            let mut names = Vec::new();
            let (mut depth, mut at_name) = (0, true);
            for word in rest {
                match word {
                    "(" | "{" | "[" => depth += 1,
                    ")" | "}" | "]" => depth -= 1,
                    "," if depth == 0 => at_name = true,
                    _ if at_name => {
                        names.push(word.to_owned());
                        at_name = false;
                    }
                    _ => {}
                }
            }
            Ok(names)
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(modules: &[(&str, &str)], glue: &str) -> Result<String, String> {
        let read = |file: &str| {
            let found = modules.iter().find(|(name, _)| *name == file);
            found.map(|(_, text)| (*text).to_owned()).with_context(|| format!("no module {file}"))
        };
        join("main.js", glue, &read).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn modules_come_once_and_before_those_that_import_them() {
        let script = joined(
            &[
                ("main.js", "import { a } from './a.js';\nimport {\n  b,\n} from './b.js';\na(b);\n"),
                ("a.js", "import { b } from './b.js';\n/** why */\nexport function a() {\n  return b;\n}\n"),
                ("b.js", "export const b = 1;\n"),
            ],
            "",
        );
        assert_eq!(script.as_deref(), Ok("const b = 1;\nfunction a() {\n  return b;\n}\na(b);\n"));
    }

    #[test]
    fn the_script_exports_what_its_entry_exports_and_nothing_else() {
        let modules = [
            ("main.js", "import { a } from './a.js';\nexport function b() {\n  return a;\n}\n"),
            ("a.js", "export const a = 1;\n"),
        ];
        let script = joined(&modules, "");
        assert_eq!(script.as_deref(), Ok("const a = 1;\nfunction b() {\n  return a;\n}\nexport { b };\n"));
    }

    #[test]
    fn of_the_glue_only_what_is_needed_stays() {
        let glue = "export function run() {\nreturn wasm.run();\n}\nexport function count() { return 1; }\n\
                    let module, wasm;\nasync function load() {}\nfunction initSync(m) { wasm = m; }\n\
                    export { initSync, load as default };";
        let script = joined(&[("main.js", "import { initSync, run } from './solver.js';\ninitSync(run);")], glue);
        let expected = "initSync(run);\nfunction run() {\nreturn wasm.run();\n}\nlet module, wasm;\n\
                        function initSync(m) { wasm = m; }\n";
        assert_eq!(script.as_deref(), Ok(expected));
        let missing = joined(&[("main.js", "import { walk } from './solver.js';")], glue);
        assert_eq!(missing, Err("the solver does not export `walk`".to_owned()));
    }

    #[test]
    fn every_other_form_is_an_error_with_its_place() {
        for form in [
            "import a from './a.js';",
            "import * as a from './a.js';",
            "import { a as b } from './a.js';",
            "import './a.js';",
            "import { a } from 'a';",
            "import { a } from \"./a.js\";",
            "export default 1;",
            "export { a };",
            "export * from './a.js';",
            "export const { a } = b;",
        ] {
            let error = joined(&[("main.js", &format!("\n\n{form}"))], "").expect_err(form);
            assert!(error.contains("main.js:3"), "{form}: {error}");
        }
        let unknown = joined(&[("main.js", "import { b } from './a.js';"), ("a.js", "export let a = 1;")], "");
        assert_eq!(unknown, Err("main.js:1: a.js does not export `b`".to_owned()));
    }

    #[test]
    fn one_name_cannot_be_declared_by_two_modules() {
        let main = ("main.js", "import { a } from './a.js';\nlet x = f(1, 2), y;\na();");
        let error = joined(&[main, ("a.js", "const y = 1;\nexport function a() {}")], "").expect_err("a name twice");
        assert!(error.starts_with("main.js:2: `y` is declared in a.js"), "{error}");
    }
}

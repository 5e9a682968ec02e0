//! The second algorithm: what a browser does of it, what native code does of the same programs, and what a check costs.

mod check;
mod native;

use std::thread::available_parallelism;

use anyhow::Context as _;
use solver_native::Lane;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;

use crate::page::{Page, WARM_UP_MS, WINDOW_MS};
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// What is measured in the rounds of one engine.
#[derive(Default)]
struct Measured {
    one: Sample,
    all: Sample,
    native: Sample,
    native_all: Sample,
    /// The best native lane of `sha256`, in the same unit.
    sha256: Sample,
}

/// Rates and ratios, and the cost of checks.
pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    let cores = available_parallelism().context("the number of cores")?.get();
    let mut measured = Vec::new();
    for engine in Engine::ALL {
        eprintln!("  {}", engine.name());
        measured.push((engine, measure_in(engine, cores)?));
    }
    Ok(vec![rates(&measured, cores), exchange(&measured), check::measure()?])
}

fn measure_in(engine: Engine, cores: usize) -> anyhow::Result<Measured> {
    let browser = Browser::of(engine, Traits::default());
    let page = Page::open(&browser)?;
    page.prove_hashwx()?;
    let mut measured = Measured::default();
    for round in 0..ROUNDS {
        measured.one.add(page.hashwx_rate(1)?);
        measured.sha256.add(crate::native::rate(Lane::best()) * 1_000.0);
        let native = native::Compiled::fresh()?;
        measured.native.add(native.rate()?);
        measured.all.add(page.hashwx_rate(cores)?);
        measured.native_all.add(native.rate_of_all(cores)?);
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    Ok(measured)
}

/// What one attempt of `hashwx` costs an attacker, in attempts of `sha256`.
fn exchange(measured: &[(Engine, Measured)]) -> Table {
    let rows = measured.iter().map(|(engine, measured)| Row {
        name: format!("beside {}", engine.name()),
        value: measured.sha256.over(&measured.native),
        ratio: None,
        aim: None,
    });
    Table {
        title: "hashwx: the exchange rate".to_owned(),
        method: format!(
            "What the best native lane of sha256 ({:?}) does on one core, ÷ what native hashwx does there.",
            Lane::best()
        ),
        unit: "attempts of sha256",
        ratio: None,
        rows: rows.collect(),
    }
}

fn rates(measured: &[(Engine, Measured)], cores: usize) -> Table {
    let mut rows = Vec::new();
    for (engine, measured) in measured {
        let (name, chromium) = (engine.name(), *engine == Engine::Chromium);
        let mut row = |name: String, value: &Sample, base: &Sample, aim| {
            rows.push(Row { name, value: value.clone(), ratio: Some(value.over(base)), aim });
        };
        row(format!("{name}, one worker"), &measured.one, &measured.one, chromium.then_some(Aim::AtLeast(200.0)));
        row(format!("native, one thread, beside {name}"), &measured.native, &measured.one, Some(Aim::RatioAtMost(2.0)));
        row(format!("{name}, {cores} workers"), &measured.all, &measured.all, None);
        row(format!("native, {cores} threads, beside {name}"), &measured.native_all, &measured.all, None);
    }
    Table {
        title: "hashwx: visitor and attacker".to_owned(),
        method: format!(
            "Browsers: the published worker and solver, {WARM_UP_MS} ms to warm up, then {WINDOW_MS} ms, with everything a \
             visitor's has to do: a module for each 65,536 nonces is made and compiled within that time. Each measurement \
             has seeds of its own. Native: `cc {}` of the same kind of programs, {} instances a round; compiling is not \
             counted, so that an attacker's own compiler is given as free. By the clock on the wall.",
            native::FLAGS.join(" "),
            native::INSTANCES
        ),
        unit: "kH/s",
        ratio: Some("× the browser's"),
        rows,
    }
}

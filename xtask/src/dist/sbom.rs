//! The list of what is inside, as `CycloneDX` 1.5 (<https://cyclonedx.org/docs/1.5/json/>).

use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::inside::{Crate, Inside, Name};
use super::sums::hex;
use super::{Release, Target};
use crate::steps::output_of;

/// The same crates give the same text.
pub(crate) fn text(release: &Release, target: Target, inside: &Inside) -> anyhow::Result<String> {
    let main = ("verifier-server".to_owned(), release.version.clone());
    let root = inside.crates.get(&main).context("the server is inside itself")?;
    let others = inside.crates.iter().filter(|(name, _)| **name != main);
    let mut components: Vec<Value> = others.map(|(name, inside)| component(name, inside)).collect();
    // The compiler's own libraries, musl among them, are linked in too.
    components.push(json!({
        "type": "library",
        "bom-ref": format!("rust-std@{}", inside.rust),
        "name": "rust-std",
        "version": inside.rust,
        "description": "The standard library of Rust, with musl for this target",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    }));
    // A file among the sources, for the app of `portcullis demo`.
    components.push(json!({
        "type": "library",
        "bom-ref": "htmx.org@2.0.11",
        "name": "htmx.org",
        "version": "2.0.11",
        "purl": "pkg:npm/htmx.org@2.0.11",
        "licenses": [{"expression": "0BSD"}],
    }));
    let uses = inside.crates.iter().map(|(name, inside)| {
        let used: Vec<String> = inside.uses.iter().map(reference).collect();
        json!({"ref": reference(name), "dependsOn": used})
    });
    let mut list = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": iso(release.epoch)?,
            "component": {
                "type": "application",
                "bom-ref": reference(&main),
                "name": "portcullis",
                "version": release.version,
                "description": format!("For {}", target.triple()),
                "licenses": [{"expression": root.licence}],
            },
        },
        "components": components,
        "dependencies": uses.collect::<Vec<_>>(),
    });
    list["serialNumber"] = json!(serial_number(&list.to_string()));
    Ok(format!("{}\n", serde_json::to_string_pretty(&list)?))
}

fn component(name: &Name, inside: &Crate) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(name),
        "name": name.0,
        "version": name.1,
        // Old manifests wrote `/` where an expression says `OR`.
        "licenses": [{"expression": inside.licence.replace('/', " OR ")}],
    });
    if let Some(checksum) = &inside.checksum {
        component["purl"] = json!(format!("pkg:cargo/{}@{}", name.0, name.1));
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn reference((name, version): &Name) -> String {
    format!("{name}@{version}")
}

/// An UUID of version 8 (RFC 9562): made of the list itself, so that the same list has the same number.
fn serial_number(list: &str) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(list).into();
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes[..16]);
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Unix seconds as RFC 3339 has them.
fn iso(seconds: u64) -> anyhow::Result<String> {
    let mut date = Command::new("date");
    let text = output_of(date.args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", &format!("--date=@{seconds}")]))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_an_uuid_of_the_list() {
        let number = serial_number("a");
        assert_eq!((number.len(), number), (45, serial_number("a")));
        assert_eq!(&serial_number("a")[23..24], "8");
        assert_ne!(serial_number("a"), serial_number("b"));
    }
}

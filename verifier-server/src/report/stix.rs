//! The report as a bundle of STIX 2.1 (OASIS Standard, 10 June 2021). The same attack makes the same ids: UUIDs of version 5,
//! those of networks and systems as §2.9 of the standard makes them, all others below the id of the attack.

use super::asn::Asn;
use super::escape::{stix_string, visible};
use super::{Facts, words};
use crate::gate::top::LABEL_BYTES_MAX;
use crate::timeline::Source;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The namespace of cyber-observable objects (§2.9).
const OBSERVABLES: Uuid = Uuid::from_u128(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);
/// The most that `number_observed` may be.
const OBSERVED_MAX: u64 = 999_999_999;
/// How long an indicator is worth something after the attack, in seconds: addresses change hands.
const VALID_SECONDS: u32 = 30 * 86_400;

/// The whole bundle.
pub(super) fn bundle(facts: &Facts<'_>) -> String {
    let mut bundle = Bundle::new(facts);
    let attack = facts.attack;
    let identity = bundle.add(
        "identity",
        "identity",
        json!({ "name": format!("Portcullis at {}", visible(&attack.site)), "identity_class": "system" }),
    );
    bundle.creator = Some(identity);
    let summary = words::summary_text(facts);
    let title = format!("Attack {} on {}", attack.number, visible(&attack.site));
    let pattern = bundle.add("attack-pattern", "flood", flood());
    bundle.add("incident", "incident", json!({ "name": title, "description": summary }));
    let found = facts.indicators();
    for source in &attack.sources.networks {
        let Ok(net) = source.name.parse::<IpNet>() else { continue };
        let observed = bundle.observed(source, net);
        if found.networks.contains(&source) {
            let kind = kind_of(net);
            let test = format!("[{kind}:value ISSUBSET {}]", stix_string(&net.to_string()));
            let indicator = bundle.indicator(&format!("Requests of the attack came from {net}"), source, &test);
            bundle.relate(&indicator, "indicates", &pattern);
            bundle.relate(&indicator, "based-on", &observed);
        }
    }
    for source in &found.user_agents {
        let field = "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'";
        if let Some(test) = test_of(field, &source.name) {
            let name = format!("Programs of the attack called themselves {}", visible(&source.name));
            let indicator = bundle.indicator(&name, source, &test);
            bundle.relate(&indicator, "indicates", &pattern);
        }
    }
    for source in &found.paths {
        let field = "network-traffic:extensions.'http-request-ext'.request_value";
        if let Some(test) = test_of(field, &source.name) {
            let name = format!("Requests of the attack were for {}", visible(&source.name));
            let indicator = bundle.indicator(&name, source, &test);
            bundle.relate(&indicator, "indicates", &pattern);
        }
    }
    let all: Vec<Value> = bundle.objects.keys().map(|id| json!(id)).collect();
    bundle.add(
        "report",
        "report",
        json!({
            "name": title,
            "description": summary,
            "report_types": ["indicator", "observed-data"],
            "published": time(attack.until()),
            "object_refs": all,
        }),
    );
    bundle.text()
}

/// What it was, in the catalogues of others.
fn flood() -> Value {
    json!({
        "name": "HTTP flood",
        "description": "Many requests for pages of a website, so that its server has no time for visitors.",
        // By their ids: an address would need a hash of what is there (§2.5).
        "external_references": [
            { "source_name": "capec", "external_id": "CAPEC-488" },
            { "source_name": "mitre-attack", "external_id": "T1499.002" },
        ],
    })
}

/// Whether a field begins with a name, or is that name where it was not cut; `None` where the name is not what was sent.
fn test_of(field: &str, name: &str) -> Option<String> {
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    if name.len() < LABEL_BYTES_MAX {
        return Some(format!("[{field} = {}]", stix_string(name)));
    }
    let expression = format!("^{}", regex::escape(name));
    Some(format!("[{field} MATCHES {}]", stix_string(&expression)))
}

const fn kind_of(net: IpNet) -> &'static str {
    match net {
        IpNet::V4(_) => "ipv4-addr",
        IpNet::V6(_) => "ipv6-addr",
    }
}

/// A time as the standard writes it: to the millisecond.
fn time(at: u32) -> String {
    super::Times::rfc3339(at).replace('Z', ".000Z")
}

/// The objects, by id.
struct Bundle<'a> {
    facts: &'a Facts<'a>,
    namespace: Uuid,
    creator: Option<String>,
    objects: BTreeMap<String, Value>,
}

impl<'a> Bundle<'a> {
    fn new(facts: &'a Facts<'a>) -> Self {
        // A record that was read has 32 hexadecimal digits.
        let namespace = Uuid::parse_str(&facts.attack.id).unwrap_or_default();
        Self { facts, namespace, creator: None, objects: BTreeMap::new() }
    }

    /// Adds a domain object. Its id is made of its kind and `what`.
    fn add(&mut self, kind: &str, what: &str, mut object: Value) -> String {
        let attack = self.facts.attack;
        let id = format!("{kind}--{}", Uuid::new_v5(&self.namespace, format!("{kind}/{what}").as_bytes()));
        object["type"] = json!(kind);
        object["spec_version"] = json!("2.1");
        object["id"] = json!(id);
        object["created"] = json!(time(attack.began_at));
        object["modified"] = json!(time(attack.until()));
        if let Some(creator) = &self.creator {
            object["created_by_ref"] = json!(creator);
        }
        self.objects.insert(id.clone(), object);
        id
    }

    /// Adds an observable; `identifying` is what its id is made of.
    fn observable(&mut self, kind: &str, identifying: &Value, mut object: Value) -> String {
        // Canonical as RFC 8785 wants it: one field, and in it nothing that is escaped.
        let id = format!("{kind}--{}", Uuid::new_v5(&OBSERVABLES, identifying.to_string().as_bytes()));
        object["type"] = json!(kind);
        object["spec_version"] = json!("2.1");
        object["id"] = json!(id);
        self.objects.insert(id.clone(), object);
        id
    }

    /// A network, whose it is, and how often it was seen.
    fn observed(&mut self, source: &Source, net: IpNet) -> String {
        let asn: Option<&Asn> = self.facts.asns.get(&net);
        let system = asn.map(|asn| {
            let mut object = json!({ "number": asn.number });
            if !asn.name.is_empty() {
                object["name"] = json!(visible(&asn.name));
            }
            self.observable("autonomous-system", &json!({ "number": asn.number }), object)
        });
        let value = json!({ "value": net.to_string() });
        let mut address = value.clone();
        if let Some(system) = &system {
            address["belongs_to_refs"] = json!([system]);
        }
        let address = self.observable(kind_of(net), &value, address);
        let sources = &self.facts.attack.sources;
        let refs: Vec<String> = [Some(address), system].into_iter().flatten().collect();
        self.add(
            "observed-data",
            &source.name,
            json!({
                "first_observed": time(sources.from),
                "last_observed": time(sources.to.max(sources.from)),
                "number_observed": source.requests.clamp(1, OBSERVED_MAX),
                "object_refs": refs,
            }),
        )
    }

    fn indicator(&mut self, name: &str, source: &Source, pattern: &str) -> String {
        let attack = self.facts.attack;
        self.add(
            "indicator",
            pattern,
            json!({
                "name": name,
                "description": format!(
                    "{} requests, {} of them turned away. Nobody who paid for a request was seen there.",
                    source.requests, source.turned_away
                ),
                "indicator_types": ["malicious-activity"],
                "pattern": pattern,
                "pattern_type": "stix",
                "pattern_version": "2.1",
                "valid_from": time(attack.began_at),
                "valid_until": time(attack.until().saturating_add(VALID_SECONDS)),
            }),
        )
    }

    fn relate(&mut self, from: &str, how: &str, to: &str) {
        let relation = json!({ "relationship_type": how, "source_ref": from, "target_ref": to });
        self.add("relationship", &format!("{from} {how} {to}"), relation);
    }

    fn text(self) -> String {
        let id = format!("bundle--{}", Uuid::new_v5(&self.namespace, b"bundle"));
        let objects: Vec<Value> = self.objects.into_values().collect();
        format!("{:#}", json!({ "type": "bundle", "id": id, "objects": objects }))
    }
}

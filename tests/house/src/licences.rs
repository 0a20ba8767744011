//! The licences of everything that ships: the packages that a release is linked from.
use serde_json::Value;
use spdx::{Expression, ParseMode};
use std::collections::{BTreeMap, BTreeSet};

/// What ships.
pub const SHIPPED: &[&str] = &["underpass-core", "underpass-gateway", "underpass-linux", "underpass-uniffi"];
/// Licences that ask for no more than to be named.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Packages that may be under MPL-2.0: they make bindings, and their source stays their own.
const MPL: &[&str] = &["uniffi", "cbindgen"];

/// Packages that ship, under licences that must not; `metadata` is what `cargo metadata` prints.
#[must_use]
pub fn unfit(metadata: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    let packages = packages(metadata);
    for id in shipped(metadata) {
        let Some(package) = packages.get(id.as_str()) else {
            findings.push(format!("{id}: not in the metadata"));
            continue;
        };
        let (name, licence) = (text(package, "name"), text(package, "license"));
        if !fits(name, licence) {
            findings.push(format!("{name}: licence `{licence}`"));
        }
    }
    findings
}

/// The ids of all packages that what ships is linked from, itself included.
#[must_use]
pub fn shipped(metadata: &Value) -> BTreeSet<String> {
    let nodes = array(&metadata["resolve"], "nodes");
    let links: BTreeMap<&str, Vec<&str>> = nodes.map(|node| (text(node, "id"), linked(node))).collect();
    let is_root = |package: &&Value| SHIPPED.contains(&text(package, "name")) && package["source"].is_null();
    let mut todo: Vec<&str> = array(metadata, "packages").filter(is_root).map(|package| text(package, "id")).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if seen.insert(id.to_owned()) {
            todo.extend(links.get(id).into_iter().flatten());
        }
    }
    seen
}

/// What a node links: its dependencies that are neither for tests nor for building only.
fn linked(node: &Value) -> Vec<&str> {
    let is_normal = |dep: &&Value| array(dep, "dep_kinds").any(|kind| kind["kind"].is_null());
    array(node, "deps").filter(is_normal).map(|dep| text(dep, "pkg")).collect()
}

fn fits(name: &str, licence: &str) -> bool {
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else { return false };
    let bindings = MPL.iter().any(|prefix| name.starts_with(prefix));
    expression.evaluate(|required| {
        let id = required.license.id().map_or("", |id| id.name);
        PERMISSIVE.contains(&id) || (bindings && id == "MPL-2.0")
    })
}

fn packages(metadata: &Value) -> BTreeMap<&str, &Value> {
    array(metadata, "packages").map(|package| (text(package, "id"), package)).collect()
}

fn array<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_licence_fits_when_one_way_to_read_it_is_permissive() {
        for (name, licence, want) in [
            ("a", "MIT", true),
            ("a", "MIT/Apache-2.0", true),
            ("a", "GPL-2.0-only OR MIT", true),
            ("a", "Apache-2.0 AND ISC", true),
            ("a", "Apache-2.0 WITH LLVM-exception", true),
            ("a", "MIT AND GPL-3.0-only", false),
            ("a", "AGPL-3.0-only", false),
            ("a", "MPL-2.0", false),
            ("uniffi_core", "MPL-2.0", true),
            ("a", "", false),
        ] {
            assert_eq!(fits(name, licence), want, "{name}: {licence}");
        }
    }

    #[test]
    fn what_ships_is_followed_through_normal_dependencies_only() {
        let package = |id: &str, licence: &str| json!({ "id": id, "name": id, "license": licence, "source": null });
        let dep = |id: &str, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("underpass-core", "MIT"), package("near", "MIT"), package("far", "GPL-3.0-only"),
                package("test", "GPL-3.0-only"), package("build", "GPL-3.0-only"),
            ],
            "resolve": { "nodes": [
                { "id": "underpass-core", "deps": [
                    dep("near", Value::Null), dep("test", json!("dev")), dep("build", json!("build")),
                ] },
                { "id": "near", "deps": [dep("far", Value::Null)] },
            ] },
        });
        assert_eq!(unfit(&metadata), ["far: licence `GPL-3.0-only`"]);
    }
}
